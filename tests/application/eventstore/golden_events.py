"""One event of each type, equal to those in the golden files."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from domain.agenda import AgendaDay
from domain.booking import Booking
from domain.booking_rules import Availability
from domain.calendar import Calendar
from domain.link import SingleUseLink
from domain.offer import Offer
from domain.schedule import Schedule, ScheduleTerms
from tests.support.examples import (
    ACTOR,
    CALENDAR,
    IN_90_DAYS,
    LINK,
    NOW,
    OWNER,
    RULES,
    TERMS,
    TOMORROW,
    TOMORROW_AT_TEN,
)

BOOKING = UUID("b0000000-0000-4000-8000-000000000006")
SCHEDULE = UUID("5c4ed01e-0000-4000-8000-000000000010")
OTHER_LINK = UUID("22220000-0000-4000-8000-000000000007")
AGENDA = UUID("a6e00000-0000-4000-8000-000000000008")
COMMITMENT = "c0" * 32
MOMENT = NOW + timedelta(microseconds=12_345)
TERMS_IN_FULL = replace(
    TERMS,
    name='Café ☕ "intro"',
    rules=replace(
        RULES,
        time_zone="Europe/Berlin",
        availability=Availability(
            weekly={"monday": (("09:00", "12:00"), ("13:00", "24:00"))},
            overrides={"2026-12-24": (), "2026-12-27": (("10:00", "11:00"),)},
        ),
        buffer_before_minutes=5,
        buffer_after_minutes=10,
    ),
    schedule_id=SCHEDULE,
)
SCHEDULE_TERMS = ScheduleTerms(
    name='Café ☕ "hours"',
    time_zone="Europe/Berlin",
    availability=TERMS_IN_FULL.rules.availability,
)


def _first(kind: type[Any], originator_id: UUID, **fields: Any) -> Any:
    topic = kind.TOPIC.partition(".")[0]
    return _later(kind, originator_id, 1, originator_topic=topic, **fields)


def _later(kind: type[Any], originator_id: UUID, version: int, **fields: Any) -> Any:
    return kind(originator_id=originator_id, originator_version=version, timestamp=MOMENT, **fields)


EVENTS: dict[str, Any] = {
    "calendar.created": _first(
        Calendar.Created, CALENDAR, owner_id=OWNER, terms=TERMS_IN_FULL, actor=ACTOR
    ),
    "calendar.changed": _later(Calendar.Changed, CALENDAR, 2, terms=TERMS, actor=ACTOR),
    "calendar.archived": _later(Calendar.Archived, CALENDAR, 3, actor=ACTOR),
    "schedule.created": _first(
        Schedule.Created, SCHEDULE, owner_id=OWNER, terms=SCHEDULE_TERMS, actor=ACTOR
    ),
    "schedule.changed": _later(Schedule.Changed, SCHEDULE, 2, terms=SCHEDULE_TERMS, actor=ACTOR),
    "schedule.calendar_joined": _later(
        Schedule.CalendarJoined, SCHEDULE, 2, calendar_id=CALENDAR, actor=ACTOR
    ),
    "schedule.calendar_left": _later(
        Schedule.CalendarLeft, SCHEDULE, 3, calendar_id=CALENDAR, actor=ACTOR
    ),
    "schedule.archived": _later(Schedule.Archived, SCHEDULE, 4, actor=ACTOR),
    "link.issued": _first(
        SingleUseLink.Issued,
        LINK,
        owner_id=OWNER,
        calendar_id=CALENDAR,
        expires_at=IN_90_DAYS,
        offer=Offer(
            first_day=date(2026, 11, 24),
            last_day=date(2026, 12, 4),
            slots=(TOMORROW_AT_TEN, TOMORROW.start),
            duration_minutes=45,
        ),
        personal_data=COMMITMENT,
        idempotency_key="5a" * 32,
        actor=ACTOR,
    ),
    "link.changed": _later(
        SingleUseLink.Changed,
        LINK,
        2,
        expires_at=IN_90_DAYS,
        personal_data=COMMITMENT,
        actor=ACTOR,
    ),
    "link.redeemed": _later(
        SingleUseLink.Redeemed,
        LINK,
        2,
        booking_id=BOOKING,
        slot_start=TOMORROW.start,
        slot_end=TOMORROW.end,
        idempotency_key=None,
        actor="invitee",
    ),
    "link.revoked": _later(
        SingleUseLink.Revoked, LINK, 2, personal_data=None, replaced_by=OTHER_LINK, actor=ACTOR
    ),
    "agenda.opened": _first(
        AgendaDay.Opened, AGENDA, owner_id=OWNER, day=date(2026, 11, 24), actor="invitee"
    ),
    "agenda.slot_reserved": _later(
        AgendaDay.SlotReserved,
        AGENDA,
        2,
        booking_id=BOOKING,
        slot_start=TOMORROW.start,
        slot_end=TOMORROW.end,
        buffer_before_minutes=5,
        buffer_after_minutes=0,
        actor="invitee",
    ),
    "agenda.slot_released": _later(
        AgendaDay.SlotReleased, AGENDA, 3, booking_id=BOOKING, actor="invitee"
    ),
    "booking.made": _first(
        Booking.Made,
        BOOKING,
        link_id=LINK,
        owner_id=OWNER,
        calendar_id=CALENDAR,
        calendar_version=3,
        slot_start=TOMORROW.start,
        slot_end=TOMORROW.end,
        personal_data=COMMITMENT,
        actor="invitee",
    ),
    "booking.rescheduled": _later(
        Booking.Rescheduled,
        BOOKING,
        2,
        slot_start=TOMORROW_AT_TEN,
        slot_end=TOMORROW_AT_TEN + timedelta(minutes=30),
        actor="invitee",
    ),
    "booking.changed": _later(Booking.Changed, BOOKING, 2, personal_data=COMMITMENT, actor=ACTOR),
    "booking.reschedule_requested": _later(
        Booking.RescheduleRequested, BOOKING, 2, personal_data=None, actor=ACTOR
    ),
    "booking.cancelled": _later(
        Booking.Cancelled, BOOKING, 3, personal_data=COMMITMENT, actor=ACTOR
    ),
    "booking.invitee_forgotten": _later(Booking.InviteeForgotten, BOOKING, 4, actor=ACTOR),
}

_WITHOUT_SCHEDULE = {"terms": replace(TERMS_IN_FULL, schedule_id=None)}
MISSING_IN_OLD_FORMS: dict[str, dict[str, Any]] = {
    "calendar.created.v1.json": _WITHOUT_SCHEDULE,
    "calendar.created.v2.json": _WITHOUT_SCHEDULE,
    "link.issued.v1.json": {"offer": None, "idempotency_key": None},
    "link.issued.v2.json": {"idempotency_key": None},
}
"""By golden file: the fields that an old form does not have, and how they are read."""


def event_of(golden_file: str) -> Any:
    """Returns the event in a golden file."""
    event = EVENTS[golden_file.rpartition(".v")[0]]
    return type(event)(**vars(event) | MISSING_IN_OLD_FORMS.get(golden_file, {}))
