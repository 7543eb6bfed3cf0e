"""A drill: something happens to the cluster while clients work, and the history has to be right."""

from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from math import inf
from pathlib import Path
from random import Random
from threading import Event, Thread
from time import monotonic, sleep
from typing import NamedTuple

import psycopg

from projections.views import link_list
from tests.cluster.cluster import Cluster
from tests.cluster.figures import say
from tests.cluster.hosts import Hosts
from tests.cluster.node import Node
from tests.faults.history import DONE, Fault, Operation, check, read_log
from tests.faults.workload import Workload
from tests.support.waiting import wait_until

TTL = 20
"""Seconds after which a primary that vanished is replaced, as the template has it."""
SERIOUS = ("lost", "doubled")
"""The kinds of faults that are named even if there are none."""
PROGRESS = 30
"""So many operations have to succeed before and after what happens."""


class Readiness(NamedTuple):
    """What /readyz said at a time."""

    at: float
    status: int
    text: str


@dataclass
class Drill:
    """What is known of a drill. Times are those of the machine's monotonic clock."""

    cluster: Cluster
    hosts: Hosts
    work: Workload
    random: Random
    told_before: Collection[str]
    primaries: list[tuple[float, str]] = field(default_factory=list)
    """When which node was first seen to be the primary."""
    readiness: list[Readiness] = field(default_factory=list)
    """What the second web host said about itself, once a second."""
    moved: list[float] = field(default_factory=list)
    """When the views were seen to have moved on."""
    claimed: list[float] = field(default_factory=list)
    """When a sender was seen to have claimed mails."""
    mailed: list[float] = field(default_factory=list)
    """When mails were seen to have arrived."""
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

    def wait_for(self, seconds: float) -> None:
        """Lets clients go on for some time, in which nobody says that something has happened."""
        sleep(seconds)

    def unready_since(self, moment: float, *, because: str = "") -> Readiness | None:
        """Returns the first time after a moment at which a host said that it is not ready, and why.

        At first it may only say that a write takes long; `because` is what it has to name.
        """
        unready = (each for each in self.readiness if each.at > moment and each.status == 503)
        return next((each for each in unready if because in each.text), None)

    def successes(self, since: float, until: float) -> list[Operation]:
        """Returns what was asked and answered with success in a period, and had not been before.

        A repeated request gets its answer again, for which nothing is written.
        """
        done = [each for each in self.operations if each.outcome == DONE]
        before = {_request(each) for each in done if each.answered < since}
        return [
            each
            for each in done
            if since <= each.called and each.answered <= until and _request(each) not in before
        ]

    def outage(self) -> float:
        """Returns the longest time in seconds without a success."""
        times = sorted(self.done_at())
        return max(later - earlier for earlier, later in pairwise(times))

    def after_promotions(self, times: Collection[float]) -> list[float]:
        """Returns how long after each change of the primary the next of these times was."""
        changes = sorted(at for at, _ in self.primaries)[1:]
        return [first_after(times, at) - at for at in changes]

    def done_at(self) -> list[float]:
        """Returns when each operation that succeeded was answered."""
        return [each.answered for each in self.operations if each.outcome == DONE]

    def told_twice(self) -> list[str]:
        """Returns the ids of mails that came more than once, all since the drill began."""
        return [name for name in self.hosts.told_twice() if name not in self.told_before]

    def report(self, name: str) -> None:
        """Prints what was measured, and again when all drills are over."""
        answers = ", ".join(f"{count} × {answer}" for answer, count in self.answers.most_common())
        found = Counter(fault.kind for fault in self.faults)
        wrong = [f"{count} {kind}" for kind, count in found.items() if kind not in SERIOUS]
        faults = ", ".join([f"{found[kind]} {kind}" for kind in SERIOUS] + wrong)
        lines = [
            f"{name}: {len(self.done_at())} of {len(self.operations)} operations done, {faults}; at"
            f" the longest none for {self.outage():.1f} s; {answers}"
        ]
        for what, times in (
            ("operation", self.done_at()),
            ("move of the views", self.moved),
            ("claim of mails", self.claimed),
            ("mail", self.mailed),
        ):
            if after := self.after_promotions(times):
                told = ", ".join(f"{time:.1f} s" if time < inf else "none" for time in after)
                lines.append(f"  first {what} after a new primary answered: {told}")
        say("\n".join(lines))


@contextmanager
def drill(cluster: Cluster, hosts: Hosts, folder: Path, *, seed: int = 1) -> Iterator[Drill]:
    """Lets clients work within the block and until all is well again, and checks their history."""
    wait_until(hosts.are_ready)
    with psycopg.connect(cluster.balanced(2)) as conn:
        row = conn.execute("SELECT coalesce(max(notification_id), 0) FROM stored_events").fetchone()
        head = row[0] if row else 0
    random = Random(seed)
    clients = f"client after {head}"
    work = Workload(hosts.of_a_new_owner(), folder, random, operations=200, name=clients)
    running = Drill(cluster, hosts, work, random, hosts.mails.by_id())
    stop = Event()
    watching = [
        *(Thread(target=_watch_node, args=(running, node, stop)) for node in cluster.nodes),
        Thread(target=_watch_readiness, args=(running, stop)),
        Thread(target=_watch_what_follows, args=(running, stop)),
    ]
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


def all_is_right(running: Drill, name: str) -> None:
    """Asserts what holds after every drill."""
    running.report(name)
    assert running.faults == []
    assert running.hosts.verify_views() == ""
    assert running.told_twice() == []


def first_after(times: Collection[float], moment: float) -> float:
    """Returns the first of these times after a moment; infinity if there is none."""
    return min((time for time in times if time > moment), default=inf)


def another_primary(cluster: Cluster, old: Node) -> None:
    """Returns when Patroni has made another node the primary."""
    others = [node for node in cluster.nodes if node is not old]
    wait_until(lambda: any(node.answers("/primary") for node in others))


def _watch_node(running: Drill, node: Node, stop: Event) -> None:
    was_primary = False
    while not stop.wait(0.1):
        is_primary = node.answers("/primary")
        if is_primary and not was_primary:
            running.primaries.append((monotonic(), node.name))
        was_primary = is_primary


def _watch_readiness(running: Drill, stop: Event) -> None:
    while not stop.wait(1):
        status, text = running.hosts.readiness(running.hosts.web[1])
        running.readiness.append(Readiness(monotonic(), status, text))


_WHAT_FOLLOWS = """
    SELECT position, (SELECT sum(attempts) FROM deliveries WHERE channel = 'mail')
    FROM projection_positions WHERE name = %s"""


def _watch_what_follows(running: Drill, stop: Event) -> None:
    """Notes when the views move on, and when mails are claimed and arrive."""
    position, claims, mails = -1, -1, len(running.hosts.mails.mails)
    while not stop.wait(0.1):
        if (count := len(running.hosts.mails.mails)) > mails:
            running.mailed.append(monotonic())
            mails = count
        with suppress(psycopg.Error), psycopg.connect(running.cluster.asked(2)) as conn:
            row = conn.execute(_WHAT_FOLLOWS, (link_list.NAME,)).fetchone()
            if row and row[0] != position:
                running.moved.append(monotonic())
            if row and row[1] != claims:
                running.claimed.append(monotonic())
            position, claims = row or (position, claims)


def _request(operation: Operation) -> tuple[str, str | None, str | None]:
    """Returns what is the same when a request is repeated. Only a revocation has no key."""
    return operation.kind, operation.link, operation.key
