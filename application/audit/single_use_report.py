"""The proof of single use: checks the statements that an auditor relies on, from the log alone.

Reads the log once, in order. Memory holds a few hundred bytes for each link and each reserved
time; events are not kept.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from functools import lru_cache, partial
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from psycopg import Connection
from psycopg.rows import DictRow

from application.audit.interval_index import IntervalIndex
from application.eventstore import event_log
from application.eventstore.event_log import RecordedEvent
from application.eventstore.mapper import MAPPER, UnknownTopic
from application.people import refused_attempts
from domain.agenda import AgendaDay
from domain.availability import is_offered
from domain.booking import Booking
from domain.booking_rules import LONGEST_BUFFER
from domain.calendar import Calendar, CalendarTerms
from domain.errors import AdmitOneError, Sentence
from domain.link import SingleUseLink
from domain.offer import EVERYTHING, Offer
from domain.slot import Slot

MOST_SHOWN = 20
BATCH = 5000
TERMS_CACHED = 500  # versions of calendars

_REDEEMED, _BOOKED = 1, 2  # bits


class LogTooLong(AdmitOneError):
    """The log is too long to be checked here: use `admitone audit report single-use`."""


def report(
    conn: Connection[DictRow],
    *,
    since: datetime | None,
    until: datetime | None,
    now: datetime,
    checkpoint: str | None = None,
) -> dict[str, Any]:
    """Returns the counts of [since, until) and the statements on the whole log, as JSON-able data.

    Times are UTC; None leaves that end open. Links that expire after `now` have not expired
    yet. Replaced links are not counted as revoked. A statement that does not hold names the
    positions of the first events at fault. `checkpoint` is passed through unchanged.
    """
    checks = _Checks(since, until, now, partial(_terms_at, conn))
    head = 0
    for recorded in _whole_log(conn):
        head = recorded.position
        checks.add(_event(recorded), head)
    statements = [*checks.statements(), _versions(conn, head)]
    return {
        "made_at": msgspec.to_builtins(now),
        "period": msgspec.to_builtins({"from": since, "to": until}),
        "head": {"position": head, "size": checks.readable.checked},
        "checkpoint": checkpoint,
        "counts": {
            **checks.counts(),
            "refused_attempts": refused_attempts.by_reason(conn, since=since, until=until),
        },
        "statements": statements,
        "holds": all(statement["holds"] for statement in statements),
    }


class _Statement:
    """A statement on all events of some kind, and the events that contradict it."""

    def __init__(self, text: Sentence) -> None:
        self._text = text
        self._faults: list[int] = []
        self.checked = 0

    def check(self, position: int, holds: bool) -> None:
        self.checked += 1
        if not holds:
            self.violate(position)

    def violate(self, position: int) -> None:
        """Notes an event at fault that was counted before, or that is not one of those counted."""
        if len(self._faults) < MOST_SHOWN:
            self._faults.append(position)

    def result(self, more_faults: Iterable[int] = ()) -> dict[str, Any]:
        faults = sorted([*self._faults, *more_faults])[:MOST_SHOWN]
        return {
            "statement": self._text,
            "holds": not faults,
            "checked": self.checked,
            "violations": faults,
        }


class _Link(NamedTuple):
    """The facts about a link that decide whether it may be redeemed."""

    calendar_id: UUID
    expires_at: datetime
    offer: Offer | None
    is_revoked: bool = False


class _Awaited(NamedTuple):
    """A booking whose reservations have not all been seen yet.

    `days` are the agenda days that still lack one; None before the first reservation, which says
    how much time around the slot is kept free.
    """

    position: int
    owner_id: UUID
    slot: Slot
    days: set[bytes] | None = None


TermsAt = Callable[[UUID, int], CalendarTerms | None]


class _Checks:
    """The counts and checks of the log up to the event that was added last."""

    def __init__(
        self, since: datetime | None, until: datetime | None, now: datetime, terms_at: TermsAt
    ) -> None:
        self._since, self._until, self._now = since, until, now
        self._terms_at = lru_cache(TERMS_CACHED)(terms_at)
        self._links: dict[bytes, _Link] = {}
        self._archived: set[UUID] = set()
        self._owners: dict[bytes, UUID] = {}  # by booking
        self._awaited: dict[bytes, _Awaited] = {}  # by booking
        self._same: dict[UUID, UUID] = {}  # one object for each owner and calendar
        self._count: Counter[str] = Counter()
        self._expiring: dict[bytes, datetime] = {}  # by link that may expire in the period: when
        self._used: dict[bytes, int] = {}  # by link: the bits of what has happened
        self._unpaired: dict[bytes, int] = {}  # by link: the position of one without the other
        self._bookings, self._reservations = IntervalIndex(), IntervalIndex()
        self.readable = _Statement(Sentence("Every event can be read."))
        self._redeemed_once = _Statement(Sentence("No link was redeemed more than once."))
        self._booked_once = _Statement(Sentence("No link has more than one booking."))
        self._paired = _Statement(
            Sentence("Every redemption has its booking, and every booking its redeemed link.")
        )
        self._apart = _Statement(
            Sentence("No two confirmed bookings of one owner ever overlapped.")
        )
        self._reserved_apart = _Statement(
            Sentence("No two reservations in one agenda ever clashed, buffers included.")
        )
        self._issued_before = _Statement(Sentence("Every redeemed link was issued."))
        self._active = _Statement(
            Sentence("No link was redeemed after it was revoked or had expired.")
        )
        self._not_archived = _Statement(Sentence("No link was issued on an archived calendar."))
        self._reserved = _Statement(
            Sentence("Every booking has its time reserved in the agenda of its owner.")
        )
        self._offered = _Statement(
            Sentence("Every booking was offered by its link and by its version of the calendar.")
        )

    def add(self, event: Any, position: int) -> None:
        """Counts and checks the next event; None stands for one that can't be read."""
        self.readable.check(position, event is not None)
        match event:
            case Calendar.Archived():
                self._archived.add(event.originator_id)
            case SingleUseLink.Issued():
                self._issued(event, position)
            case SingleUseLink.Changed():
                self._changed(event)
            case SingleUseLink.Redeemed():
                self._redeemed(event, position)
            case SingleUseLink.Revoked():
                self._revoked(event)
            case Booking.Made():
                self._made(event, position)
            case Booking.Rescheduled():
                self._rescheduled(event, position)
            case Booking.Cancelled():
                self._count_in_period("cancelled", event)
                self._bookings.release(event.originator_id.bytes)
                self._owners.pop(event.originator_id.bytes, None)
            case AgendaDay.SlotReserved():
                self._slot_reserved(event, position)
            case AgendaDay.SlotReleased():
                self._reservations.release(event.originator_id.bytes + event.booking_id.bytes)

    def counts(self) -> dict[str, dict[str, int]]:
        links = ("issued", "redeemed", "revoked", "replaced")
        bookings = ("made", "rescheduled", "cancelled")
        return {
            "links": {name: self._count[name] for name in links} | {"expired": len(self._expiring)},
            "bookings": {name: self._count[name] for name in bookings},
        }

    def statements(self) -> list[dict[str, Any]]:
        return [
            self._redeemed_once.result(),
            self._booked_once.result(),
            self._paired.result(self._unpaired.values()),
            self._apart.result(),
            self._reserved_apart.result(),
            self._issued_before.result(),
            self._active.result(),
            self._not_archived.result(),
            self._reserved.result(awaited.position for awaited in self._awaited.values()),
            self._offered.result(),
            self.readable.result(),
        ]

    def _issued(self, event: SingleUseLink.Issued, position: int) -> None:
        self._count_in_period("issued", event)
        self._expires(event)
        calendar_id = self._same.setdefault(event.calendar_id, event.calendar_id)
        link = _Link(calendar_id, event.expires_at, event.offer)
        self._links[event.originator_id.bytes] = link
        self._not_archived.check(position, calendar_id not in self._archived)

    def _changed(self, event: SingleUseLink.Changed) -> None:
        self._expires(event)
        link = self._links.get(event.originator_id.bytes)
        if link is not None:
            changed = link._replace(expires_at=event.expires_at)
            self._links[event.originator_id.bytes] = changed

    def _expires(self, event: SingleUseLink.Issued | SingleUseLink.Changed) -> None:
        """Counts the link as expired in the period, until it ends before that or is changed."""
        self._expiring.pop(event.originator_id.bytes, None)
        if self._is_in_period(event.expires_at) and event.expires_at <= self._now:
            self._expiring[event.originator_id.bytes] = event.expires_at

    def _redeemed(self, event: SingleUseLink.Redeemed, position: int) -> None:
        link_id = event.originator_id
        self._count_in_period("redeemed", event)
        self._end(event)
        is_its_own = event.booking_id == Booking.id_for(link_id)
        self._redeemed_once.check(
            position, self._is_first(link_id.bytes, _REDEEMED, is_its_own, position)
        )
        link = self._links.get(link_id.bytes)
        self._issued_before.check(position, link is not None)
        if link is not None:
            is_active = not link.is_revoked and event.timestamp < link.expires_at
            self._active.check(position, is_active)

    def _revoked(self, event: SingleUseLink.Revoked) -> None:
        link = self._links.get(event.originator_id.bytes)
        if link is not None:
            self._links[event.originator_id.bytes] = link._replace(is_revoked=True)
        self._count_in_period("revoked" if event.replaced_by is None else "replaced", event)
        self._end(event)

    def _made(self, event: Booking.Made, position: int) -> None:
        self._count_in_period("made", event)
        is_its_own = event.originator_id == Booking.id_for(event.link_id)
        self._booked_once.check(
            position, self._is_first(event.link_id.bytes, _BOOKED, is_its_own, position)
        )
        booking, owner = event.originator_id.bytes, event.owner_id.bytes
        is_free = self._bookings.take(owner, booking, event.slot_start, event.slot_end)
        self._apart.check(position, is_free)
        owner_id = self._same.setdefault(event.owner_id, event.owner_id)
        self._owners[booking] = owner_id
        self._await_reservations(event, position, owner_id)
        link = self._links.get(event.link_id.bytes)
        if link is not None:
            self._offered.check(position, self._is_offered(event, link))

    def _is_offered(self, event: Booking.Made, link: _Link) -> bool:
        terms = self._terms_at(event.calendar_id, event.calendar_version)
        slot = _slot_of(event)
        if terms is None or slot is None or event.calendar_id != link.calendar_id:
            return False
        try:
            return is_offered(
                terms.rules, slot, now=event.timestamp, offer=link.offer or EVERYTHING
            )
        except (ValueError, LookupError, OverflowError):  # rules that nobody could have saved
            return False

    def _await_reservations(
        self, event: Booking.Made | Booking.Rescheduled, position: int, owner_id: UUID
    ) -> None:
        """Waits for the reservations of a booking, which are recorded right after it."""
        self._reserved.checked += 1
        booking = event.originator_id.bytes
        before = self._awaited.pop(booking, None)
        if before is not None:
            self._reserved.violate(before.position)
        slot = _slot_of(event)
        if slot is None:
            self._reserved.violate(position)
        else:
            self._awaited[booking] = _Awaited(position, owner_id, slot)

    def _slot_reserved(self, event: AgendaDay.SlotReserved, position: int) -> None:
        day, booking = event.originator_id.bytes, event.booking_id.bytes
        before, after = (
            min(max(0, minutes), LONGEST_BUFFER // timedelta(minutes=1))
            for minutes in (event.buffer_before_minutes, event.buffer_after_minutes)
        )
        is_free = self._reservations.take(
            day, day + booking, event.slot_start, event.slot_end, before, after
        )
        self._reserved_apart.check(position, is_free)
        awaited = self._awaited.get(booking)
        if awaited is None or awaited.slot != _slot_of(event):
            return
        days = awaited.days
        if days is None:
            widened = awaited.slot.widened(timedelta(minutes=before), timedelta(minutes=after))
            days = {AgendaDay.id_for(awaited.owner_id, each).bytes for each in widened.days()}
        days.discard(day)
        if days:
            self._awaited[booking] = awaited._replace(days=days)
        else:
            del self._awaited[booking]

    def _rescheduled(self, event: Booking.Rescheduled, position: int) -> None:
        self._count_in_period("rescheduled", event)
        booking = event.originator_id.bytes
        is_free = self._bookings.move(booking, event.slot_start, event.slot_end)
        self._apart.check(position, is_free)
        if booking in self._owners:
            self._await_reservations(event, position, self._owners[booking])

    def _is_first(self, link: bytes, half: int, is_its_own: bool, position: int) -> bool:
        """Returns True if this is the link's first redemption, or its first booking.

        Only the booking whose id follows from the link's is its own and pairs with it.
        """
        before = self._used.get(link, 0)
        self._used[link] = before | half
        self._paired.check(position, is_its_own)
        if is_its_own and not before & half and self._unpaired.pop(link, None) is None:
            self._unpaired[link] = position
        return not before & half

    def _end(self, event: Any) -> None:
        """Keeps a link that has ended from counting as expired, if it ended before that."""
        link = event.originator_id.bytes
        if link in self._expiring and event.timestamp < self._expiring[link]:
            del self._expiring[link]

    def _count_in_period(self, name: str, event: Any) -> None:
        self._count[name] += self._is_in_period(event.timestamp)

    def _is_in_period(self, moment: datetime) -> bool:
        return (self._since is None or self._since <= moment) and (
            self._until is None or moment < self._until
        )


def _whole_log(conn: Connection[DictRow]) -> Iterator[RecordedEvent]:
    """Yields every event up to the head that the log has now."""
    head, after = event_log.head(conn), 0
    while batch := event_log.read(conn, after, BATCH, until=head):
        yield from batch
        after = batch[-1].position


def _slot_of(event: Booking.Made | Booking.Rescheduled | AgendaDay.SlotReserved) -> Slot | None:
    """Returns the slot of an event; None for one that nobody could have booked."""
    try:
        slot = Slot(event.slot_start, event.slot_end)
        slot.widened(LONGEST_BUFFER, LONGEST_BUFFER)
    except (ValueError, OverflowError):
        return None
    return slot


def _terms_at(conn: Connection[DictRow], calendar_id: UUID, version: int) -> CalendarTerms | None:
    """Returns the terms that a calendar had in a version; None if there are none to read."""
    topics = (Calendar.Created.TOPIC, Calendar.Changed.TOPIC)
    try:
        event = _event(event_log.read_newest(conn, calendar_id, version, topics))
    except ValueError:  # no such event
        return None
    return None if event is None else event.terms


def _versions(conn: Connection[DictRow], head: int) -> dict[str, Any]:
    """Checks that versions rise one by one, in the order of the log, and returns the result."""
    statement = _Statement(
        Sentence("The versions of every link, booking, calendar and agenda have no gaps.")
    )
    for row in conn.execute(
        """SELECT notification_id FROM (
            SELECT notification_id, originator_version,
                row_number() OVER one AS place, lag(notification_id, 1, 0) OVER one AS before
            FROM stored_events WHERE notification_id <= %s
            WINDOW one AS (PARTITION BY originator_id ORDER BY originator_version)
        ) AS events
        WHERE originator_version <> place OR notification_id < before
        ORDER BY notification_id LIMIT %s""",
        (head, MOST_SHOWN),
    ):
        statement.violate(row["notification_id"])
    count = conn.execute(
        "SELECT count(*) AS events FROM stored_events WHERE notification_id <= %s", (head,)
    ).fetchone()
    statement.checked = count["events"] if count else 0
    return statement.result()


def _event(recorded: RecordedEvent) -> Any:
    """Returns the decoded event; None for a row that this service would not have written."""
    try:
        event = MAPPER.event_of(recorded)
    except (UnknownTopic, msgspec.DecodeError):
        return None
    moments = (value for value in vars(event).values() if isinstance(value, datetime))
    return event if all(moment.tzinfo is not None for moment in moments) else None
