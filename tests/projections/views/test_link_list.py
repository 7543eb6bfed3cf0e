"""The list of links: its rows, statuses, search and pages."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from application.people.personal_data import Prefill
from domain.booking import Booking, BookingStatus
from domain.errors import LinkNotFound
from domain.link import LinkStatus
from domain.offer import Offer
from projections.views.link_list import LinkBooking, LinkOrder, LinkRow, link, link_of, links_of
from tests.support.desk import Desk, minutes
from tests.support.examples import (
    ADA,
    GRACE,
    IN_90_DAYS,
    NOW,
    OTHER_OWNER,
    OWNER,
    TOMORROW,
    TOMORROW_AT_NINE,
    TOMORROW_AT_TEN,
)

LATER = NOW + timedelta(hours=1)


@pytest.fixture
def shown(desk: Desk, catch_up: Callable[[], None]) -> Callable[[UUID], LinkRow]:
    """A link as the list shows it now."""

    def read(link_id: UUID) -> LinkRow:
        catch_up()
        return link(desk.services.database, link_id, now=NOW)

    return read


@pytest.fixture
def listed(desk: Desk, catch_up: Callable[[], None]) -> Callable[..., list[UUID]]:
    """The ids of an owner's links in the order that the list shows them."""

    def read(owner_id: UUID = OWNER, **wish: Any) -> list[UUID]:
        catch_up()
        wanted: dict[str, Any] = {"now": NOW, "limit": 50} | wish
        return [row.id for row in links_of(desk.services.database, owner_id, **wanted)]

    return read


# What becomes of a link


def test_an_issued_link_is_shown_as_active(desk: Desk, shown: Callable[[UUID], LinkRow]) -> None:
    calendar_id = desk.new_calendar()
    link_id = desk.new_link(calendar_id, recipient="Ada", note="VIP")
    assert shown(link_id) == LinkRow(
        id=link_id,
        owner_id=OWNER,
        calendar_id=calendar_id,
        position=desk.services.event_store.head(),
        version=1,
        status=LinkStatus.ACTIVE,
        recipient="Ada",
        note="VIP",
        reference=None,
        prefill=None,
        offer=None,
        issued_at=NOW,
        expires_at=IN_90_DAYS,
        redeemed_at=None,
        revoked_at=None,
        replaced_by=None,
        booking=None,
    )


def test_a_changed_link_is_shown_with_its_new_text_and_expiry(
    desk: Desk, shown: Callable[[UUID], LinkRow]
) -> None:
    prefill = Prefill("Ada Lovelace", "ada@example.org")
    offer = Offer(slots=(TOMORROW_AT_TEN, TOMORROW_AT_NINE), last_day=TOMORROW_AT_NINE.date())
    link_id = desk.new_link(recipient="Ada", note="VIP", prefill=prefill, offer=offer)
    desk.change_link(link_id, note=None, reference="r-1", expires_at=TOMORROW_AT_TEN)
    row = shown(link_id)
    assert (row.recipient, row.note, row.reference) == ("Ada", None, "r-1")
    assert (row.version, row.expires_at, row.issued_at) == (2, TOMORROW_AT_TEN, NOW)
    assert (row.prefill, row.offer) == (prefill, offer)
    desk.revoke(link_id)
    assert (shown(link_id).version, shown(link_id).reference) == (3, "r-1")


def test_a_redeemed_link_is_shown_with_its_booking(
    desk: Desk, shown: Callable[[UUID], LinkRow]
) -> None:
    link_id = desk.new_link(recipient="Ada's office")
    desk.redeem(link_id, now=LATER)
    row = shown(link_id)
    assert (row.status, row.redeemed_at, row.recipient) == (
        LinkStatus.REDEEMED,
        LATER,
        "Ada's office",
    )
    assert row.booking == LinkBooking(
        id=Booking.id_for(link_id),
        start=TOMORROW.start,
        end=TOMORROW.end,
        status=BookingStatus.CONFIRMED,
        invitee=ADA,
    )


