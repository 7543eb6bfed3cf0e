"""A drill: something happens to the cluster while clients work, and the history has to be right."""

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from random import Random
from threading import Event, Thread
from time import monotonic, sleep

import psycopg

from tests.cluster.cluster import Cluster
from tests.cluster.hosts import Hosts
from tests.faults.history import DONE, Fault, Operation, check, read_log
from tests.faults.workload import Workload
from tests.support.waiting import wait_until

PROGRESS = 30
"""So many operations have to succeed before and after what happens."""


@dataclass
class Drill:
    """What is known of a drill. Times are those of the machine's monotonic clock."""

    cluster: Cluster
    hosts: Hosts
    work: Workload
    random: Random
    primaries: list[tuple[float, str]] = field(default_factory=list)
    """When which node was first seen to be the primary."""
    readiness: list[tuple[float, int, str]] = field(default_factory=list)
    """What the second web host said about itself, once a second."""
    faults: list[Fault] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    operations: list[Operation] = field(default_factory=list)

    def succeeded(self, since: float) -> list[float]:
        """Returns the times of the successes of what was asked after a moment, in order."""
        return sorted(
            each.answered
            for each in self.work.operations()
            if each.outcome == DONE and each.called >= since
        )

    def wait_for_progress(self, seconds: float = 120) -> None:
        """Returns when a number of operations have succeeded from now on."""
        now = monotonic()

        def is_enough() -> bool:
            sleep(0.2)  # the history is long
            return len(self.succeeded(now)) >= PROGRESS

        wait_until(is_enough, seconds)

    def outage(self) -> float:
        """Returns the longest time in seconds without a success."""
        times = sorted(each.answered for each in self.operations if each.outcome == DONE)
        return max(later - earlier for earlier, later in pairwise(times))

    def seconds_after_promotion(self) -> list[float]:
        """Returns how long after each change of the primary the next success came."""
        times = sorted(each.answered for each in self.operations if each.outcome == DONE)
        changes = [at for at, _ in self.primaries[1:]]
        return [next(time for time in times if time > at) - at for at in changes]

    def report(self, name: str) -> None:
        """Prints what was measured."""
        done = sum(each.outcome == DONE for each in self.operations)
        after = ", ".join(f"{seconds:.1f}" for seconds in self.seconds_after_promotion())
        answers = ", ".join(f"{count} × {answer}" for answer, count in self.answers.most_common(6))
        sys.stdout.write(
            f"\n{name}: {done} of {len(self.operations)} operations done, at the longest none for"
            f" {self.outage():.1f} s; after a new primary answered, the next one came after"
            f" {after or '-'} s; {answers}\n"
        )


@contextmanager
def drill(cluster: Cluster, hosts: Hosts, folder: Path, *, seed: int = 1) -> Iterator[Drill]:
    """Lets clients work within the block and until all is well again, and checks their history."""
    wait_until(hosts.are_ready)
    with psycopg.connect(cluster.balanced(2)) as conn:
        row = conn.execute("SELECT coalesce(max(notification_id), 0) FROM stored_events").fetchone()
        head = row[0] if row else 0
    random = Random(seed)
    work = Workload(hosts.web, folder, random, operations=200)
    running = Drill(cluster, hosts, work, random)
    stop = Event()
    watching = [Thread(target=_watch, args=(running, stop)) for _watch in _WATCHES]
    for thread in watching:
        thread.start()
    try:
        running.wait_for_progress()
        yield running
        cluster.repair()
        running.wait_for_progress()
        work.may_end()
        result = work.result(cluster.balanced(2))
    finally:
        work.stop()
        stop.set()
        for thread in watching:
            thread.join()
    running.operations, running.answers = result.operations, result.answers
    with psycopg.connect(cluster.balanced(2)) as conn:
        running.faults = check(result.operations, read_log(conn, after=head))
    wait_until(hosts.are_ready)


def _watch_the_primary(running: Drill, stop: Event) -> None:
    while not stop.wait(0.1):
        node = running.cluster.primary()
        if node and (not running.primaries or running.primaries[-1][1] != node.name):
            running.primaries.append((monotonic(), node.name))


def _watch_readiness(running: Drill, stop: Event) -> None:
    while not stop.wait(1):
        status, text = running.hosts.readiness(running.hosts.web[1])
        running.readiness.append((monotonic(), status, text))


_WATCHES: tuple[Callable[[Drill, Event], None], ...] = (_watch_the_primary, _watch_readiness)
