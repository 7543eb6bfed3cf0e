"""Callers who append at the same time share a transaction, and each gets an answer of its own.

The state machine is the only thread: it does step by step what callers do. Threads meet in the
tests below it, and PostgreSQL in `test_shared_appends`.
"""

import os
from dataclasses import dataclass, field
from itertools import count
from threading import Barrier, Event
from types import NoneType
from uuid import UUID, uuid4

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from application.eventstore import append_statement, group_commit
from application.eventstore.deadline import deadline
from application.eventstore.group_commit import (
    STUCK_SECONDS,
    Append,
    AppendQueue,
    Lost,
    NoTurn,
    StaleRead,
    VersionConflict,
)
from tests.support.stored_rows import stored
from tests.support.waiting import at_once, wait_until

AGGREGATES = [UUID(int=number) for number in range(4)]
PATIENCE = 5.0
GRACE = 0.5  # between the end of the patience and the deadline


def an_append(
    *versions: tuple[UUID, int], read: dict[UUID, int] | None = None, patience: float = PATIENCE
) -> Append:
    rows = append_statement.rows([stored(*version) for version in versions], (), (), read or {})
    return Append(rows, read or {}, patience=patience)


@dataclass
class Caller:
    """A caller of the model, who decided from the log as it was when it joined."""

    append: Append
    deadline: float
    ended: Exception | None = None
    recorded_at: list[int] = field(default_factory=list)
    """The positions at which the log has its events, whatever it was told."""

    @property
    def is_waiting(self) -> bool:
        return self.ended is None and self.append.outcome is None


