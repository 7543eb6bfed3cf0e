"""Whatever is booked, moved and cancelled: reserved time is that of the confirmed bookings."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any
from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from domain.agenda import AgendaDay, days_around
from domain.booking import INVITEE, Booking, BookingStatus
from domain.booking_changes import cancel, offered_move, reschedule, rules_of_move
from domain.calendar import Calendar
from domain.errors import AdmitOneError
from domain.link import SingleUseLink
from domain.redemption import RedemptionRequest, offered_reservation, redeem
from domain.slot import Reservation
from tests.domain.replay import copy_of
from tests.support.desk import ALL_DAY, minutes, terms
from tests.support.examples import ACTOR, IN_90_DAYS, NOW, OWNER, TOMORROW_AT_NINE


class ReservedTime(RuleBasedStateMachine):
    """One calendar whose buffers change, with bookings around midnight.

    Every step loads what it decides from and saves all of it or, when it is refused, nothing.
    """

    bookings = Bundle("bookings")
    starts = st.integers(0, 95).map(lambda n: TOMORROW_AT_NINE + n * minutes(30))
    actors = st.sampled_from([INVITEE, ACTOR])
    buffers = st.sampled_from([0, 30, 720])

    def __init__(self) -> None:
        super().__init__()
        self.events: dict[UUID, list[Any]] = {}
        self.reserved_by: dict[UUID, Reservation] = {}
        self.calendar = Calendar.create(
            owner_id=OWNER, terms=terms(availability=ALL_DAY), actor=ACTOR, now=NOW
        )

    def load(self, aggregate_id: UUID) -> Any:
        return copy_of(self.events[aggregate_id])

    def agenda(self, days: Iterable[date]) -> dict[date, AgendaDay]:
        ids = {day: AgendaDay.id_for(OWNER, day) for day in days}
        return {day: self.load(id_) for day, id_ in ids.items() if id_ in self.events}

    def save(self, *aggregates: Any) -> None:
        for aggregate in aggregates:
            self.events.setdefault(aggregate.id, []).extend(aggregate.collect_events())

    @rule(before=buffers, after=buffers)
    def change_buffers(self, before: int, after: int) -> None:
        self.calendar.change(
            terms(availability=ALL_DAY, buffer_before_minutes=before, buffer_after_minutes=after),
            version=self.calendar.version,
            actor=ACTOR,
            now=NOW,
        )

    @rule(target=bookings, start=starts)
    def book(self, start: datetime) -> UUID | None:
        link = SingleUseLink.issue(
            owner_id=OWNER,
            calendar_id=self.calendar.id,
            expires_at=IN_90_DAYS,
            personal_data=None,
            actor=ACTOR,
            now=NOW,
        )
        request = RedemptionRequest(start, "a-commitment", None, INVITEE, NOW)
        reservation = offered_reservation(self.calendar, None, request)
        assert reservation is not None
        days = reservation.widened.days()
        known = self.agenda(days)
        agenda = [
            known.get(day) or AgendaDay.open(OWNER, day, actor=INVITEE, now=NOW) for day in days
        ]
        try:
            booking = redeem(
                request,
                link=link,
                calendar=self.calendar,
                reservation=reservation,
                agenda=agenda,
                is_busy_elsewhere=False,
            )
        except AdmitOneError:
            return None
        self.save(booking, *agenda)
        self.reserved_by[booking.id] = reservation
        return booking.id

    @rule(booking_id=bookings, start=starts, actor=actors)
    def move(self, booking_id: UUID | None, start: datetime, actor: str) -> None:
        if booking_id is None:
            return
        booking: Booking = self.load(booking_id)
        rules = rules_of_move(booking, self.calendar.terms.rules, actor=actor)
        reservation = offered_move(rules, start, now=NOW)
        assert reservation is not None
        agenda = self.agenda({*days_around(booking.slot), *reservation.widened.days()})
        try:
            changed = reschedule(
                booking,
                start,
                agreed=self.calendar.terms,
                reservation=reservation,
                agenda=agenda,
                is_busy_elsewhere=False,
                actor=actor,
                now=NOW,
            )
        except AdmitOneError:
            return
        if booking.pending_events:
            self.reserved_by[booking_id] = reservation
        self.save(booking, *changed)

    @rule(booking_id=bookings, actor=actors)
    def cancel(self, booking_id: UUID | None, actor: str) -> None:
        if booking_id is None:
            return
        booking: Booking = self.load(booking_id)
        changed = cancel(
            booking,
            agreed=self.calendar.terms,
            agenda=self.agenda(days_around(booking.slot)),
            personal_data=None,
            actor=actor,
            now=NOW,
        )
        self.save(booking, *changed)
        self.reserved_by.pop(booking_id, None)

    @invariant()
    def reserved_time_is_that_of_the_confirmed_bookings(self) -> None:
        expected: dict[date, dict[UUID, Reservation]] = {}
        found: dict[date, dict[UUID, Reservation]] = {}
        for aggregate in (self.load(aggregate_id) for aggregate_id in self.events):
            if isinstance(aggregate, AgendaDay):
                found[aggregate.day] = aggregate.reservations
            elif aggregate.status is BookingStatus.CONFIRMED:
                reservation = self.reserved_by[aggregate.id]
                assert aggregate.slot == reservation.slot
                for day in reservation.widened.days():
                    expected.setdefault(day, {})[aggregate.id] = reservation
            else:
                assert aggregate.id not in self.reserved_by
        assert {day: reserved for day, reserved in found.items() if reserved} == expected
        reservations = list(self.reserved_by.values())
        for place, one in enumerate(reservations):
            assert not any(one.clashes_with(other) for other in reservations[place + 1 :])


ReservedTime.TestCase.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)
test_reserved_time_is_always_that_of_the_confirmed_bookings = ReservedTime.TestCase
