"""The memory of a process: aggregates whose whole history need not be read again.

Nothing here is believed without asking: whoever decides from a remembered aggregate reads its
log from the remembered version on, and that very event must still be there. So the memory may
be behind the log, or ahead of it after a restore: that costs another reading, and is never seen.
"""

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import Generic, TypeVar
from uuid import UUID

from application.eventstore.streams import StoredRow
from domain.aggregate import Aggregate

MOST_BYTES = 4 * 2**20
"""The size of the events that all remembered aggregates together consist of, about."""

V = TypeVar("V")


@dataclass(eq=False)
class Remembered:
    """An aggregate, which nobody may change, and the event that made it what it is.

    `confirmed_at` is when the log was asked last and had that event, by the monotonic clock.
    """

    aggregate: Aggregate
    last: StoredRow
    confirmed_at: float


class RecentlyUsed(Generic[V]):
    """The values that were used last, as many as weigh no more than `most`. For any thread."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._weight = 0
        self._values: OrderedDict[UUID, tuple[V, int]] = OrderedDict()
        self._mutex = Lock()

    def get(self, key: UUID) -> V | None:
        """Returns a value, or None if it is not known or was not used for long."""
        with self._mutex:
            found = self._values.get(key)
            if found is None:
                return None
            self._values.move_to_end(key)
            return found[0]

    def put(self, key: UUID, value: V, weight: int = 1) -> None:
        """Keeps a value in place of the one that it had, and drops what was not used for long."""
        with self._mutex:
            self._put(key, value, weight)

    def _put(self, key: UUID, value: V, weight: int) -> None:
        _, before = self._values.pop(key, (None, 0))
        self._values[key] = (value, weight)
        self._weight += weight - before
        while self._weight > self._most:
            _, (_, least) = self._values.popitem(last=False)
            self._weight -= least


class AggregateMemory(RecentlyUsed[Remembered]):
    """Aggregates as they were when they were last read or written. For any thread."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        super().__init__(most_bytes)

    def remember(
        self, aggregate: Aggregate, last: StoredRow, *, events: int, confirmed_at: float
    ) -> None:
        """Keeps a copy of an aggregate, unless a newer one is known.

        `last` is its last event, and `events` is the number of those that it consists of.
        """
        remembered = Remembered(aggregate.copy(), last, confirmed_at)
        with self._mutex:
            known = self._values.get(aggregate.id)
            if known is None or known[0].last.version <= last.version:
                self._put(aggregate.id, remembered, len(last.state) * events)

    def forget(self, remembered: Remembered) -> None:
        """Drops what the log did not confirm, unless something else is remembered by now."""
        key = remembered.aggregate.id
        with self._mutex:
            known = self._values.get(key)
            if known is not None and known[0] is remembered:
                self._weight -= self._values.pop(key)[1]
