"""The list of an owner's links: its filters, its pages, and what it comes to."""

from collections.abc import Mapping, Sequence
from typing import Any

from flask import request, url_for
from marshmallow import Schema, fields, validate

from application.commands.links import LARGEST_BATCH
from domain.link import LinkStatus
from interface.pages.owner.owned import own_id
from interface.pages.shared.forms import load
from interface.web.fields import Text
from interface.web.request_context import services
from projections.views import link_list, link_overview
from projections.views.link_list import LinkOrder, LinkRow
from projections.views.link_overview import LinkGroup

PAGE_SIZE = 25


class Filters(Schema):
    """The choice of links: `first` and `last` are the positions of those issued together."""

    q = Text(longest=200, load_default=None)
    status = fields.Enum(LinkStatus, by_value=True, load_default=None)
    calendar = fields.UUID(load_default=None)
    first = fields.Integer(validate=validate.Range(0, 2**63 - 1), load_default=None)
    last = fields.Integer(validate=validate.Range(0, 2**63 - 1), load_default=None)
    sort = fields.Enum(LinkOrder, by_value=True, load_default=LinkOrder.NEWEST)


class ListQuery(Filters):
    """Filters of the list, and its part: `before` and `after` are positions in the log."""

    before = fields.Integer(validate=validate.Range(0, 2**63 - 1), load_default=None)
    after = fields.Integer(validate=validate.Range(0, 2**63 - 1), load_default=None)


def read_query(schema: Filters) -> dict[str, Any] | None:
    """Returns the filters that the address names; None if it is malformed."""
    loaded = load(schema, {name: request.args.get(name) for name in schema.fields})
    query = loaded.values
    return None if loaded.errors or (query["first"] is None) != (query["last"] is None) else query


def page_of(query: dict[str, Any]) -> tuple[Sequence[LinkRow | LinkGroup], str | None, str | None]:
    """Returns the entries of a page, and the addresses of the pages before and after it.

    Links that were issued together are one entry, unless they are searched or sorted otherwise.
    """
    before, after = query["before"], query["after"]
    found: Sequence[LinkRow | LinkGroup]
    if query["q"] or query["first"] is not None or query["sort"] is LinkOrder.EXPIRING:
        found = _links(query, before=before, after=after, limit=PAGE_SIZE + 1)
    else:
        found = _groups(query, before=before, after=after, limit=PAGE_SIZE + 1)
    has_more = len(found) > PAGE_SIZE
    if after is not None:
        entries, has_earlier, has_later = found[-PAGE_SIZE:], has_more, True
    else:
        entries, has_earlier, has_later = found[:PAGE_SIZE], before is not None, has_more
    if not entries:
        return entries, None, None
    first, last = entries[0], entries[-1]
    start = first.first if isinstance(first, LinkGroup) else first.position
    end = last.last if isinstance(last, LinkGroup) else last.position
    return (
        entries,
        list_address(query, after=start) if has_earlier else None,
        list_address(query, before=end) if has_later else None,
    )


def _links(query: dict[str, Any], **part: Any) -> list[LinkRow]:
    current = services()
    return link_list.links_of(
        current.database,
        own_id(),
        now=current.now(),
        q=query["q"],
        status=query["status"],
        calendar_id=query["calendar"],
        positions=_positions(query),
        order=query["sort"],
        **part,
    )


def _groups(query: dict[str, Any], **part: Any) -> list[LinkRow | LinkGroup]:
    """Returns the groups of a page, with the link itself in the place of a group of one."""
    current, owner_id = services(), own_id()
    groups = link_overview.groups_of(
        current.database,
        owner_id,
        now=current.now(),
        status=query["status"],
        calendar_id=query["calendar"],
        newest_first=query["sort"] is LinkOrder.NEWEST,
        **part,
    )
    single = [group.link_id for group in groups if group.count == 1]
    rows = link_list.links_of(
        current.database, owner_id, now=current.now(), ids=single, limit=len(single)
    )
    by_id = {row.id: row for row in rows}
    return [by_id.get(group.link_id, group) for group in groups]


def first_links(query: dict[str, Any], most: int) -> list[LinkRow]:
    """Returns at most so many links of the list, from its start."""
    links: list[LinkRow] = []
    before = None
    while len(links) < most:
        limit = min(LARGEST_BATCH, most - len(links))
        part = _links(query, before=before, limit=limit)
        links += part
        if len(part) < limit:
            break
        before = part[-1].position
    return links


def counts_of(query: dict[str, Any]) -> dict[LinkStatus | None, int]:
    """Returns how many links have each status, and how many there are, by None.

    Nothing is counted while texts are searched for.
    """
    if query["q"]:
        return {}
    current = services()
    counts = link_overview.counts_of(
        current.database,
        own_id(),
        now=current.now(),
        calendar_id=query["calendar"],
        positions=_positions(query),
    )
    of_tabs: dict[LinkStatus | None, int] = {None: sum(counts.values())}
    return of_tabs | dict(counts.items())


def has_more_active(
    query: dict[str, Any],
    links: Sequence[LinkRow],
    counts: Mapping[LinkStatus | None, int],
    *,
    pages: bool,
) -> bool:
    """Returns True if links that match are active besides those that the page can select."""
    if query["status"] not in (None, LinkStatus.ACTIVE):
        return False
    if not counts:
        return pages
    return counts[LinkStatus.ACTIVE] > sum(link.status is LinkStatus.ACTIVE for link in links)


def _positions(query: dict[str, Any]) -> tuple[int, int] | None:
    """Returns the lowest and the highest position of links that were issued together."""
    if query["first"] is None:
        return None
    return min(query["first"], query["last"]), max(query["first"], query["last"])


def list_address(query: dict[str, Any], view: str = "links_pages.index", **place: Any) -> str:
    """Returns the address of the list with these filters, at its start or at `place`."""
    names = ("q", "status", "calendar", "first", "last")
    filters = {name: query[name] for name in names if query[name] not in (None, "")}
    if query["sort"] is not LinkOrder.NEWEST:
        filters["sort"] = query["sort"]
    return url_for(view, **filters, **place)


def batch_address(query: dict[str, Any], group: LinkGroup) -> str:
    """Returns the address of the list of those links of the group that the filters leave."""
    return list_address(query | {"first": group.first, "last": group.last})
