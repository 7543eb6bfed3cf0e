"""Reads the aggregates, accounts and typed texts that many deliveries need, all at once."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

from application.eventstore.event_sourced_application import EventSourcedApplication
from application.eventstore.loading import Loaded, Wanted
from application.eventstore.recorder import PersonalDataRow
from application.people import personal_data
from application.people.accounts import Account, AccountNotFound, Accounts
from domain.booking import Booking
from domain.calendar import Calendar, CalendarTerms
from domain.link import SingleUseLink

MOST_REMEMBERED = 10_000
"""Of so many versions of calendars, a process remembers the terms."""

CalendarVersion = tuple[UUID, int]


@dataclass(frozen=True)
class Facts:
    """The aggregates, accounts and texts that were read; asking for others raises `KeyError`."""

    loaded: Loaded
    terms: Mapping[CalendarVersion, CalendarTerms]
    rows: Mapping[UUID, Mapping[int, PersonalDataRow]]
    accounts: Mapping[UUID, Account]

    def booking(self, booking_id: UUID, version: int | None = None) -> Booking:
        """Returns a booking as it was at a version, or is. Raises `BookingNotFound`."""
        return self.loaded.get(Booking, booking_id, version)

    def link(self, link_id: UUID, version: int | None = None) -> SingleUseLink:
        """Returns a link as it was at a version, or is. Raises `LinkNotFound`."""
        return self.loaded.get(SingleUseLink, link_id, version)

    def agreed_terms(self, booking: Booking) -> CalendarTerms:
        """Returns the terms under which the booking was made."""
        return self.terms[booking.calendar_id, booking.calendar_version]

    def rows_of(self, originator_id: UUID) -> Mapping[int, PersonalDataRow]:
        """Returns the rows of all events of a booking or a link, by version."""
        return self.rows.get(originator_id, {})

    def texts_of(self, originator_id: UUID) -> dict[int, dict[str, str]]:
        """Returns what was typed for the events of a booking or a link, by version."""
        return {version: row.data for version, row in self.rows_of(originator_id).items()}

    def account(self, account_id: UUID) -> Account:
        """Returns an account. Raises `AccountNotFound`."""
        if account_id not in self.accounts:
            raise AccountNotFound
        return self.accounts[account_id]


class FactReader:
    """Reads facts, and remembers agreed terms, which never change."""

    def __init__(self, event_store: EventSourcedApplication, accounts: Accounts) -> None:
        self._event_store = event_store
        self._accounts = accounts
        self._terms: dict[CalendarVersion, CalendarTerms] = {}

    def read(
        self, wanted: Collection[Wanted[Booking] | Wanted[SingleUseLink]], owners: Collection[UUID]
    ) -> Facts:
        """Reads these aggregates, with what was typed for them, and these accounts."""
        once = list(dict.fromkeys(wanted))
        loaded = self._event_store.load(*once) if once else Loaded({}, False)
        return Facts(
            loaded=loaded,
            terms=self._terms_of(loaded.all(Booking)),
            rows=personal_data.rows_by_originator(
                self._event_store.database, {each.id for each in once}
            ),
            accounts=self._accounts.with_ids(owners),
        )

    def _terms_of(self, bookings: Collection[Booking]) -> Mapping[CalendarVersion, CalendarTerms]:
        agreed = {(each.calendar_id, each.calendar_version) for each in bookings}
        if missing := agreed - self._terms.keys():
            if len(self._terms) > MOST_REMEMBERED:
                self._terms = {}
            calendars = self._event_store.load(*(Wanted(Calendar, *each) for each in missing))
            self._terms |= {each: calendars.get(Calendar, *each).terms for each in missing}
        return self._terms
