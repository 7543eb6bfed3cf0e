"""The event store finds aggregates by id, kind, owner and version."""

import pytest

from application.eventstore.event_sourced_application import EventSourcedApplication
from domain.booking import Booking
from domain.calendar import Calendar
from domain.errors import BookingNotFound, CalendarNotFound, LinkNotFound, NotFound
from domain.link import SingleUseLink
from tests.support.desk import Desk
from tests.support.examples import LINK, OTHER_OWNER, OWNER


def test_the_head_is_0_for_an_empty_log_and_else_the_newest_position(desk: Desk) -> None:
    assert desk.services.event_store.head() == 0
    desk.new_calendar()
    assert desk.services.event_store.head() == desk.log()[-1]["position"]


@pytest.mark.parametrize(
    ("kind", "refusal"),
    [
        (Calendar, CalendarNotFound),
        (SingleUseLink, LinkNotFound),
        (Booking, BookingNotFound),
    ],
)
def test_an_id_of_nothing_or_of_another_kind_is_not_found(
    desk: Desk, kind: type[Calendar], refusal: type[NotFound]
) -> None:
    bookings = desk.services.event_store
    desk.redeem(desk.new_link())
    others = [line["id"] for line in desk.log() if not line["topic"].startswith(kind.TOPIC)]
    for aggregate_id in [*others, LINK]:
        assert bookings.find(kind, aggregate_id) is None
        with pytest.raises(refusal):
            bookings.get(kind, aggregate_id)
        with pytest.raises(refusal):
            bookings.get_own(kind, aggregate_id, OWNER)


def test_an_aggregate_of_another_owner_is_not_found(desk: Desk) -> None:
    bookings = desk.services.event_store
    calendar_id = desk.new_calendar()
    assert bookings.get_own(Calendar, calendar_id, OWNER) == bookings.get(Calendar, calendar_id)
    with pytest.raises(CalendarNotFound):
        bookings.get_own(Calendar, calendar_id, OTHER_OWNER)


def test_an_aggregate_can_be_read_at_an_earlier_version(desk: Desk) -> None:
    bookings = desk.services.event_store
    calendar_id = desk.new_calendar()
    first = bookings.get(Calendar, calendar_id)
    desk.change(calendar_id, duration_minutes=60)
    assert bookings.get(Calendar, calendar_id, version=1) == first
    assert bookings.get(Calendar, calendar_id).version == 2


def test_aggregates_are_never_cached_whatever_the_environment_says(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AGGREGATE_CACHE_MAXSIZE", "BOOKINGS_AGGREGATE_CACHE_MAXSIZE"):
        monkeypatch.setenv(name, "100")
    for name in ("AGGREGATE_CACHE_FASTFORWARD", "IS_SNAPSHOTTING_ENABLED", "PERSISTENCE_MODULE"):
        monkeypatch.setenv(name, "no")
    other = EventSourcedApplication(desk.services.database)
    calendar_id = desk.new_calendar()
    assert other.get(Calendar, calendar_id).version == 1
    desk.change(calendar_id, duration_minutes=60)
    assert other.get(Calendar, calendar_id).version == 2
