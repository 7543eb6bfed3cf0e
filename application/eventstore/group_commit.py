"""Group commit: callers who append at the same time share a transaction, and none waits for more.

A commit takes as long for one event as for a hundred, and writers have to take turns. So:

* A caller queues. If nobody leads, it leads: it takes everybody who is in the queue by the time
  it has a connection, and appends what they have in one transaction. Then it hands the lead to
  whoever is first in the queue. There is no thread, no timer and no waiting for more callers: a
  caller who is alone appends at once. A leader only yields the processor before it begins, so that
  others who are ready to run can still join the queue; on an idle machine that takes no time.
* Two callers with the same version of an aggregate never share a transaction, and neither does
  one who has read an aggregate with one who writes it before. The later one waits: the first may
  still fail. If it succeeds, the later one has lost and is told so without asking the server.
* Everybody gets an outcome of their own: positions, a conflict, a stale read. When a transaction
  fails because of one caller, that one is told and the others go again, alone if nobody can
  tell whose fault it was. When the connection is lost, each caller hears that it is, and finds
  out for itself whether its events are in the log.
* Everybody has a deadline of their own. A caller in the queue leaves it when its patience ends:
  nothing was sent. A transaction waits for the turn at most as long as its least patient caller;
  if the turn does not come, only those without patience are told, and the others go again. A
  caller whose deadline comes while its transaction is under way leaves too, and can't know the
  outcome. The leader listens until its own deadline; for the others the connection is lost then.
* A leader may be stuck, at a server that is silent or a commit that hangs. After a second, whoever
  waits leads too, on another connection, as long as enough are left for reading. Nothing depends
  on there being only one leader: that positions are in order is due to the turn, and that versions
  are unique to the primary key.

Each caller waits for a lock of its own, which is released when there is something to know. After
a fork the child begins with an empty queue: nobody leads there.
"""

import os
from collections import deque
from collections.abc import Collection, Mapping
from functools import cached_property
from math import inf
from threading import Lock
from time import monotonic
from uuid import UUID
from weakref import WeakSet

from eventsourcing.persistence import IntegrityError

from application.eventstore.append_statement import Rows
from application.eventstore.deadline import seconds_left

MOST_EVENTS = 2000
"""In a transaction of several callers. A single one may append more."""

STUCK_SECONDS = 1.0

Version = tuple[UUID, int]


class VersionConflict(IntegrityError):
    """Another writer recorded this version of this aggregate first."""

    def __init__(self, originator_id: UUID, originator_version: int) -> None:
        super().__init__(f"{originator_id} already has a version {originator_version}")
        self.originator_id = originator_id
        self.originator_version = originator_version


class StaleRead(VersionConflict):
    """An aggregate that the caller has read, and did not change, has changed since."""

    def __init__(self, originator_id: UUID, originator_version: int) -> None:
        super().__init__(originator_id, originator_version)
        self.args = (f"version {originator_version} of {originator_id} is not the newest",)


class NoTurn(Exception):
    """The caller's patience ended before its turn. Nothing was recorded."""


class Lost(Exception):
    """The connection was lost, or no answer came in time. The events may be recorded."""

    def __init__(self, error: BaseException | None = None) -> None:
        super().__init__()
        self.error = error


class Append:
    """The events that one caller appends, all or nothing, and their outcome."""

    def __init__(
        self,
        rows: Rows,
        read: Mapping[UUID, int],
        *,
        patience: float,
    ) -> None:
        """`read` has the versions that must still be the newest. `patience` is in seconds."""
        self.rows = rows
        self.read = read
        self.patient_until = monotonic() + patience
        self.must_be_alone = False
        self.outcome: list[int] | Exception | None = None
        """Positions or an error. None while there is none."""
        self.is_under_way = False
        self.is_abandoned = False
        self.news = Lock()
        """Released when there is an outcome or something to do; for the caller alone."""
        self.news.acquire()

    @cached_property
    def versions(self) -> frozenset[Version]:
        """The aggregate of each event, and the version that the event gives it."""
        return frozenset(self.rows.versions)

    def may_join(
        self, first: "Append", versions: Collection[Version], written: Collection[UUID]
    ) -> bool:
        """Returns True if it may share a transaction that `first` begins and that writes these."""
        return (
            not (first.must_be_alone or self.must_be_alone)
            and self.versions.isdisjoint(versions)
            and self.read.keys().isdisjoint(written)
        )

    def tell(self) -> None:
        """Wakes the caller. Not by two threads at once."""
        if self.news.locked():
            self.news.release()


