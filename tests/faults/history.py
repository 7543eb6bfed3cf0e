"""What clients were answered, compared with the log: is there an order that explains everything?

A history is *linearizable* if every operation can be given one moment between its call and its
answer at which it happened, all at once. The log says in which order the changes happened. So a
moment is a *cut* of the log, the events up to a position, and what remains to be found is a cut
for every answer: one at which it was true, and none earlier than that of an operation that had
been answered before the call.

The cuts at which an answer is true lie side by side, because nothing here is ever undone: a link
is issued, then ended; a time that is booked stays booked. So the earliest possible cut of each
operation, taken in the order of the calls, decides exactly.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from heapq import heappop, heappush
from itertools import pairwise
from math import inf
from typing import Any, NamedTuple

import msgspec
import psycopg

from domain.slot import Reservation, Slot

DONE = "done"
UNKNOWN = "unknown"
"""The outcome of an operation without an answer, or whose answer leaves open what happened."""


Request = tuple[str | None, ...]


class Operation(msgspec.Struct, frozen=True):
    """What a client asked for and was told. Times are those of the machine's monotonic clock.

    `kind` is issue, redeem, revoke or replace; `outcome` is `DONE`, the name of a refusal, or
    `UNKNOWN`, which may be done at any time after the call. `link` is the link it concerns, and
    `made` the link that it issued. `start` is the time that a redemption asks for. To issue and to
    replace take a `key`.
    """

    kind: str
    called: float
    answered: float
    outcome: str
    key: str | None = None
    link: str | None = None
    start: str | None = None
    made: str | None = None

    @property
    def may_have_happened(self) -> bool:
        """True unless it was refused."""
        return self.outcome in (DONE, UNKNOWN)

    @property
    def request(self) -> Request:
        """What tells this request from others. A repeat with its key is the same one."""
        if self.kind == "revoke":
            return "revoked", self.link
        if self.kind == "redeem":
            return "redeemed", self.link, self.start, _hash(self.key)
        named = self.key if self.kind == "issue" else f"replace {self.link} {self.key}"
        return "issued", _hash(named)


class Calendar(NamedTuple):
    """What is booked with a calendar's links: time in its owner's agenda. In minutes."""

    agenda: str
    duration: int
    buffer_before: int
    buffer_after: int

    def reservation(self, start: str) -> Reservation:
        """Returns the time that a booking at `start` takes."""
        begins_at = datetime.fromisoformat(start)
        minutes = [timedelta(minutes=count) for count in self[1:]]
        return Reservation(Slot(begins_at, begins_at + minutes[0]), minutes[1], minutes[2])


class Entry(NamedTuple):
    """An event of the log: a link was issued, redeemed or revoked. `key` is the hash in it."""

    position: int
    what: str
    link: str
    calendar: Calendar
    key: str | None = None
    start: str | None = None
    replaced_by: str | None = None


class Fault(NamedTuple):
    """Something that must not be: its kind, and a sentence with the details.

    The kinds are `lost`, `doubled`, `overlapped`, `refused wrongly`, `unasked` and `out of order`.
    """

    kind: str
    text: str


class _Item(NamedTuple):
    """Something that happened at a cut from `low` to `high`, between two moments.

    An event leads from a cut to the next: what comes before it is at `high`, what follows at `low`.
    """

    called: float
    answered: float
    low: float
    high: float
    fault: Fault


def check(operations: Sequence[Operation], log: Sequence[Entry]) -> list[Fault]:
    """Returns everything that is wrong with a history. `log` is in the order of positions."""
    return _Check(operations, log).faults


class _Check:
    def __init__(self, operations: Sequence[Operation], log: Sequence[Entry]) -> None:
        self.faults: list[Fault] = []
        self._issued: dict[str | None, Entry] = {}
        self._ended: dict[str | None, Entry] = {}
        self._booked = defaultdict[tuple[str, str], list[tuple[Reservation, int]]](list)
        self._read(log)
        self._find_overlaps()
        asked = defaultdict[Request, list[Operation]](list)
        for operation in operations:
            if operation.may_have_happened:
                asked[operation.request].append(operation)
        items = [item for entry in log for item in self._change(entry, asked[self._cause(entry)])]
        items += [item for operation in operations for item in self._answer(operation)]
        self._put_in_order(items)

    def _read(self, log: Sequence[Entry]) -> None:
        """Checks what must hold whoever asked for what."""
        keys = set[str]()
        for entry in log:
            known = self._issued if entry.what == "issued" else self._ended
            if known.setdefault(entry.link, entry) is not entry:
                self._note("doubled", f"{entry} is not the first of its link")
            if entry.what == "issued" and entry.key is not None:
                if entry.key in keys:
                    self._note("doubled", f"{entry} is not the first of its key")
                keys.add(entry.key)
            elif entry.link not in self._issued:
                self._note("unasked", f"{entry} is of a link that was never issued")
            if entry.start is not None:
                reservation = entry.calendar.reservation(entry.start)
                for day in reservation.widened.days():
                    place = entry.calendar.agenda, day.isoformat()
                    self._booked[place].append((reservation, entry.position))

    def _find_overlaps(self) -> None:
        for booked in self._booked.values():
            # Two that clash across a third clash with that one, too.
            booked.sort(key=lambda each: each[0].slot.start)
            for (one, before), (other, after) in pairwise(booked):
                if one.clashes_with(other):
                    self._note("overlapped", f"what was booked at positions {before} and {after}")

    def _cause(self, entry: Entry) -> Request:
        """Returns the request that an event comes from."""
        if entry.what == "redeemed":
            return "redeemed", entry.link, entry.start, entry.key
        if entry.replaced_by is None:
            return ("issued", entry.key) if entry.what == "issued" else ("revoked", entry.link)
        new = self._issued.get(entry.replaced_by)
        return ("issued", new.key) if new else ("revoked", None)

    def _change(self, entry: Entry, asked: Sequence[Operation]) -> Iterator[_Item]:
        """Yields when an event happened: after the first of its requests, before the answers."""
        if not asked:
            self._note("unasked", f"nobody asked for {entry}")
            return
        done = [operation for operation in asked if operation.outcome == DONE]
        if entry.what == "redeemed" and entry.key is None and len(done) > 1:
            self._note("doubled", f"{entry} was the answer to {len(done)} requests")
        called = min(operation.called for operation in asked)
        answered = min((operation.answered for operation in done), default=inf)
        fault = Fault("out of order", f"{entry} is not where its requests would have it")
        yield _Item(called, answered, entry.position, entry.position - 1, fault)

    def _answer(self, operation: Operation) -> Iterator[_Item]:
        """Yields at which cuts an answer was the right one."""
        if operation.outcome == UNKNOWN:
            return
        is_done = operation.outcome == DONE
        low, high = self._done(operation) if is_done else self._refused(operation)
        if low > high or low == inf:
            self._note(
                "lost" if is_done else "refused wrongly", f"the log knows better: {operation}"
            )
            return
        fault = Fault("out of order" if is_done else "refused wrongly", f"too late: {operation}")
        yield _Item(operation.called, operation.answered, low, high, fault)

    def _done(self, operation: Operation) -> tuple[float, float]:
        """Returns the first and the last cut at which this had happened."""
        ended, new = self._ended.get(operation.link), self._issued.get(operation.made)
        is_new = new is not None and self._cause(new) == operation.request
        match operation.kind:
            case "issue" if new and is_new:
                return new.position, inf
            case "revoke" if ended and ended.what == "revoked":
                return ended.position, inf
            case "redeem" if ended and self._cause(ended) == operation.request:
                return ended.position, inf
            case "replace" if ended and new and is_new and ended.replaced_by == operation.made:
                return max(ended.position, new.position), inf
        return inf, inf

    def _refused(self, operation: Operation) -> tuple[float, float]:
        """Returns the first and the last cut at which this refusal was the right one."""
        issued, ended = self._issued.get(operation.link), self._ended.get(operation.link)
        since = issued.position if issued else inf
        until = ended.position if ended else inf
        is_repeat = ended and operation.key is not None and self._cause(ended) == operation.request
        match operation.outcome:
            case "link-not-found":
                return 0, since - 1
            case "link-redeemed" if ended and ended.what == "redeemed" and not is_repeat:
                return until, inf
            case "link-revoked" if ended and ended.what == "revoked" and not is_repeat:
                return until, inf
            case "slot-taken" if issued and operation.start:
                clash = self._first_clash(issued.calendar, operation.start)
                return max(since, clash), until - 1
        return inf, inf

    def _first_clash(self, calendar: Calendar, start: str) -> float:
        wanted = calendar.reservation(start)
        return min(
            (
                position
                for day in wanted.widened.days()
                for booked, position in self._booked[calendar.agenda, day.isoformat()]
                if booked.clashes_with(wanted)
            ),
            default=inf,
        )

    def _put_in_order(self, items: list[_Item]) -> None:
        """Gives each the earliest cut that is not before one of what had been answered."""
        reached = 0.0
        answered: list[tuple[float, float]] = []
        for item in sorted(items):
            while answered and answered[0][0] < item.called:
                reached = max(reached, heappop(answered)[1])
            if reached > item.high:
                self.faults.append(item.fault)
            heappush(answered, (item.answered, max(item.low, min(reached, item.high))))

    def _note(self, kind: str, text: str) -> None:
        self.faults.append(Fault(kind, text))


def read_log(conn: psycopg.Connection[Any], after: int = 0) -> list[Entry]:
    """Returns what the log says about links, from events after a position."""
    calendars: dict[str, Calendar] = {}
    of_link: dict[str, Calendar] = {}
    entries = []
    for position, topic, aggregate, data in conn.execute(
        "SELECT position, topic, id::text, data FROM log WHERE topic = ANY(%s)",
        (["calendar.created", "link.issued", "link.redeemed", "link.revoked"],),
    ):
        if topic == "calendar.created":
            rules = data["terms"]["rules"]
            calendars[aggregate] = Calendar(
                data["owner_id"],
                rules["duration_minutes"],
                rules["buffer_before_minutes"],
                rules["buffer_after_minutes"],
            )
            continue
        if topic == "link.issued":
            of_link[aggregate] = calendars[data["calendar_id"]]
        entry = Entry(
            position,
            topic.removeprefix("link."),
            aggregate,
            of_link[aggregate],
            data.get("idempotency_key"),
            data.get("slot_start"),
            data.get("replaced_by"),
        )
        if position > after:
            entries.append(entry)
    return entries


def _hash(key: str | None) -> str | None:
    """Returns what an event says of a key."""
    return None if key is None else hashlib.sha256(key.encode()).hexdigest()
