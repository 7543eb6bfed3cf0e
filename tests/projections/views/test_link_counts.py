"""The kept numbers of links with each status."""

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection
from psycopg.rows import DictRow

from application.commands.new_link import NewLink
from domain.link import LinkStatus
from projections.engine import runner, tables
from projections.rebuild.jobs import VERIFY
from projections.views import link_overview
from projections.views.link_counts import COUNTS
from tests.projections.rebuild.rebuilds import rebuilt
from tests.support.desk import ALWAYS_OPEN, Desk
from tests.support.examples import IN_90_DAYS, NOW, OTHER_OWNER, OWNER
from tests.support.projector import apply_all

HALF_HOUR = timedelta(minutes=30)
MIDNIGHT = NOW.replace(hour=0) + timedelta(days=2)
EXPIRIES = [
    MIDNIGHT - HALF_HOUR,
    MIDNIGHT,
    MIDNIGHT + HALF_HOUR,
    MIDNIGHT + timedelta(days=1),
    IN_90_DAYS,
]
MOMENTS = [NOW, *(expiry + shift for expiry in EXPIRIES for shift in (-HALF_HOUR, timedelta()))]
EVERYWHERE = (0, 2**62)


def counted(desk: Desk, owner_id: UUID, calendar_id: UUID | None, now: datetime) -> object:
    """Returns the numbers as they are kept, if they are those that the list has."""
    wish: dict[str, Any] = {"now": now, "calendar_id": calendar_id}
    database = desk.services.database
    kept = link_overview.counts_of(database, owner_id, **wish)
    assert kept == link_overview.counts_of(database, owner_id, positions=EVERYWHERE, **wish)
    return kept


@settings(
    deadline=None,
    max_examples=15,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_kept_numbers_are_those_of_the_list_whatever_happens_in_whatever_batches(
    desk: Desk, conn: Connection[DictRow], monkeypatch: pytest.MonkeyPatch, data: st.DataObject
) -> None:
    calendars = [desk.new_calendar(**ALWAYS_OPEN) for _ in range(2)]
    half_hours = count(desk.services.event_store.head() * 4)
    links: list[UUID] = []

    def something_happens() -> None:
        does = data.draw(st.sampled_from(["issue", "change", "redeem", "revoke"]))
        if does == "issue" or not links:
            expiry = data.draw(st.sampled_from(EXPIRIES))
            calendar_id = data.draw(st.sampled_from(calendars))
            some = [NewLink(expires_at=expiry)] * data.draw(st.integers(1, 3))
            links.extend(link.id for link in desk.issue(calendar_id, *some).value)
            return
        link_id = data.draw(st.sampled_from(links))
        if does == "change":
            desk.change_link(link_id, expires_at=data.draw(st.sampled_from(EXPIRIES)))
            return
        links.remove(link_id)
        if does == "redeem":
            desk.redeem(link_id, NOW + HALF_HOUR + next(half_hours) * HALF_HOUR)
        else:
            desk.revoke(link_id)

    with monkeypatch.context() as ways:
        ways.setattr(runner, "MOST_AT_ONCE", data.draw(st.sampled_from([0, 400])))
        ways.setattr(tables, "MOST_AS_JSON", data.draw(st.sampled_from([0, 400])))
        for _ in range(data.draw(st.integers(1, 4))):
            for _ in range(data.draw(st.integers(1, 5))):
                something_happens()
            apply_all(conn)
    for now in MOMENTS:
        for calendar_id in (None, *calendars):
            counted(desk, OWNER, calendar_id, now)


def test_links_are_counted_by_owner_and_status(desk: Desk, conn: Connection[DictRow]) -> None:
    calendar_id = desk.new_calendar()
    soon, used, withdrawn, _ = desk.new_links(calendar_id, 4)
    desk.change_link(soon, expires_at=MIDNIGHT)
    desk.redeem(used)
    desk.revoke(withdrawn)
    desk.new_link(owner_id=OTHER_OWNER)
    apply_all(conn)
    one_each = {LinkStatus.REDEEMED: 1, LinkStatus.REVOKED: 1}
    assert counted(desk, OWNER, None, NOW) == one_each | {
        LinkStatus.ACTIVE: 2,
        LinkStatus.EXPIRED: 0,
    }
    assert counted(desk, OWNER, calendar_id, MIDNIGHT) == one_each | {
        LinkStatus.ACTIVE: 1,
        LinkStatus.EXPIRED: 1,
    }
    nothing = dict.fromkeys(LinkStatus, 0)
    assert counted(desk, OTHER_OWNER, None, NOW) == nothing | {LinkStatus.ACTIVE: 1}
    assert counted(desk, OTHER_OWNER, calendar_id, NOW) == nothing


def test_a_rebuild_counts_anew_and_a_verification_finds_wrong_numbers(
    desk: Desk, conn: Connection[DictRow], conninfo: str, catch_up: Callable[[], None]
) -> None:
    calendar_id = desk.new_calendar()
    moved, used = desk.new_links(calendar_id, 2)
    catch_up()
    desk.change_link(moved, expires_at=MIDNIGHT)
    desk.redeem(used)
    catch_up()
    (verified,) = rebuilt(conninfo, "link_list", kind=VERIFY)
    assert verified.differing == 0
    conn.execute("UPDATE link_list_v4_counts SET unused = unused + 1")
    (verified,) = rebuilt(conninfo, "link_list", kind=VERIFY)
    assert verified.differing == 2
    assert verified.differences is not None
    assert {each["table"] for each in verified.differences} == {COUNTS.name}
    (mended,) = rebuilt(conninfo, "link_list")
    assert mended.differing == 2
    counted(desk, OWNER, None, NOW)
    desk.new_link(calendar_id)
    catch_up()
    assert counted(desk, OWNER, calendar_id, NOW) == {
        LinkStatus.ACTIVE: 2,
        LinkStatus.REDEEMED: 1,
        LinkStatus.EXPIRED: 0,
        LinkStatus.REVOKED: 0,
    }