class AppendQueue:
    """Those who wait for a transaction, and who leads.

    The caller of an append calls `join` and `wait`, and while it leads `take` and `settle`.
    """

    def __init__(self, *, most_leaders: float = inf) -> None:
        self._most_leaders = most_leaders
        self._empty()
        _QUEUES.add(self)

    def _empty(self) -> None:
        self._mutex = Lock()
        self._waiting: deque[Append] = deque()
        self._leader: Append | None = None
        self._led_since = 0.0
        self._under_way = 0  # transactions

    def __len__(self) -> int:
        """Returns how many callers wait for a transaction to begin."""
        return len(self._waiting)

    def join(self, append: Append) -> None:
        """Queues. The caller leads if nobody does."""
        with self._mutex:
            self._waiting.append(append)
            self._pass_on_the_lead()

    def wait(self, append: Append) -> None:
        """Returns when there is an outcome, or when the caller leads.

        Raises `NoTurn` when its patience ends while it queues, and `Lost` when its deadline
        comes while it is under way.
        """
        try:
            while append.outcome is None and not self.leads(append):
                append.news.acquire(timeout=self.seconds_to_wait(append))
        except BaseException:
            self.leave(append)
            raise

    def leads(self, append: Append) -> bool:
        """Returns True if the caller has to append what is in the queue."""
        return self._leader is append

    def take(self) -> list[Append]:
        """Returns those in the queue who may share a transaction, in order; now under way.

        Nobody, if another leader was faster.
        """
        with self._mutex:
            self._led_since = monotonic()
            if len(self._waiting) == 1:
                taken = [self._waiting.popleft()]
            else:
                taken = self._take_who_may_share()
            self._under_way += bool(taken)
            for append in taken:
                append.is_under_way = True
            return taken

    def _take_who_may_share(self) -> list[Append]:
        taken: list[Append] = []
        left: deque[Append] = deque()
        versions: set[Version] = set()
        written: set[UUID] = set()
        for append in self._waiting:
            if taken and not (
                append.may_join(taken[0], versions, written)
                and len(versions) + len(append.versions) <= MOST_EVENTS
            ):
                left.append(append)
                continue
            taken.append(append)
            versions |= append.versions
            written.update(originator_id for originator_id, _ in append.versions)
        self._waiting = left
        return taken

    def settle(
        self, leader: Append, taken: Collection[Append], lost: BaseException | None = None
    ) -> None:
        """Tells everybody who has an outcome, puts the others back, and passes on the lead.

        If the connection was `lost`, so are those who were under way; or, if nobody was, the
        leader alone, unless it is under way with another leader by now.
        """
        with self._mutex:
            nobody_could_lead = self._under_way >= self._most_leaders
            self._under_way -= bool(taken)
            if lost is not None:
                for append in taken or [each for each in self._waiting if each is leader]:
                    append.outcome = append.outcome or Lost(lost)
            again = [each for each in taken if each.outcome is None and not each.is_abandoned]
            for append in taken:
                append.is_under_way = False
            waiting = [*again, *self._waiting]
            if waiting:
                _refuse_rivals(waiting, taken)
                self._waiting = deque([each for each in waiting if each.outcome is None])
            if self._leader not in self._waiting:
                self._leader = None
            self._pass_on_the_lead()
            for append in {leader, *taken}:
                append.tell()
            for append in waiting:
                # The next leader has been told. The others wake only if they have to watch that it
                # does not get stuck, which they did not while nobody could lead.
                if append.outcome is not None or nobody_could_lead:
                    append.tell()

    def seconds_to_wait(self, append: Append) -> float:
        """Returns for how long the caller should wait for news; makes it lead if nobody else can.

        Raises `NoTurn` or `Lost` if it should not wait any longer.
        """
        with self._mutex:
            if append.outcome is not None or self._leader is append:
                return 0.0
            if append.is_under_way:
                if not (left := seconds_left()):
                    raise Lost
                return left
            now = monotonic()
            if append.patient_until <= now:
                raise NoTurn
            if self._under_way >= self._most_leaders:
                return append.patient_until - now
            stuck_at = self._led_since + STUCK_SECONDS
            if stuck_at <= now:
                self._lead(append)
                return 0.0
            return min(append.patient_until, stuck_at) - now

    def leave(self, append: Append) -> None:
        """Forgets a caller who wants to hear no more."""
        with self._mutex:
            append.is_abandoned = True
            self._waiting = deque(each for each in self._waiting if each is not append)
            if self._leader is append:
                self._leader = None
            self._pass_on_the_lead()

    def _pass_on_the_lead(self) -> None:
        if self._leader is None and self._waiting:
            self._lead(self._waiting[0])

    def _lead(self, append: Append) -> None:
        self._leader = append
        self._led_since = monotonic()
        append.tell()


def _refuse_rivals(waiting: Collection[Append], taken: Collection[Append]) -> None:
    """Gives a conflict to those whose versions have just been recorded for somebody else."""
    recorded: set[Version] = set()
    for append in taken:
        if isinstance(append.outcome, list):
            recorded |= append.versions
    for append in waiting:
        if taken_before := append.versions & recorded:
            append.outcome = VersionConflict(*min(taken_before))


_QUEUES: WeakSet[AppendQueue] = WeakSet()


def _empty_all() -> None:
    for queue in _QUEUES:
        queue._empty()


os.register_at_fork(after_in_child=_empty_all)
