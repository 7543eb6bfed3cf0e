"""What a link offers: the slots of its calendar that lie within its limits, and no others."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.availability import offered_by_span, offered_slots
from domain.booking_rules import BookingRules
from domain.calendar import Calendar, CalendarTerms
from domain.errors import CalendarArchived, Invalid
from domain.issuing import check_offer, issue
from domain.offer import EVERYTHING, Offer
from domain.redemption import RedemptionRequest, offered_reservation
from domain.slot import Slot
from tests.domain.replay import collected
from tests.domain.schedules import ALL_DAY, at, reserved, rules
from tests.support.examples import (
    ACTOR,
    IN_90_DAYS,
    LINK,
    NOW,
    OWNER,
    RULES,
    TERMS,
    TOMORROW_AT_NINE,
    TOMORROW_AT_TEN,
)

TOMORROW = date(2026, 11, 24)
A_DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)


def slots(calendar: BookingRules, offer: Offer, days: int = 7) -> list[Slot]:
    return offered_slots(calendar, now=NOW, since=NOW, until=NOW + days * A_DAY, offer=offer)


ZONES = ("UTC", "Europe/Berlin", "Australia/Lord_Howe", "Africa/Casablanca", "Pacific/Kiritimati")
DAYS = st.none() | st.dates(date(2027, 3, 24), date(2027, 4, 8))
STARTS = st.integers(0, 40 * 96).map(lambda n: at("2027-03-20") + 15 * n * MINUTE)
OFFERS = st.builds(
    Offer,
    first_day=DAYS,
    last_day=DAYS,
    slots=st.none() | st.lists(STARTS, min_size=1, max_size=50).map(tuple),
    duration_minutes=st.none() | st.sampled_from((1, 45, 60, 90, 1440)),
)
CALENDARS = st.builds(
    rules,
    st.sampled_from((*ALL_DAY, ("01:00", "03:30"), ("22:00", "24:00"))),
    zone=st.sampled_from(ZONES),
    start_increment_minutes=st.sampled_from((15, 30, 60)),
    booking_window_days=st.integers(1, 30),
)
# Clocks change in some of the zones on 28 March and 4 April 2027.
PRESENT = at("2027-03-22T08:10")
BOUNDS = [at("2027-03-20"), at("2027-03-28T12:00"), at("2027-04-20")]


def lies_within(offer: Offer, slot: Slot, zone: str) -> bool:
    """Says by definition whether a slot lies within the limits of an offer."""
    day = slot.start.astimezone(ZoneInfo(zone)).date()
    return (
        (offer.first_day or date.min) <= day <= (offer.last_day or date.max)
        and (offer.slots is None or slot.start in offer.slots)
        and slot.end - slot.start == (offer.duration_minutes or 60) * MINUTE
    )


@settings(deadline=None, max_examples=150)
@given(CALENDARS, OFFERS)
def test_a_link_offers_the_slots_of_its_calendar_within_its_limits(
    calendar: BookingRules, offer: Offer
) -> None:
    busy = [reserved("2027-03-28T00:00", "2027-03-28T00:30", after=15)]
    span: dict[str, Any] = {"now": PRESENT, "since": BOUNDS[0], "until": BOUNDS[-1], "busy": busy}
    offered = offered_slots(calendar, **span, offer=offer)
    without_limits = offered_slots(offer.rules(calendar), **span)
    assert offered == [
        slot for slot in without_limits if lies_within(offer, slot, calendar.time_zone)
    ]
    assert offered_slots(calendar, **span, offer=offer, most=2) == offered[:2]
    spans = offered_by_span(calendar, now=PRESENT, bounds=BOUNDS, busy=busy, offer=offer)
    assert [slot for each in spans for slot in each.first()] == offered


@settings(deadline=None, max_examples=100)
@given(CALENDARS, OFFERS, STARTS)
def test_a_link_gives_exactly_what_it_offers(
    calendar: BookingRules, offer: Offer, start: datetime
) -> None:
    booked = Calendar.create(
        owner_id=OWNER, terms=CalendarTerms("Intro call", calendar), actor=ACTOR, now=NOW
    )
    request = RedemptionRequest(
        start=start, personal_data="c", idempotency_key=None, actor="invitee", now=PRESENT
    )
    reservation = offered_reservation(booked, offer, request)
    offered = offered_slots(calendar, now=PRESENT, since=start, until=start + MINUTE, offer=offer)
    assert ([] if reservation is None else [reservation.slot]) == offered


@pytest.mark.parametrize(
    ("offer", "days"),
    [
        (EVERYTHING, [23, 24, 25, 26]),
        (Offer(first_day=date(2026, 11, 25)), [25, 26]),
        (Offer(last_day=TOMORROW), [23, 24]),
        (Offer(first_day=TOMORROW, last_day=TOMORROW), [24]),
        (Offer(first_day=date(2027, 11, 25)), []),
        (Offer(last_day=date(2025, 11, 25)), []),
    ],
)
def test_the_first_and_the_last_day_are_included(offer: Offer, days: list[int]) -> None:
    assert sorted({slot.start.day for slot in slots(RULES, offer, days=4)}) == days


def test_days_are_those_of_the_calendars_zone() -> None:
    tokyo = rules(*ALL_DAY, zone="Asia/Tokyo")
    offered = slots(tokyo, Offer(first_day=TOMORROW, last_day=TOMORROW))
    assert (offered[0].start, offered[-1].end) == (at("2026-11-23T15:00"), at("2026-11-24T15:00"))


def test_a_slot_that_begins_on_the_last_day_may_end_on_the_next() -> None:
    offered = slots(rules(*ALL_DAY), Offer(last_day=TOMORROW, duration_minutes=120))
    assert offered[-1] == Slot(at("2026-11-24T23:00"), at("2026-11-25T01:00"))


def test_the_duration_of_the_link_replaces_that_of_the_calendar_and_the_grid_stays() -> None:
    offered = slots(RULES, Offer(first_day=TOMORROW, last_day=TOMORROW, duration_minutes=450))
    assert offered == [
        Slot(start, start + 450 * MINUTE)
        for start in (TOMORROW_AT_NINE, TOMORROW_AT_NINE + 30 * MINUTE)
    ]


# What can be offered


def faults(offer: Offer, calendar: BookingRules = RULES, now: datetime = NOW) -> set[str]:
    """Returns the fields at fault."""
    try:
        check_offer(offer, calendar, now=now)
    except Invalid as refusal:
        return set(refusal.errors)
    return set()


@pytest.mark.parametrize(
    "offer",
    [
        EVERYTHING,
        Offer(first_day=NOW.date(), last_day=NOW.date()),
        Offer(first_day=date(2020, 1, 1)),
        Offer(last_day=date(2199, 12, 31)),
        Offer(duration_minutes=1),
        Offer(duration_minutes=1440),
        Offer(slots=(TOMORROW_AT_TEN, TOMORROW_AT_NINE)),
        Offer(slots=(TOMORROW_AT_NINE,) * 50),
        Offer(TOMORROW, TOMORROW, (TOMORROW_AT_NINE,), 480),
    ],
)
def test_a_part_of_a_calendar_that_can_be_booked_is_offered(offer: Offer) -> None:
    assert faults(offer) == set()


@pytest.mark.parametrize(
    ("offer", "wrong"),
    [
        (Offer(first_day=TOMORROW + A_DAY, last_day=TOMORROW), {"to"}),
        (Offer(last_day=NOW.date() - A_DAY), {"to"}),
        (Offer(duration_minutes=0), {"duration_minutes"}),
        (Offer(duration_minutes=1441), {"duration_minutes"}),
        (Offer(slots=()), {"slots"}),
        (Offer(slots=(TOMORROW_AT_NINE,) * 51), {"slots"}),
        (Offer(slots=(TOMORROW_AT_NINE, TOMORROW_AT_NINE + MINUTE)), {"slots.1"}),
        (Offer(slots=(TOMORROW_AT_NINE + timedelta(seconds=1),)), {"slots.0"}),
        (Offer(slots=(NOW + timedelta(hours=1),)), {"slots.0"}),  # within the notice
        (Offer(slots=(TOMORROW_AT_NINE + 61 * A_DAY,)), {"slots.0"}),  # beyond the window
        (Offer(slots=(datetime.max.replace(tzinfo=UTC),)), {"slots.0"}),
        (Offer(slots=(TOMORROW_AT_NINE,), first_day=TOMORROW + A_DAY), {"slots.0"}),
        (Offer(slots=(TOMORROW_AT_NINE, TOMORROW_AT_TEN), duration_minutes=480), {"slots.1"}),
        (Offer(slots=(NOW,), duration_minutes=0), {"duration_minutes"}),
        (Offer(TOMORROW + A_DAY, TOMORROW, (), 0), {"to", "slots", "duration_minutes"}),
    ],
)
def test_anything_else_is_refused_field_by_field(offer: Offer, wrong: set[str]) -> None:
    assert faults(offer) == {f"offer.{field}" for field in wrong}


def test_the_last_day_is_past_by_the_clock_of_the_calendars_zone() -> None:
    offer, now = Offer(last_day=date(2026, 11, 23)), at("2026-11-23T23:30")
    assert faults(offer, rules(*ALL_DAY), now) == set()
    assert faults(offer, rules(*ALL_DAY, zone="Europe/Berlin"), now) == {"offer.to"}


# Issuing


def a_calendar() -> Calendar:
    return Calendar.create(owner_id=OWNER, terms=TERMS, actor=ACTOR, now=NOW)


def an_archived_calendar() -> Calendar:
    calendar = a_calendar()
    calendar.archive(actor=ACTOR, now=NOW)
    return calendar


def issued(calendar: Calendar, offer: Offer) -> Any:
    return issue(
        calendar,
        link_id=LINK,
        expires_at=IN_90_DAYS,
        offer=offer,
        personal_data="c",
        actor=ACTOR,
        now=NOW,
    )


@pytest.mark.parametrize(
    ("offer", "recorded"),
    [(EVERYTHING, None), (Offer(duration_minutes=45), Offer(duration_minutes=45))],
)
def test_the_event_says_what_the_link_offers_if_that_is_not_everything(
    offer: Offer, recorded: Offer | None
) -> None:
    calendar = a_calendar()
    link = issued(calendar, offer)
    (event,) = collected(link)
    assert event.offer == link.offer == recorded
    assert (link.owner_id, link.calendar_id, link.personal_data) == (OWNER, calendar.id, "c")


@pytest.mark.parametrize(
    ("calendar", "offer", "refusal"),
    [
        (an_archived_calendar, EVERYTHING, CalendarArchived),
        (a_calendar, Offer(duration_minutes=0), Invalid),
    ],
)
def test_a_link_that_could_not_be_used_as_meant_is_not_issued(
    calendar: Callable[[], Calendar], offer: Offer, refusal: type[Exception]
) -> None:
    with pytest.raises(refusal):
        issued(calendar(), offer)
