"""Reads histories and checkpoints, and records accesses, for the API and the pages."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from typing import Any
from urllib.parse import quote, urlencode
from uuid import UUID

from application.audit.replay import (
    LARGEST_PAGE,
    AsOf,
    History,
    replay_of,
    replay_of_agenda,
    states_at,
)
from application.audit.single_use_report import LogTooLong, report
from application.audit.state_changes import State
from application.eventstore import event_log
from application.eventstore.mapper import JSONMapper
from application.people import access_log
from domain.errors import Invalid
from interface.current_request import this_request
from interface.web.request_context import sent, services
from projections.evidence.checkpoint_store import CheckpointDamaged, SignedCheckpoint

MAPPER = JSONMapper()
LONGEST_QUERY = 8000
_RESULT = "admitone.result"
"""The key in a request's WSGI environment for the result that its record names."""
LONGEST_LOG = 100_000
"""Events. A request checks them within its time; the command checks any number."""


def record_access(actor: str, result: str = "") -> None:
    """Records who reads what, before it is answered. Raises `Unavailable`, and then it is not.

    Nothing is cut off: a query that is too long to be recorded is refused by `Invalid`.
    Search texts and e-mail addresses are not recorded, because they would survive erasure.
    """
    request = sent()
    if len(request.query_string) > LONGEST_QUERY:
        raise Invalid({"query": ["Is too long."]})
    parameters = [
        (name, "an address" if "@" in value else value)
        for name, value in request.args.items(multi=True)
        if name != "q"
    ]
    what = "?".join(part for part in (f"GET {quote(request.path)}", urlencode(parameters)) if part)
    if "q" in request.args:
        what += " (a search)"
    access_log.record(services().database, actor=actor, what=f"{what}{result}")


def newest_checkpoint() -> SignedCheckpoint:
    """Returns the newest checkpoint. Raises `NoCheckpoint` and `CheckpointDamaged`."""
    return services().checkpoint_store().require_newest()


@contextmanager
def recording_access(actor: str) -> Iterator[None]:
    """Records, after the block, who asks for what, with the result that the block adds.

    The record is made before anything is answered or refused. Raises `Invalid` and `Unavailable`
    like `record_access`; then answer nothing.
    """
    try:
        yield
    finally:
        record_access(actor, this_request().environ.get(_RESULT, ""))


def add_to_record(result: str) -> None:
    """Adds a result to the record of this access. Call it last, when nothing can be refused."""
    this_request().environ[_RESULT] = result


def add_checkpoint_to_record(checkpoint: SignedCheckpoint) -> None:
    """Adds to the record that this checkpoint is given; a HEAD request gets none."""
    if sent().method != "HEAD":
        add_to_record(f"{access_log.CHECKPOINT_GIVEN}{checkpoint.signed.size} events")


def history_of(
    aggregate_id: UUID,
    *,
    kind: str = "",
    as_of: AsOf | None = None,
    after: int = 0,
    limit: int = LARGEST_PAGE,
) -> History:
    """Returns a page of the history of an aggregate, up to `as_of` if that is not None.

    `kind` is the start of the topics that the aggregate must have, such as `link.`. Raises
    `HistoryNotFound`.
    """
    now = services().now()
    return services().database.in_snapshot(
        lambda conn: (
            replay_of(conn, aggregate_id, MAPPER, now=now, as_of=as_of, kind=kind)
            .skip(after)
            .page(limit)
        )
    )


def history_of_agenda(
    owner_id: UUID,
    first: date,
    last: date,
    *,
    as_of: AsOf | None = None,
    after: int = 0,
    limit: int = LARGEST_PAGE,
) -> History:
    """Returns a page of the history of the time that an owner reserved on these UTC days.

    Raises `Invalid` for a period that is too long, and `HistoryNotFound`.
    """
    now = services().now()
    return services().database.in_snapshot(
        lambda conn: (
            replay_of_agenda(conn, owner_id, first, last, MAPPER, now=now, as_of=as_of)
            .skip(after)
            .page(limit)
        )
    )


def compared_states(aggregate_id: UUID, moments: Sequence[AsOf | None]) -> list[State]:
    """Returns the state of a history at each of these moments, or now for None."""
    now = services().now()
    return services().database.in_snapshot(
        lambda conn: states_at(conn, aggregate_id, moments, MAPPER, now=now)
    )


def proof_of_single_use(since: datetime | None, until: datetime | None) -> dict[str, Any]:
    """Checks the whole log, and returns the report with the counts of [since, until).

    Raises `LogTooLong` beyond 100,000 events.
    """
    now, database = services().now(), services().database
    if database.in_snapshot(event_log.head) > LONGEST_LOG:
        raise LogTooLong
    checkpoint = _newest_checkpoint()
    return database.in_snapshot(
        lambda conn: report(conn, since=since, until=until, now=now, checkpoint=checkpoint)
    )


def _newest_checkpoint() -> str | None:
    """Returns the text of the newest checkpoint; None if there is none that can be trusted."""
    try:
        newest = services().checkpoint_store().newest()
    except CheckpointDamaged:
        return None
    return newest and newest.text
