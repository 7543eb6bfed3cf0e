"""The proof of single use: what an auditor wants to be true of the log, read from it alone.

One pass in the order of the log. What is remembered on the way is a few hundred bytes for each
link that was used and each time that is taken; events are not kept.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
from psycopg import Connection
from psycopg.rows import DictRow

from application.audit.interval_index import IntervalIndex
from application.eventstore.event_log import RecordedEvent, read
from application.eventstore.mapper import JSONMapper, UnknownTopic
from application.people import refused_attempts
from domain.agenda import AgendaDay
from domain.booking import Booking
from domain.errors import Sentence
from domain.link import SingleUseLink

MOST_SHOWN = 20
BATCH = 5000

_REDEEMED, _BOOKED = 1, 2


def report(
    conn: Connection[DictRow],
    *,
    since: datetime | None,
    until: datetime | None,
    now: datetime,
    checkpoint: str | None = None,
) -> dict[str, Any]:
    """What was counted in [since, until), and what holds for the whole log, as JSON-able data.

    Times are UTC; None: without that end. What has not come by `now` has not expired yet.
    Replaced links are not counted as revoked. A statement that does not hold names the
    positions of the first events at fault. `checkpoint` is handed on as it is.
    """
    pass_over = _Pass(since, until, now)
    mapper = JSONMapper()
    head = 0
    for recorded in _whole_log(conn):
        head = recorded.position
        pass_over.see(_event(recorded, mapper), head)
    statements = pass_over.statements()
    return {
        "made_at": _text(now),
        "period": {"from": _text(since), "to": _text(until)},
        "head": {"position": head, "size": pass_over.readable.checked},
        "checkpoint": checkpoint,
        "counts": {
            **pass_over.counts(),
            "refused_attempts": refused_attempts.by_reason(conn, since=since, until=until),
        },
        "statements": statements,
        "holds": all(statement["holds"] for statement in statements),
    }


class _Statement:
    """What is said of every event of some kind, and where it is not so."""

    def __init__(self, text: Sentence) -> None:
        self._text = text
        self._faults: list[int] = []
        self.checked = 0

    def check(self, position: int, holds: bool) -> None:
        self.checked += 1
        if not holds and len(self._faults) < MOST_SHOWN:
            self._faults.append(position)

    def told(self, found_later: Iterable[int] = ()) -> dict[str, Any]:
        faults = sorted([*self._faults, *found_later])[:MOST_SHOWN]
        return {
            "statement": self._text,
            "holds": not faults,
            "checked": self.checked,
            "violations": faults,
        }


class _Pass:
    """What is known of the log up to the event that was seen last."""

    def __init__(self, since: datetime | None, until: datetime | None, now: datetime) -> None:
        self._since, self._until, self._now = since, until, now
        self._count: Counter[str] = Counter()
        self._waiting: dict[bytes, datetime] = {}  # links that expire in the period
        self._used: dict[bytes, int] = {}  # by link: whether it is redeemed, and booked
        self._halves: dict[bytes, int] = {}  # by link: where one has come without the other
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

    def see(self, event: Any, position: int) -> None:
        """The next event; None: it could not be read."""
        self.readable.check(position, event is not None)
        match event:
            case SingleUseLink.Issued():
                self._issued(event)
            case SingleUseLink.Redeemed():
                self._redeemed(event, position)
            case SingleUseLink.Revoked():
                self._revoked(event)
            case Booking.Made():
                self._made(event, position)
            case Booking.Rescheduled():
                self._rescheduled(event, position)
            case Booking.Cancelled():
                self._counted("cancelled", event)
                self._bookings.release(event.originator_id.bytes)
            case AgendaDay.SlotReserved():
                day = event.originator_id.bytes
                who = day + event.booking_id.bytes
                is_free = self._reservations.take(day, who, event.slot_start, event.slot_end)
                self._reserved_apart.check(position, is_free)
            case AgendaDay.SlotReleased():
                self._reservations.release(event.originator_id.bytes + event.booking_id.bytes)

    def counts(self) -> dict[str, dict[str, int]]:
        links = ("issued", "redeemed", "revoked", "replaced")
        bookings = ("made", "rescheduled", "cancelled")
        return {
            "links": {name: self._count[name] for name in links} | {"expired": len(self._waiting)},
            "bookings": {name: self._count[name] for name in bookings},
        }

    def statements(self) -> list[dict[str, Any]]:
        return [
            self._redeemed_once.told(),
            self._booked_once.told(),
            self._paired.told(self._halves.values()),
            self._apart.told(),
            self._reserved_apart.told(),
            self.readable.told(),
        ]

    def _issued(self, event: SingleUseLink.Issued) -> None:
        self._counted("issued", event)
        if self._is_in_period(event.expires_at) and event.expires_at <= self._now:
            self._waiting[event.originator_id.bytes] = event.expires_at

    def _redeemed(self, event: SingleUseLink.Redeemed, position: int) -> None:
        link_id = event.originator_id
        self._counted("redeemed", event)
        self._ended(event)
        is_its_own = event.booking_id == Booking.id_for(link_id)
        self._redeemed_once.check(
            position, self._is_first(link_id.bytes, _REDEEMED, is_its_own, position)
        )

    def _revoked(self, event: SingleUseLink.Revoked) -> None:
        self._counted("revoked" if event.replaced_by is None else "replaced", event)
        self._ended(event)

    def _made(self, event: Booking.Made, position: int) -> None:
        self._counted("made", event)
        is_its_own = event.originator_id == Booking.id_for(event.link_id)
        self._booked_once.check(
            position, self._is_first(event.link_id.bytes, _BOOKED, is_its_own, position)
        )
        who, owner = event.originator_id.bytes, event.owner_id.bytes
        is_free = self._bookings.take(owner, who, event.slot_start, event.slot_end)
        self._apart.check(position, is_free)

    def _rescheduled(self, event: Booking.Rescheduled, position: int) -> None:
        self._counted("rescheduled", event)
        is_free = self._bookings.move(event.originator_id.bytes, event.slot_start, event.slot_end)
        self._apart.check(position, is_free)

    def _is_first(self, link: bytes, half: int, is_its_own: bool, position: int) -> bool:
        """Whether the link had not come to this yet. A link's booking is known by its id."""
        known = self._used.get(link, 0)
        self._used[link] = known | half
        self._paired.check(position, is_its_own)
        if is_its_own and not known & half and self._halves.pop(link, None) is None:
            self._halves[link] = position
        return not known & half

    def _ended(self, event: Any) -> None:
        """An expired link may be revoked: that comes too late to keep it from expiring."""
        link = event.originator_id.bytes
        if link in self._waiting and event.timestamp < self._waiting[link]:
            del self._waiting[link]

    def _counted(self, name: str, event: Any) -> None:
        self._count[name] += self._is_in_period(event.timestamp)

    def _is_in_period(self, moment: datetime) -> bool:
        return (self._since is None or self._since <= moment) and (
            self._until is None or moment < self._until
        )


def _whole_log(conn: Connection[DictRow]) -> Iterator[RecordedEvent]:
    """Every event up to the newest one that there is now."""
    row = conn.execute("SELECT max(notification_id) AS head FROM stored_events").fetchone()
    head: int | None = row["head"] if row else None
    after = 0
    while batch := read(conn, after, BATCH, until=head):
        yield from batch
        after = batch[-1].position


def _event(recorded: RecordedEvent, mapper: JSONMapper) -> Any:
    """The event; None for what this service would not have written."""
    try:
        event = mapper.event_of(recorded)
    except (UnknownTopic, msgspec.DecodeError):
        return None
    moments = (value for value in vars(event).values() if isinstance(value, datetime))
    return event if all(moment.tzinfo is not None for moment in moments) else None


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
