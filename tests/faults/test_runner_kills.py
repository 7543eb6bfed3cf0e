"""The projector killed again and again while events come in.

`FAULTS_RUNNER_KILLS` (100) is how often.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from random import Random
from threading import Event, Thread
from time import monotonic, sleep

import psycopg

from application.eventstore.advisory_locks import APPEND
from application.eventstore.database import Database
from application.eventstore.recorder import CHANNEL
from projections.catalogue import CATALOGUE
from projections.engine.positions import all_positions
from projections.engine.runner import is_running
from tests.benchmarks.long_log import History
from tests.support.projector import start_projector
from tests.support.waiting import wait_until

KILLS = int(os.environ.get("FAULTS_RUNNER_KILLS", "100"))
BATCH = 100
BATCH_SECONDS = 0.05


def write_until(stop: Event, conninfo: str) -> None:
    """Some two thousand events a second."""
    rows = History().rows()
    with psycopg.connect(conninfo, autocommit=True) as conn:
        while not stop.wait(BATCH_SECONDS):
            with conn.transaction():
                conn.execute(f"SELECT pg_advisory_xact_lock({APPEND}), pg_notify('{CHANNEL}', '')")
                conn.cursor().executemany(
                    """INSERT INTO stored_events
                    (originator_id, originator_version, topic, state, recorded_at)
                    VALUES (%s, %s, %s, %s, %s)""",
                    list(islice(rows, BATCH)),
                )


def test_every_view_is_right_after_many_kills_of_the_projector(
    new_database: Callable[[], str], tmp_path: Path
) -> None:
    conninfo = new_database()
    database = Database(conninfo)
    random = Random(100)
    stop = Event()
    writer = Thread(target=write_until, args=(stop, conninfo))

    def seen() -> int:
        return min(all_positions(database).values())

    def head() -> int:
        row = database.fetch_one("SELECT max(notification_id) AS head FROM stored_events")
        return row["head"] or 0 if row else 0

    writer.start()
    begun, moved = monotonic(), 0
    takeovers = []
    try:
        standby = start_projector(conninfo, tmp_path)
        for _ in range(KILLS):
            working, standby = standby, start_projector(conninfo, tmp_path)
            wait_until(lambda: is_running(database))
            before = seen()
            sleep(random.uniform(0, 0.5))
            moved += seen() > before
            working.kill()
            killed_at = monotonic()
            target = head()
            working.wait()
            wait_until(lambda target=target: seen() >= target)  # type: ignore[misc]
            takeovers.append(monotonic() - killed_at)
        stop.set()
        writer.join()
        wait_until(lambda: seen() == head())
        standby.terminate()
        standby.wait()
        seconds = monotonic() - begun
        verifying = subprocess.run(
            [sys.executable, "-m", "interface.cli", "projections", "verify", "--all"],
            env=os.environ | {"ADMITONE_DATABASE_URL": conninfo},
            stdout=subprocess.PIPE,
            text=True,
        )
    finally:
        stop.set()
        writer.join()
        standby.kill()
    print(f"\nkilled {KILLS} times in {seconds:.0f} s, {moved} times while it was applying events")
    print(f"caught up by another after {max(takeovers):.2f} s at the most")
    print(verifying.stdout)
    assert verifying.returncode == 0, verifying.stdout
    assert verifying.stdout.count(" matches the log ") == len(CATALOGUE)
    assert database.fetch_all("SELECT FROM parked_events") == []
    database.close()
