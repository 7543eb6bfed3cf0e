"""Every command of the service, as a method with keyword arguments.

A command decides from aggregates, never from a view, and saves what it decided in one
transaction. When somebody else was first, everything is loaded and decided anew, and the
domain then says why not.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from application import personal_data
from application.deadline import deadline
from application.log import Log, Written
from application.personal_data import Invitee
from application.recorder import PersonalDataRow, VersionConflict
from domain.agenda import AgendaDay
from domain.availability import is_offered
from domain.booking import Booking
from domain.calendar import Calendar, CalendarTerms
from domain.errors import IdempotencyMismatch, Invalid, LinkRedeemed, SlotNotOffered
from domain.link import SingleUseLink
from domain.slot import Reservation

LARGEST_BATCH = 500
DEFAULT_LINK_LIFE = timedelta(days=90)
INVITEE = "invitee"


@dataclass(frozen=True)
class NewLink:
    """The wish for a link. `expires_at` is UTC; None means 90 days from now.

    A wish with a `link_id` is granted once: made again, it gets the same link.
    """

    recipient: str | None = None
    note: str | None = None
    expires_at: datetime | None = None
    link_id: UUID | None = None


@dataclass(frozen=True)
class Redemption:
    """A booking as its invitee was told of it, the first time and every time after."""

    booking: Booking
    calendar: Calendar
    invitee: Invitee
    is_repeat: bool = field(default=False, compare=False)


class Bookings(Log):
    """The write side."""

    # Calendars

    def create_calendar(
        self, *, owner_id: UUID, terms: CalendarTerms, actor: str, now: datetime
    ) -> Written[Calendar]:
        """A new calendar. Raises `Invalid`."""
        calendar = Calendar.create(owner_id=owner_id, terms=terms, actor=actor, now=now)
        with deadline():
            return self.write(calendar, calendar)

    def change_calendar(
        self,
        *,
        calendar_id: UUID,
        owner_id: UUID,
        change: Callable[[CalendarTerms], CalendarTerms],
        version: int | None,
        actor: str,
        now: datetime,
    ) -> Written[Calendar]:
        """Decide the terms anew, by `change`, from those of `version`; None is any version.

        Raises `StaleVersion`, `CalendarArchived`, `Invalid` or `CalendarNotFound`.
        """

        def decide() -> Written[Calendar]:
            calendar = self.get_own(Calendar, calendar_id, owner_id)
            known = calendar.version if version is None else version
            calendar.change(change(calendar.terms), version=known, actor=actor, now=now)
            return self.write(calendar, calendar)

        return self.decided(decide)

    def archive_calendar(
        self, *, calendar_id: UUID, owner_id: UUID, actor: str, now: datetime
    ) -> Written[Calendar]:
        """Take no new links. Raises `CalendarNotFound`."""

        def decide() -> Written[Calendar]:
            calendar = self.get_own(Calendar, calendar_id, owner_id)
            calendar.archive(actor=actor, now=now)
            return self.write(calendar, calendar)

        return self.decided(decide)

    # Links

    def issue_links(
        self,
        *,
        calendar_id: UUID,
        owner_id: UUID,
        links: Sequence[NewLink],
        actor: str,
        now: datetime,
    ) -> Written[list[SingleUseLink]]:
        """One to 500 links, all or none. Raises `CalendarArchived`, `CalendarNotFound`, `Invalid`.

        A refusal of one link of several names it as `links.<place>.<field>`.
        """
        if not 1 <= len(links) <= LARGEST_BATCH:
            raise Invalid({"links": [f"Must be 1 to {LARGEST_BATCH}."]})
        with deadline():
            calendar = self.get_own(Calendar, calendar_id, owner_id)
            calendar.must_take_links()
            issued: list[SingleUseLink] = []
            rows: list[PersonalDataRow] = []
            errors: dict[str, Sequence[str]] = {}
            for place, wish in enumerate(links):
                try:
                    link, row = _issue(
                        calendar, wish, wish.link_id or uuid4(), actor=actor, now=now
                    )
                except Invalid as invalid:
                    for field, sentences in invalid.errors.items():
                        errors[f"links.{place}.{field}"] = sentences
                else:
                    issued.append(link)
                    rows += row
            if errors:
                raise Invalid(errors)
            try:
                return self.write(issued, *issued, personal_data=rows)
            except VersionConflict:
                return Written(
                    [self.get_own(SingleUseLink, link.id, owner_id) for link in issued],
                    self.head(),
                )

    def revoke_link(
        self,
        *,
        link_id: UUID,
        owner_id: UUID,
        reason: str | None,
        actor: str,
        now: datetime,
    ) -> Written[SingleUseLink]:
        """End a link before it is used. Raises `LinkRedeemed` or `LinkNotFound`."""

        def decide() -> Written[SingleUseLink]:
            link = self.get_own(SingleUseLink, link_id, owner_id)
            rows, commitment = personal_data.row_for(link_id, link.version + 1, {"reason": reason})
            link.revoke(personal_data=commitment, actor=actor, now=now)
            return self.write(link, link, personal_data=rows)

        return self.decided(decide)

    def replace_link(
        self, *, link_id: UUID, owner_id: UUID, actor: str, now: datetime
    ) -> Written[SingleUseLink]:
        """Revoke a link and issue one like it, with as long a life, in one transaction.

        Raises `LinkRedeemed`, `LinkRevoked`, `CalendarArchived` or `LinkNotFound`.
        """
        new_id = uuid4()

        def decide() -> Written[SingleUseLink]:
            old = self.get_own(SingleUseLink, link_id, owner_id)
            calendar = self.get(Calendar, old.calendar_id)
            calendar.must_take_links()
            old.revoke(personal_data=None, replaced_by=new_id, actor=actor, now=now)
            typed = personal_data.find(self.database, link_id)
            wish = NewLink(
                recipient=typed and typed.data.get("recipient"),
                note=typed and typed.data.get("note"),
                expires_at=now + (old.expires_at - old.created_on),
            )
            new, rows = _issue(calendar, wish, new_id, actor=actor, now=now)
            return self.write(new, old, new, personal_data=rows)

        return self.decided(decide)

    def redeem_link(
        self,
        *,
        link_id: UUID,
        start: datetime,
        invitee: Invitee,
        notes: str | None,
        idempotency_key: str | None,
        now: datetime,
    ) -> Written[Redemption]:
        """Turn a link into a booking of the slot that begins at `start` (UTC).

        Link, booking and agenda days are saved together, or nothing is. The same
        `idempotency_key` with the same slot and invitee gets the first answer again.

        Raises `LinkNotFound`, `LinkEnded`, `SlotTaken`, `SlotNotOffered`,
        `IdempotencyMismatch`, or `Unavailable` when nothing could be decided in time.
        """
        typed = personal_data.booking_data(invitee, notes)
        key_hash = idempotency_key and hashlib.sha256(idempotency_key.encode()).hexdigest()
        booking_id = Booking.id_for(link_id)
        rows, commitment = personal_data.row_for(booking_id, 1, typed)
        if commitment is None:
            raise Invalid({"invitee": ["Must not be empty."]})

        def decide() -> Written[Redemption]:
            calendar_id = self.get(SingleUseLink, link_id, version=1).calendar_id
            calendar = self.get(Calendar, calendar_id)
            slot = calendar.terms.rules.slot_at(start)
            reservation = calendar.terms.rules.reservation(slot)
            offered = is_offered(calendar.terms.rules, slot, now=now)
            days = self._agenda(calendar.owner_id, reservation, now=now) if offered else []
            # Last, so that whoever lost the link hears of that and not of the slot.
            link = self.get(SingleUseLink, link_id)
            if key_hash is not None and link.idempotency_key == key_hash:
                return self._repeated(booking_id, start, invitee, typed)
            link.must_be_active(now)
            if not offered:
                raise SlotNotOffered
            for day in days:
                day.reserve(booking_id, reservation, actor=INVITEE, now=now)
            link.redeem(booking_id, slot, idempotency_key=key_hash, actor=INVITEE, now=now)
            booking = Booking.make(
                link_id=link_id,
                owner_id=calendar.owner_id,
                calendar_id=calendar.id,
                calendar_version=calendar.version,
                slot=slot,
                personal_data=commitment,
                actor=INVITEE,
                now=now,
            )
            return self.write(
                Redemption(booking, calendar, invitee), link, booking, *days, personal_data=rows
            )

        return self.decided(decide)

    # What the commands share

    def _repeated(
        self,
        booking_id: UUID,
        start: datetime,
        invitee: Invitee,
        typed: dict[str, str | None],
    ) -> Written[Redemption]:
        """The first answer again, for the same slot and the same person.

        Once the invitee is forgotten nobody can be told from them: the link is used.
        """
        made = self.get(Booking, booking_id, version=1)
        row = personal_data.find(self.database, booking_id)
        if row is None:
            raise LinkRedeemed
        if made.slot.start != start or not personal_data.is_what_was_given(
            row, made.personal_data, typed
        ):
            raise IdempotencyMismatch
        calendar = self.get(Calendar, made.calendar_id, version=made.calendar_version)
        return Written(Redemption(made, calendar, invitee, is_repeat=True), self.head())

    def _agenda(
        self, owner_id: UUID, reservation: Reservation, *, now: datetime
    ) -> list[AgendaDay]:
        """The agenda of every day that a reservation touches, opened where it is new."""
        return [
            self.find(AgendaDay, AgendaDay.id_for(owner_id, day))
            or AgendaDay.open(owner_id, day, actor=INVITEE, now=now)
            for day in reservation.widened.days()
        ]


def _issue(
    calendar: Calendar, wish: NewLink, link_id: UUID, *, actor: str, now: datetime
) -> tuple[SingleUseLink, list[PersonalDataRow]]:
    rows, commitment = personal_data.row_for(
        link_id, 1, {"recipient": wish.recipient, "note": wish.note}
    )
    link = SingleUseLink.issue(
        link_id=link_id,
        owner_id=calendar.owner_id,
        calendar_id=calendar.id,
        expires_at=wish.expires_at or now + DEFAULT_LINK_LIFE,
        personal_data=commitment,
        actor=actor,
        now=now,
    )
    return link, rows