def test_a_rescheduled_booking_is_shown_at_its_new_time(
    desk: Desk, shown: Callable[[UUID], LinkRow]
) -> None:
    link_id = desk.new_link()
    desk.reschedule(desk.book(link_id), TOMORROW_AT_TEN)
    booking = shown(link_id).booking
    assert booking is not None
    assert (booking.start, booking.end) == (TOMORROW_AT_TEN, TOMORROW_AT_TEN + minutes(30))


def test_a_cancelled_bookings_link_stays_used(desk: Desk, shown: Callable[[UUID], LinkRow]) -> None:
    link_id = desk.new_link()
    desk.cancel(desk.book(link_id))
    row = shown(link_id)
    assert row.booking is not None
    assert (row.status, row.booking.status) == (LinkStatus.REDEEMED, BookingStatus.CANCELLED)


def test_a_revoked_link_is_shown_as_revoked(desk: Desk, shown: Callable[[UUID], LinkRow]) -> None:
    link_id = desk.new_link(recipient="Ada")
    desk.revoke(link_id, reason="Wrong person", now=LATER)
    row = shown(link_id)
    assert (row.status, row.revoked_at, row.replaced_by) == (LinkStatus.REVOKED, LATER, None)
    assert row.recipient == "Ada"


def test_a_replaced_link_names_the_one_issued_instead(
    desk: Desk, shown: Callable[[UUID], LinkRow]
) -> None:
    link_id = desk.new_link(recipient="Ada")
    new = desk.replace(link_id).value
    assert (shown(link_id).status, shown(link_id).replaced_by) == (LinkStatus.REVOKED, new.id)
    assert (shown(new.id).status, shown(new.id).recipient) == (LinkStatus.ACTIVE, "Ada")


def test_a_link_is_shown_as_expired_from_its_expiry_on(
    desk: Desk, catch_up: Callable[[], None]
) -> None:
    unused, used, revoked = (desk.new_link() for _ in range(3))
    desk.redeem(used)
    desk.revoke(revoked)
    catch_up()
    database = desk.services.database
    for now in (NOW, IN_90_DAYS - timedelta.resolution, IN_90_DAYS):
        assert link(database, unused, now=now).status is desk.link(unused).status(now)
        assert link(database, used, now=now).status is LinkStatus.REDEEMED
        assert link(database, revoked, now=now).status is LinkStatus.REVOKED
    assert link(database, unused, now=IN_90_DAYS).status is LinkStatus.EXPIRED


def test_a_forgotten_person_is_no_longer_shown(
    desk: Desk, shown: Callable[[UUID], LinkRow]
) -> None:
    link_id = desk.new_link(recipient="Ada", note="VIP")
    desk.redeem(link_id)
    with desk.services.database.connection() as conn:
        conn.execute("DELETE FROM personal_data")
    row = shown(link_id)
    assert (row.recipient, row.note) == (None, None)
    assert row.booking is not None
    assert (row.booking.invitee, row.booking.start) == (None, TOMORROW.start)


# The list


def test_links_are_listed_newest_first_page_by_page(
    desk: Desk, listed: Callable[..., list[UUID]], shown: Callable[[UUID], LinkRow]
) -> None:
    calendar_id = desk.new_calendar()
    links = [desk.new_link(calendar_id) for _ in range(5)]
    assert listed() == links[::-1]
    assert listed(limit=2) == [links[4], links[3]]
    assert listed(limit=2, before=shown(links[3]).position) == [links[2], links[1]]
    assert listed(limit=2, before=shown(links[1]).position) == [links[0]]
    assert listed(limit=2, before=shown(links[0]).position) == []
    assert listed(limit=2, after=shown(links[1]).position) == [links[3], links[2]]


