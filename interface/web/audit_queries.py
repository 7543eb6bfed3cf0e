"""What the calls and the pages of the audit share."""

from urllib.parse import urlencode
from uuid import UUID

from flask import request

from application.audit.replay import AsOf, History, HistoryNotFound, replay
from application.eventstore.mapper import JSONMapper
from application.people import access_log
from interface.web.request_context import services

MAPPER = JSONMapper()
LAST_POSITION = 2**63 - 1
_LONGEST_ACCESS = 2000


def record_access(actor: str, result: str = "") -> None:
    """Records who reads what, before they get it. Raises `Unavailable`: then they do not.

    Search text is not recorded: an address in it would survive erasure.
    """
    asked = [(name, value) for name, value in request.args.items(multi=True) if name != "q"]
    what = "?".join(part for part in (f"GET {request.path}", urlencode(asked)) if part)
    if "q" in request.args:
        what += " (a search)"
    access_log.record(services().database, actor=actor, what=f"{what}{result}"[:_LONGEST_ACCESS])


def history_of(aggregate_id: UUID, *, as_of: AsOf | None = None, kind: str = "") -> History:
    """Returns the history of an aggregate, up to a moment if one is named.

    With a kind, as in `link.`, only an aggregate of that kind is one. Raises
    `HistoryNotFound`, also when the aggregate was not there yet at `as_of`.
    """
    now = services().now()
    history = services().database.in_snapshot(
        lambda conn: replay(conn, aggregate_id, MAPPER, now=now)
    )
    if as_of is not None:
        history = history.as_of(as_of)
    if not history.steps or (kind and not _is_about(history, kind)):
        raise HistoryNotFound
    return history


def _is_about(history: History, kind: str) -> bool:
    return any(
        step.recorded.originator_id == history.id and step.recorded.topic.startswith(kind)
        for step in history.steps
    )
