"""The decisions to move and to cancel a booking, as functions of everything they depend on.

An invitee is bound by what they agreed to when they booked: until when they may cancel or move,
and how often. Times to move to follow the newest rules of the calendar, within the offer of the
link. The owner may always cancel and move, at any notice. Both are bound by the agenda.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime

from domain.agenda import AgendaDay
from domain.availability import is_offered, offered_slots
from domain.booking import INVITEE, Booking, BookingStatus
from domain.booking_rules import LIMITS, BookingRules
from domain.calendar import CalendarTerms
from domain.errors import (
    AdmitOneError,
    BookingCancelled,
    ChangeRefused,
    NoOtherTimes,
    RescheduleLimitReached,
    Sentence,
    SlotNotOffered,
    SlotTaken,
    TooLate,
)
from domain.offer import EVERYTHING, Offer
from domain.slot import MINUTE, Reservation

_SLOT_TAKEN = Sentence("That time was just taken. The booking has not moved: pick another time.")

_END_OF_TIME = datetime.max.replace(tzinfo=UTC)

Agenda = Mapping[date, AgendaDay]
"""The days of an owner's agenda, as far as they exist, by UTC day."""


def cancel_until(booking: Booking, agreed: CalendarTerms) -> datetime:
    """Returns the moment from which on the invitee can't cancel any more."""
    return booking.slot.start - agreed.cancel_notice_minutes * MINUTE


def reschedule_until(booking: Booking, agreed: CalendarTerms) -> datetime | None:
    """Returns the moment from which on the invitee can't move the booking any more.

    Returns None, for no such moment, while the owner asks for another time.
    """
    if booking.is_asked_to_reschedule:
        return None
    return booking.slot.start - agreed.reschedule_notice_minutes * MINUTE


def moves_left(booking: Booking, agreed: CalendarTerms) -> int:
    """Returns how many more times the invitee may move the booking of their own accord."""
    return max(0, agreed.reschedule_limit - booking.moves_by_invitee)


def must_be_cancellable(booking: Booking, agreed: CalendarTerms, *, now: datetime) -> None:
    """Checks that the invitee may cancel. Raises `BookingCancelled` or `TooLate`."""
    booking.must_be_confirmed()
    until = cancel_until(booking, agreed)
    if now >= until:
        raise TooLate(until, contact=agreed.contact)


def must_be_movable(booking: Booking, agreed: CalendarTerms, *, now: datetime) -> None:
    """Checks that the invitee may move the booking.

    Raises `BookingCancelled`, `TooLate` or `RescheduleLimitReached`.
    """
    booking.must_be_confirmed()
    until = reschedule_until(booking, agreed)
    if until is None:
        return
    if now >= until:
        raise TooLate(until, contact=agreed.contact)
    if not moves_left(booking, agreed):
        raise RescheduleLimitReached(contact=agreed.contact)


def must_have_other_times(
    booking: Booking, agreed: CalendarTerms, rules: BookingRules, *, offer: Offer, now: datetime
) -> None:
    """Checks that the booking's link offers a time to move it to, whether free or not.

    Times beyond the booking window count, because the window moves on. A link that offers all of
    its calendar rules out nothing. `rules` come from `rules_of_move`. Raises `NoOtherTimes`.
    """
    if offer == EVERYTHING:
        return
    rules = replace(rules, booking_window_days=LIMITS["booking_window_days"][1])
    offered = offered_slots(rules, now=now, since=now, until=_END_OF_TIME, most=2, offer=offer)
    if all(slot == booking.slot for slot in offered):
        raise NoOtherTimes(contact=agreed.contact)


def reason_against(check: Callable[[], None]) -> AdmitOneError | None:
    """Returns the refusal with which this check forbids a change to the invitee, or None."""
    try:
        check()
    except (ChangeRefused, BookingCancelled) as refusal:
        return refusal
    return None