def test_links_can_be_listed_oldest_first_or_by_when_they_expire(
    desk: Desk, listed: Callable[..., list[UUID]], shown: Callable[[UUID], LinkRow]
) -> None:
    calendar_id = desk.new_calendar()
    one, two, three, four = (
        desk.new_link(calendar_id, expires_at=NOW + timedelta(days=days)) for days in (7, 3, 7, 5)
    )
    assert listed(order=LinkOrder.OLDEST) == [one, two, three, four]
    assert listed(order=LinkOrder.OLDEST, before=shown(two).position) == [three, four]
    expiring = LinkOrder.EXPIRING
    assert listed(order=expiring) == [two, four, one, three]
    assert listed(order=expiring, limit=2, before=shown(four).position) == [one, three]
    assert listed(order=expiring, limit=2, after=shown(three).position) == [four, one]


def test_links_can_be_picked_by_id_and_by_where_they_are_in_the_log(
    desk: Desk, listed: Callable[..., list[UUID]], shown: Callable[[UUID], LinkRow]
) -> None:
    calendar_id = desk.new_calendar()
    links = [desk.new_link(calendar_id) for _ in range(4)]
    assert listed(ids=[links[0], links[2], uuid4()]) == [links[2], links[0]]
    assert listed(ids=[]) == []
    first, last = shown(links[1]).position, shown(links[2]).position
    assert listed(positions=(first, last)) == [links[2], links[1]]


def test_links_are_listed_by_status(desk: Desk, listed: Callable[..., list[UUID]]) -> None:
    active, redeemed, revoked = (desk.new_link(recipient=f"Guest {n}") for n in range(3))
    expired = desk.new_link(expires_at=NOW + timedelta(days=1))
    desk.redeem(redeemed)
    desk.revoke(revoked, reason="Wrong person")
    in_a_day = NOW + timedelta(days=1)
    by_status = {status: listed(status=status, now=in_a_day) for status in LinkStatus}
    assert by_status == {
        LinkStatus.ACTIVE: [active],
        LinkStatus.REDEEMED: [redeemed],
        LinkStatus.REVOKED: [revoked],
        LinkStatus.EXPIRED: [expired],
    }


def test_links_are_listed_by_calendar_and_never_another_owners(
    desk: Desk, listed: Callable[..., list[UUID]]
) -> None:
    calendar_id = desk.new_calendar()
    here, elsewhere = desk.new_link(calendar_id), desk.new_link()
    theirs = desk.new_link(owner_id=OTHER_OWNER)
    assert listed(calendar_id=calendar_id) == [here]
    assert listed() == [elsewhere, here]
    assert listed(OTHER_OWNER) == [theirs]


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("hopper", ["booked"]),
        ("GRACE@EXAMPLE", ["booked"]),
        ("the office", ["office"]),
        ("50% off_now", ["offer"]),
        ("%", ["offer"]),
        ("_", ["offer"]),
        ("\\", ["path"]),
        ("CAFÉ", ["path"]),
        ("cafe", ["path"]),
        ("", ["path", "offer", "office", "booked"]),
        ("nobody", []),
        ("officebooked", []),
        ("case-17", ["office"]),
    ],
)
def test_links_are_found_by_what_was_typed_with_them(
    desk: Desk, listed: Callable[..., list[UUID]], q: str, found: list[str]
) -> None:
    calendar_id = desk.new_calendar()
    names = {
        desk.new_link(calendar_id, recipient="booked"): "booked",
        desk.new_link(calendar_id, recipient="The Office", reference="case-17"): "office",
        desk.new_link(calendar_id, note="50% off_now"): "offer",
        desk.new_link(calendar_id, note="C:\\café"): "path",
    }
    desk.redeem(next(iter(names)), TOMORROW_AT_NINE, GRACE)
    assert [names[link_id] for link_id in listed(q=q)] == found


def test_a_link_of_another_owner_does_not_exist(
    desk: Desk, shown: Callable[[UUID], LinkRow]
) -> None:
    link_id = desk.new_link()
    row = shown(link_id)
    database = desk.services.database
    assert link_of(database, OWNER, link_id, now=NOW) == row
    with pytest.raises(LinkNotFound):
        link_of(database, OTHER_OWNER, link_id, now=NOW)
    with pytest.raises(LinkNotFound):
        link(database, uuid4(), now=NOW)
