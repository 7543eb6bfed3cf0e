"""A rebuild of all views of a long log while people write and read, and its process killed.

`FAULTS_EVENTS` (200,000) is the length of the log, `FAULTS_KILLS` (20) how often it is killed.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random
from time import monotonic, sleep

import psycopg
import pytest

from interface.runtime.embedded_postgres import EmbeddedPostgres
from projections.catalogue import CATALOGUE
from tests.benchmarks.long_log import fill
from tests.faults.load import Load
from tests.support.service import Service, running_service
from tests.support.waiting import wait_until

EVENTS = int(os.environ.get("FAULTS_EVENTS", "200000"))
KILLS = int(os.environ.get("FAULTS_KILLS", "20"))
QUIET_SECONDS = 20.0


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("service")


@pytest.fixture(scope="module")
def service(data: Path) -> Iterator[Service]:
    """A service on its own database, whose views show a long log."""
    with running_service(data, None) as running:
        fill(conninfo(data), EVENTS)
        wait_until(lambda: lag(data) == 0, seconds=EVENTS / 100)
        yield running


def conninfo(data: Path) -> str:
    return EmbeddedPostgres(data / "postgres").conninfo


def ask(data: Path, query: str) -> int:
    with psycopg.connect(conninfo(data)) as conn:
        (row,) = conn.execute(query.encode()).fetchall()
        value: int = row[0]
        return value


def lag(data: Path) -> int:
    return ask(
        data,
        """SELECT (SELECT max(notification_id) FROM stored_events)
        - (SELECT min(position) FROM projection_positions)""",
    )


def rebuilding(service: Service) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "interface.cli", "projections", "rebuild", "--all"],
        env=service.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,  # the kernel shares processors out by sessions
    )


def finished(process: subprocess.Popen[str]) -> str:
    out, _ = process.communicate()
    assert process.returncode == 0, out
    return out


def assert_right(service: Service, data: Path) -> None:
    """Every view is a fold of the log, row for row, and nothing is parked."""
    wait_until(lambda: lag(data) == 0)
    print(service.command("projections", "verify", "--all").stdout)
    assert ask(data, "SELECT count(*) FROM parked_events") == 0


def test_reads_and_writes_are_as_fast_as_ever_during_rebuilds(service: Service, data: Path) -> None:
    load = Load(service)
    with load.going_on():
        sleep(7)  # so that there is something to read
        quiet = monotonic()
        sleep(QUIET_SECONDS)
        begun = monotonic()
        told = [finished(rebuilding(service)) for _ in range(3)]
        ended = monotonic()
        sleep(2)
    assert load.faults == []
    for line in told:
        for view in CATALOGUE:
            assert f"{view.name} is rebuilt" in line
    print(f"\n{told[-1]}")
    print(f"3 rebuilds of {len(CATALOGUE)} views, {EVENTS} events: {ended - begun:.1f} s")
    for what, taken in (("writes", load.writes), ("reads", load.reads)):
        without = load.p99(taken, quiet, begun)
        during = load.p99(taken, begun, ended)
        count = sum(begun <= each.due < ended for each in taken)
        print(
            f"{what}: p99 {without:.1f} ms without, {during:.1f} ms during rebuilds:"
            f" {during / without:.2f} x ({count} {what} during, none failed)"
        )
    assert_right(service, data)


def test_a_killed_rebuild_leaves_the_view_unchanged_and_is_finished_by_the_next(
    service: Service, data: Path
) -> None:
    random = Random(20)
    begun = monotonic()
    finished(rebuilding(service))
    whole = monotonic() - begun
    load = Load(service)
    kills = completed = 0
    points: dict[str, int] = {}
    with load.going_on():
        while kills < KILLS:
            process = rebuilding(service)
            try:
                out, _ = process.communicate(timeout=random.uniform(0.3, whole))
                assert process.returncode in (0, 3), out
                completed += process.returncode == 0
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                kills += 1
                point = at_work_on(data)
                points[point] = points.get(point, 0) + 1
        finished(rebuilding(service))
    assert load.faults == []
    print(f"\nkilled {kills} times, at {points}; {completed} finished in between")
    print(f"{len(load.reads)} reads and {len(load.writes)} writes meanwhile, none failed")
    assert_right(service, data)
    assert ask(data, "SELECT count(*) FROM rebuilds WHERE state <> 'done'") == 0
    print(service.command("projections", "prune").stdout.count("dropped"), "old views dropped")
    assert ask(data, "SELECT count(*) FROM pg_namespace WHERE nspname ~ '^(re|ret)'") == 0


def at_work_on(data: Path) -> str:
    with psycopg.connect(conninfo(data)) as conn:
        found = conn.execute("SELECT state FROM rebuilds WHERE state <> 'done'").fetchall()
    return " ".join(sorted({state for (state,) in found})) or "nothing"
