"""The proof of single use: checks the statements that an auditor relies on, from the log alone.

Reads the log once, in order. Memory holds a few hundred bytes for each link that was used and
each reserved time; events are not kept.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import msgspec
from psycopg import Connection
from psycopg.rows import DictRow

from application.audit.interval_index import IntervalIndex
from application.eventstore import event_log
from application.eventstore.event_log import RecordedEvent
from application.eventstore.mapper import MAPPER, UnknownTopic
from application.people import refused_attempts
from domain.agenda import AgendaDay
from domain.booking import Booking
from domain.errors import Sentence
from domain.link import SingleUseLink

MOST_SHOWN = 20
BATCH = 5000

_REDEEMED, _BOOKED = 1, 2  # bits


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
    checks = _Checks(since, until, now)
    head = 0
    for recorded in _whole_log(conn):
        head = recorded.position
        checks.add(_event(recorded), head)
    statements = checks.statements()
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
        if not holds and len(self._faults) < MOST_SHOWN:
            self._faults.append(position)

    def result(self, more_faults: Iterable[int] = ()) -> dict[str, Any]:
        faults = sorted([*self._faults, *more_faults])[:MOST_SHOWN]
        return {
            "statement": self._text,
            "holds": not faults,
            "checked": self.checked,
            "violations": faults,
        }


class _Checks:
    """The counts and checks of the log up to the event that was added last."""

    def __init__(self, since: datetime | None, until: datetime | None, now: datetime) -> None:
        self._since, self._until, self._now = since, until, now
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
            Sentence("At no moment did two confirmed bookings of one owner overlap.")
        )
        self._reserved_apart = _Statement(
            Sentence("At no moment did two reservations in one agenda overlap.")
        )

    def add(self, event: Any, position: int) -> None:
        """Counts and checks the next event; None stands for one that can't be read."""
        self.readable.check(position, event is not None)
        match event:
            case SingleUseLink.Issued():
                self._count_in_period("issued", event)
                self._expires(event)
            case SingleUseLink.Changed():
                self._expires(event)
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
            case AgendaDay.SlotReserved():
                day = event.originator_id.bytes
                holder = day + event.booking_id.bytes
                is_free = self._reservations.take(day, holder, event.slot_start, event.slot_end)
                self._reserved_apart.check(position, is_free)
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
            self.readable.result(),
        ]

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

    def _revoked(self, event: SingleUseLink.Revoked) -> None:
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

    def _rescheduled(self, event: Booking.Rescheduled, position: int) -> None:
        self._count_in_period("rescheduled", event)
        is_free = self._bookings.move(event.originator_id.bytes, event.slot_start, event.slot_end)
        self._apart.check(position, is_free)

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


def _event(recorded: RecordedEvent) -> Any:
    """Returns the decoded event; None for a row that this service would not have written."""
    try:
        event = MAPPER.event_of(recorded)
    except (UnknownTopic, msgspec.DecodeError):
        return None
    moments = (value for value in vars(event).values() if isinstance(value, datetime))
    return event if all(moment.tzinfo is not None for moment in moments) else None