def rules_of_move(booking: Booking, newest: BookingRules, *, actor: str) -> BookingRules:
    """Returns the rules by which this actor can move the booking: its duration stays as it is.

    `newest` are the rules that its calendar has now. The owner needs no minimum notice.
    """
    rules = replace(newest, duration_minutes=booking.slot.minutes)
    return rules if actor == INVITEE else replace(rules, minimum_notice_minutes=0)


def is_bound_by_offer(booking: Booking, *, actor: str) -> bool:
    """Returns True if this actor can move the booking only within the offer of its link.

    That is the invitee, except while the owner asks for another time.
    """
    return actor == INVITEE and not booking.is_asked_to_reschedule


def offered_move(
    rules: BookingRules, start: datetime, *, now: datetime, offer: Offer = EVERYTHING
) -> Reservation | None:
    """Returns the slot at `start` with its buffers, or None if it is not offered."""
    try:
        slot = rules.slot_at(start)
    except SlotNotOffered:
        return None
    return rules.reservation(slot) if is_offered(rules, slot, now=now, offer=offer) else None


def reschedule(
    booking: Booking,
    start: datetime,
    *,
    agreed: CalendarTerms,
    reservation: Reservation | None,
    agenda: Agenda,
    is_busy_elsewhere: bool,
    actor: str,
    now: datetime,
) -> list[AgendaDay]:
    """Moves the booking to `start` (UTC) and its reserved time with it.

    `reservation` comes from `offered_move`. `agenda` holds the days that it touches, and those of
    `days_around` the slot that the booking has. `is_busy_elsewhere` says that another calendar
    of the owner's has something at that time. Returns the days that were changed, to be saved
    together with the booking. Does nothing if the booking begins at `start` already.

    Raises `BookingCancelled`; for an invitee `TooLate` or `RescheduleLimitReached`; then
    `SlotNotOffered` or `SlotTaken`.
    """
    booking.must_be_confirmed()
    if start == booking.slot.start:
        return []
    if actor == INVITEE:
        must_be_movable(booking, agreed, now=now)
    if reservation is None:
        raise SlotNotOffered
    if is_busy_elsewhere:
        raise SlotTaken(_SLOT_TAKEN)
    changed: list[AgendaDay] = []
    dates = reservation.widened.days()
    for date_ in dates:
        day = agenda.get(date_) or AgendaDay.open(booking.owner_id, date_, actor=actor, now=now)
        try:
            day.reserve(booking.id, reservation, actor=actor, now=now)
        except SlotTaken:
            raise SlotTaken(_SLOT_TAKEN) from None
        changed.append(day)
    booking.reschedule(reservation.slot, actor=actor, now=now)
    others = {date_: day for date_, day in agenda.items() if date_ not in dates}
    return changed + _release(booking, others, actor=actor, now=now)


def cancel(
    booking: Booking,
    *,
    agreed: CalendarTerms,
    agenda: Agenda,
    personal_data: str | None,
    actor: str,
    now: datetime,
) -> list[AgendaDay]:
    """Cancels the booking and releases its time. `personal_data` commits to the reason.

    `agenda` holds the days of `days_around` the booking's slot. Returns the days that were
    changed, to be saved together with the booking. Does nothing the second time.

    Raises `TooLate` for an invitee.
    """
    if booking.status is BookingStatus.CANCELLED:
        return []
    if actor == INVITEE:
        must_be_cancellable(booking, agreed, now=now)
    booking.cancel(personal_data=personal_data, actor=actor, now=now)
    return _release(booking, agenda, actor=actor, now=now)


def _release(booking: Booking, agenda: Agenda, *, actor: str, now: datetime) -> list[AgendaDay]:
    """Releases the booking's time on these days, and returns those on which it had any."""
    days = [day for day in agenda.values() if booking.id in day.reservations]
    for day in days:
        day.release(booking.id, actor=actor, now=now)
    return days
