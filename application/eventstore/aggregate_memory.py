"""The memory of a process: aggregates whose whole history need not be read again.

Nothing here is believed without asking: whoever decides from a remembered aggregate reads its
log from the remembered version on, and that very event must still be there. So the memory may
be behind the log, or ahead of it after a restore: that costs another reading, and is never seen.
"""

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from uuid import UUID

from application.eventstore.streams import StoredRow
from domain.aggregate import Aggregate

MOST_BYTES = 4 * 2**20
"""The approximate size of all remembered aggregates together."""

BYTES_BESIDE_EVENTS = 1200
"""The approximate size of an aggregate's objects, beside the bytes of its events."""


@dataclass(eq=False, slots=True)
class Remembered:
    """An aggregate, which nobody may change, and the event that made it what it is.

    `size` is in bytes. `confirmed_at` is when a read last found that event in the log, by the
    monotonic clock.
    """

    aggregate: Aggregate
    last: StoredRow
    size: int
    confirmed_at: float


class AggregateMemory:
    """Aggregates as they were when they were last read or written. For any thread.

    Once they take up too much, those that were used longest ago are dropped.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        # By their ids as numbers, because a UUID computes its hash in Python.
        self._remembered: OrderedDict[int, Remembered] = OrderedDict()
        self._mutex = Lock()

    def get(self, aggregate_id: UUID) -> Remembered | None:
        """Returns what is known of an aggregate, or None."""
        key = aggregate_id.int
        with self._mutex:
            found = self._remembered.get(key)
            if found is not None:
                self._remembered.move_to_end(key)
            return found

    def remember(
        self, aggregate: Aggregate, last: StoredRow, *, events: int, confirmed_at: float
    ) -> None:
        """Keeps a copy of an aggregate, unless a newer one is known.

        `last` is its last event, and `events` is the number of those that it consists of.
        """
        key = aggregate.id.int
        size = BYTES_BESIDE_EVENTS + len(last.state) * events
        remembered = Remembered(aggregate.copy(), last, size, confirmed_at)
        with self._mutex:
            known = self._remembered.get(key)
            if known is not None:
                if known.last.version > last.version:
                    return
                self._drop(key)
            self._remembered[key] = remembered
            self._bytes += size
            while self._bytes > self._most_bytes:
                self._drop(next(iter(self._remembered)))

    def forget(self, remembered: Remembered) -> None:
        """Drops what the log did not confirm, unless something else is remembered by now."""
        key = remembered.aggregate.id.int
        with self._mutex:
            if self._remembered.get(key) is remembered:
                self._drop(key)

    def _drop(self, key: int) -> None:
        self._bytes -= self._remembered.pop(key).size