class Callers(RuleBasedStateMachine):
    """Any number of callers, any number of leaders, and a log to which they append."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(group_commit, "monotonic", lambda: self.now)
        self.left = 0.0
        self.patch.setattr(group_commit, "seconds_left", lambda: self.left)
        self.queue = AppendQueue()
        self.log: dict[tuple[UUID, int], int] = {}
        self.positions = count(1)
        self.callers: list[Caller] = []
        self.connecting: list[Append] = []
        self.under_way: list[tuple[Append, list[Append]]] = []

    def teardown(self) -> None:
        self.patch.undo()

    def version(self, aggregate: UUID) -> int:
        return max((version for id_, version in self.log if id_ == aggregate), default=0)

    def caller_of(self, append: Append) -> Caller:
        return next(caller for caller in self.callers if caller.append is append)

    @rule(
        writes=st.sets(st.sampled_from(AGGREGATES), min_size=1, max_size=2),
        reads=st.sets(st.sampled_from(AGGREGATES), max_size=1),
        patience=st.sampled_from([1.0, PATIENCE]),
    )
    def joins(self, writes: set[UUID], reads: set[UUID], patience: float) -> None:
        """Somebody decides from the log as it is."""
        append = an_append(
            *((aggregate, self.version(aggregate) + 1) for aggregate in sorted(writes)),
            read={aggregate: self.version(aggregate) for aggregate in reads - writes},
            patience=patience,
        )
        self.callers.append(Caller(append, self.now + patience + GRACE))
        self.queue.join(append)

    @invariant()
    def leaders_notice(self) -> None:
        """Whoever leads gets a connection, and goes on with that when somebody else leads too."""
        busy = [*self.connecting, *(leader for leader, _ in self.under_way)]
        self.connecting += [
            caller.append
            for caller in self.callers
            if caller.is_waiting and self.queue.leads(caller.append) and caller.append not in busy
        ]

    @precondition(lambda self: self.connecting)
    @rule(which=st.integers(0, 9))
    def leader_begins(self, which: int) -> None:
        """A leader has a connection, and takes what is in the queue."""
        leader = self.connecting.pop(which % len(self.connecting))
        queued = [caller.append for caller in self.callers if self.is_queued(caller.append)]
        taken = self.queue.take()
        assert bool(taken) == bool(queued)
        self.must_be_compatible(taken)
        self.under_way.append((leader, taken))

    @precondition(lambda self: self.connecting)
    @rule(which=st.integers(0, 9))
    def leader_gets_no_connection(self, which: int) -> None:
        """Only the leader hears of it: the others may have more time, or more luck."""
        leader = self.connecting.pop(which % len(self.connecting))
        was_queued = self.is_queued(leader)
        self.queue.settle(leader, [], OSError())
        assert isinstance(leader.outcome, Lost) or not was_queued

    def is_queued(self, append: Append) -> bool:
        return append in self.queue._waiting

    @staticmethod
    def must_be_compatible(taken: list[Append]) -> None:
        for place, append in enumerate(taken):
            for earlier in taken[:place]:
                assert not append.versions & earlier.versions
                assert not append.read.keys() & {id_ for id_, _ in earlier.versions}
                assert not append.must_be_alone
                assert not earlier.must_be_alone

    def settle(self, leader: Append, taken: list[Append], *, lost: bool = False) -> None:
        self.under_way.remove((leader, taken))
        self.queue.settle(leader, taken, OSError() if lost else None)

    def conflicts(self, append: Append) -> frozenset[tuple[UUID, int]]:
        return append.versions & self.log.keys()

    def stale(self, append: Append) -> list[tuple[UUID, int]]:
        return [read for read in append.read.items() if self.version(read[0]) != read[1]]

    def record(self, append: Append) -> None:
        caller = self.caller_of(append)
        assert not caller.recorded_at
        for version in sorted(append.versions):
            self.log[version] = next(self.positions)
            caller.recorded_at.append(self.log[version])

    @precondition(lambda self: self.under_way)
    @rule(which=st.integers(0, 9), reply=st.booleans())
    def server_answers(self, which: int, reply: bool) -> None:
        """The server compares what was read, then the versions; its answer may come or be lost."""
        leader, taken = self.under_way[which % len(self.under_way)]
        rivals = [append for append in taken if self.conflicts(append)]
        stale = [append for append in taken if self.stale(append)]
        is_recorded = not stale and not rivals
        for append in taken:
            if is_recorded:
                self.record(append)
            if not reply:
                continue
            if append in stale:
                append.outcome = StaleRead(*self.stale(append)[0])
            elif append in rivals and not stale:
                append.outcome = VersionConflict(*min(self.conflicts(append)))
            elif is_recorded:
                append.outcome = self.caller_of(append).recorded_at
        self.settle(leader, taken, lost=not reply)

    @precondition(lambda self: self.under_way)
    @rule(which=st.integers(0, 9))
    def request_is_lost(self, which: int) -> None:
        """Nothing reaches the server."""
        leader, taken = self.under_way[which % len(self.under_way)]
        self.settle(leader, taken, lost=True)

    @precondition(lambda self: self.under_way)
    @rule(which=st.integers(0, 9))
    def turn_does_not_come(self, which: int) -> None:
        """Those whose patience is over are told, and the others go again."""
        leader, taken = self.under_way[which % len(self.under_way)]
        for append in taken:
            if append.patient_until <= self.now:
                append.outcome = NoTurn()
        self.settle(leader, taken)

    @precondition(lambda self: self.under_way)
    @rule(which=st.integers(0, 9))
    def somebody_is_at_fault(self, which: int) -> None:
        """The server refuses values of one caller, and does not say whose."""
        leader, taken = self.under_way[which % len(self.under_way)]
        for append in taken:
            append.must_be_alone = True
        if len(taken) == 1:
            taken[0].outcome = ValueError()
        self.settle(leader, taken)

    @rule(seconds=st.sampled_from([0.1, STUCK_SECONDS, 2.0]))
    def time_passes(self, seconds: float) -> None:
        """Callers look at the clock when they have waited for as long as they wanted."""
        self.now += seconds
        busy = [*self.connecting, *(leader for leader, _ in self.under_way)]
        for caller in self.callers:
            append = caller.append
            if not caller.is_waiting or append in busy:
                continue
            self.left = max(0.0, caller.deadline - self.now)
            queued = self.is_queued(append)
            try:
                assert self.queue.seconds_to_wait(append) >= 0
            except (NoTurn, Lost) as error:
                caller.ended = error
                self.queue.leave(append)
            is_over = (append.patient_until if queued else caller.deadline) <= self.now
            assert type(caller.ended) is ((NoTurn if queued else Lost) if is_over else NoneType)

    @invariant()
    def nobody_is_forgotten(self) -> None:
        """Whoever has no answer leads, queues behind a leader, or is under way."""
        under_way = [append for _, taken in self.under_way for append in taken]
        for caller in self.callers:
            append = caller.append
            queued = self.is_queued(append)
            assert (queued + under_way.count(append)) == (
                1 if caller.is_waiting else under_way.count(append)
            )
            assert not queued or self.queue._leader is not None
        leader = self.queue._leader
        assert leader is None or self.caller_of(leader).is_waiting

    @invariant()
    def whoever_is_told_something_was_woken(self) -> None:
        for caller in self.callers:
            if caller.append.outcome is not None or self.queue.leads(caller.append):
                busy = [*self.connecting, *(leader for leader, _ in self.under_way)]
                assert caller.append in busy or not caller.append.news.locked()

    @invariant()
    def everybody_is_told_the_truth(self) -> None:
        """Positions mean recorded; a conflict, a stale read or no turn means not recorded."""
        for caller in self.callers:
            outcome = caller.append.outcome or caller.ended
            if isinstance(outcome, list):
                assert outcome == caller.recorded_at != []
            elif outcome is not None and not isinstance(outcome, Lost):
                assert not caller.recorded_at
            if isinstance(outcome, VersionConflict) and not isinstance(outcome, StaleRead):
                assert (outcome.originator_id, outcome.originator_version) in self.log


TestCallers = Callers.TestCase
TestCallers.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_a_transaction_of_several_has_a_limited_number_of_events() -> None:
    queue = AppendQueue()
    appends = [an_append(*((uuid4(), 1) for _ in range(800))) for _ in range(3)]
    for append in appends:
        queue.join(append)
    assert queue.take() == appends[:2]
    assert queue.take() == appends[2:]


def test_a_single_caller_may_append_more_than_several_may() -> None:
    queue = AppendQueue()
    long = an_append(*((uuid4(), 1) for _ in range(group_commit.MOST_EVENTS + 1)))
    queue.join(long)
    queue.join(an_append((uuid4(), 1)))
    assert queue.take() == [long]


def test_callers_who_wait_are_served_by_the_one_who_leads() -> None:
    queue, leading, go = AppendQueue(), Event(), Event()
    first, others = an_append((uuid4(), 1)), [an_append((uuid4(), 1)) for _ in range(8)]
    batches: list[int] = []
    everybody = Barrier(len(others))

    def lead(own: Append) -> None:
        if own is first:
            leading.set()
            go.wait()
        taken = queue.take()
        batches.append(len(taken))
        for append in taken:
            append.outcome = [1]
        queue.settle(own, taken)

    def call(append: Append) -> object:
        if append is not first:
            leading.wait()
            everybody.wait()
        queue.join(append)
        if append is not first and len(queue) == 1 + len(others):
            go.set()
        while append.outcome is None:
            queue.wait(append)
            if append.outcome is None:
                lead(append)
        return append.outcome

    answers = at_once([lambda append=append: call(append) for append in [first, *others]])  # type: ignore[misc]
    assert answers == [[1]] * 9
    assert batches == [9]


def test_when_a_transaction_ends_only_the_next_leader_and_those_with_an_outcome_are_woken() -> None:
    queue, version = AppendQueue(), (uuid4(), 1)
    leader, taken, next_leader, idle, rival = (
        an_append(each) for each in [(uuid4(), 1), version, (uuid4(), 1), (uuid4(), 1), version]
    )
    queue.join(leader)
    queue.join(taken)
    assert queue.take() == [leader, taken]
    for append in (next_leader, idle, rival):
        queue.join(append)
    leader.outcome, taken.outcome = [1], [2]
    queue.settle(leader, [leader, taken])
    assert isinstance(rival.outcome, VersionConflict)
    woken = [not each.news.locked() for each in (taken, next_leader, rival, idle)]
    assert woken == [True, True, True, False]


def test_callers_who_could_not_lead_are_woken_when_they_may() -> None:
    queue = AppendQueue(most_leaders=1)
    leader, next_leader, other = (an_append((uuid4(), 1)) for _ in range(3))
    queue.join(leader)
    taken = queue.take()
    queue.join(next_leader)
    queue.join(other)
    leader.outcome = [1]
    queue.settle(leader, taken)
    assert not other.news.locked()


def test_a_caller_leaves_the_queue_when_its_patience_ends() -> None:
    queue = AppendQueue()
    queue.join(an_append((uuid4(), 1)))
    impatient = an_append((uuid4(), 1), patience=0.01)
    queue.join(impatient)
    with pytest.raises(NoTurn):
        queue.wait(impatient)
    assert impatient not in queue.take()


def test_no_more_lead_than_may_while_all_who_do_are_stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "STUCK_SECONDS", 0.0)
    queue = AppendQueue(most_leaders=2)
    first, second, third = (an_append((uuid4(), 1)) for _ in range(3))
    for append in (first, second):
        queue.join(append)
        queue.seconds_to_wait(append)
        assert queue.leads(append)
        assert queue.take() == [append]
    queue.join(third)
    assert queue.seconds_to_wait(third) > 0
    assert not queue.leads(third)
    first.outcome = [1]
    queue.settle(first, [first])
    queue.seconds_to_wait(third)
    assert queue.leads(third)


def test_when_a_leader_gives_up_the_next_one_leads_and_nothing_of_it_is_appended() -> None:
    queue, first, second = AppendQueue(), an_append((uuid4(), 1)), an_append((uuid4(), 1))
    queue.join(first)
    queue.join(second)
    assert queue.leads(first)
    queue.leave(first)
    assert queue.leads(second)
    assert queue.take() == [second]


def test_rivals_for_a_version_never_share_a_transaction() -> None:
    queue, version = AppendQueue(), (uuid4(), 1)
    first, rival = an_append(version), an_append(version)
    queue.join(first)
    queue.join(rival)
    assert queue.take() == [first]


def test_a_caller_whose_deadline_comes_while_it_is_under_way_is_not_appended_again() -> None:
    queue = AppendQueue()
    leader, other = an_append((uuid4(), 1)), an_append((uuid4(), 1))
    queue.join(leader)
    queue.join(other)
    taken = queue.take()
    with deadline(0.01), pytest.raises(Lost):
        queue.wait(other)
    queue.settle(leader, taken)  # nobody has an outcome: both would go again
    assert queue.take() == [leader]


@pytest.fixture
def two_leaders(monkeypatch: pytest.MonkeyPatch) -> tuple[AppendQueue, Append, Append]:
    """A queue whose first caller leads, without a connection so far, and whose second does now."""
    queue, first, second = AppendQueue(), an_append((uuid4(), 1)), an_append((uuid4(), 1))
    queue.join(first)
    queue.join(second)
    monkeypatch.setattr(group_commit, "STUCK_SECONDS", 0.0)
    assert queue.seconds_to_wait(second) == 0.0
    assert queue.leads(second)
    return queue, first, second


def test_a_leader_who_is_served_by_another_before_it_begins_does_not_keep_the_lead(
    two_leaders: tuple[AppendQueue, Append, Append],
) -> None:
    queue, first, second = two_leaders
    taken = queue.take()
    assert taken == [first, second]
    queue.settle(first, taken, OSError())
    third = an_append((uuid4(), 1))
    queue.join(third)
    assert queue.leads(third)


def test_a_leader_without_a_connection_who_is_under_way_with_another_waits_for_its_outcome(
    two_leaders: tuple[AppendQueue, Append, Append],
) -> None:
    queue, first, second = two_leaders
    taken = queue.take()
    queue.settle(first, [], OSError())
    assert first.outcome is None
    for append in taken:
        append.outcome = [1]
    queue.settle(second, taken)
    queue.wait(first)
    assert first.outcome == [1]


def test_a_fork_while_others_append_leaves_an_empty_queue_in_the_child() -> None:
    queue = AppendQueue()
    queue.join(an_append((uuid4(), 1)))
    with queue._mutex:
        child = os.fork()
        if not child:
            own = an_append((uuid4(), 1))
            queue.join(own)
            os._exit(0 if queue.leads(own) and queue.take() == [own] else 1)
    assert os.waitpid(child, 0)[1] == 0
    wait_until(lambda: len(queue.take()) == 1)
