"""Reads histories and checkpoints, and records accesses, for the API and the pages."""

from urllib.parse import urlencode
from uuid import UUID

from flask import request

from application.audit.replay import AsOf, History, HistoryNotFound, replay
from application.eventstore.mapper import JSONMapper
from application.people import access_log
from domain.errors import Invalid
from interface.web.request_context import services

MAPPER = JSONMapper()
LONGEST_QUERY = 8000


def record_access(actor: str, result: str = "") -> None:
    """Records who reads what, before it is answered. Raises `Unavailable`, and then it is not.

    Nothing is cut off: a query that is too long to be recorded is refused by `Invalid`.
    Search texts and e-mail addresses are not recorded, because they would survive erasure.
    """
    if len(request.query_string) > LONGEST_QUERY:
        raise Invalid({"query": ["Is too long."]})
    parameters = [
        (name, "an address" if "@" in value else value)
        for name, value in request.args.items(multi=True)
        if name != "q"
    ]
    what = "?".join(part for part in (f"GET {request.path}", urlencode(parameters)) if part)
    if "q" in request.args:
        what += " (a search)"
    access_log.record(services().database, actor=actor, what=f"{what}{result}")


def history_of(aggregate_id: UUID, *, as_of: AsOf | None = None, kind: str = "") -> History:
    """Returns the history of an aggregate, up to `as_of` if that is not None.

    `kind` is the start of the topics that the aggregate must have, such as `link.`. Raises
    `HistoryNotFound`, also if the aggregate did not exist yet at `as_of`.
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
