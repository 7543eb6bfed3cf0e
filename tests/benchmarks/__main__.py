"""`make bench`: the read side, measured beside baselines in the same run.

Machines differ and are noisy: the ratios count, and among several runs the best one.
"""

import os
import subprocess
import sys
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory
from threading import Event, Thread
from time import perf_counter, sleep

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.rows import dict_row

from application.commands.links import NewLink
from application.eventstore.event_log import read
from application.eventstore.mapper import JSONMapper
from application.proofs.checkpoint_signer import CheckpointSigner
from application.proofs.merkle import inclusion_proof
from interface.bootstrap import apply_schema, build
from interface.runtime.embedded_postgres import EmbeddedPostgres
from interface.settings import Settings
from projections.catalogue import CATALOGUE
from projections.engine import positions
from projections.evidence.checkpoint_store import CheckpointStore, sign_due
from projections.evidence.log_verification import verify
from projections.views.transparency_log import tile_reader, tree_size
from tests.benchmarks import library_runner
from tests.benchmarks.long_log import fill
from tests.support.desk import Desk
from tests.support.examples import NOW, SECRET
from tests.support.projector import start_projector

COUNT = int(os.environ.get("BENCH_EVENTS", "1000000"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
LIBRARY_EVENTS = 4_000
LAG_EVENTS = 2_000
LAG_RATE = 100  # events a second
BATCH = 20_000
VIEWS = [projection.name for projection in CATALOGUE if projection.handlers]


def main() -> None:
    """Print what the read side can do."""
    with TemporaryDirectory() as folder, EmbeddedPostgres(Path(folder) / "postgres") as server:
        say(f"{COUNT:,} events, {os.cpu_count()} cores, best of {ROUNDS}")
        long = new_database(server.conninfo, "long")
        fill(long, COUNT)
        library = measure_library(server.conninfo)
        rebuilds(long, library)
        proofs(long, Path(folder))
        lag(new_database(server.conninfo, "lag"), Path(folder))


def say(text: str) -> None:
    """A line of the report, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def new_database(server: str, name: str) -> str:
    """An empty database with our tables."""
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}".encode())
    conninfo = make_conninfo(server, dbname=name)
    apply_schema(conninfo)
    return conninfo


def measure_library(server: str) -> float:
    """The library's own runner, on a short log."""
    conninfo = new_database(server, "library")
    fill(conninfo, LIBRARY_EVENTS)
    found = library_runner.rate(conninfo, LIBRARY_EVENTS)
    say(f"the library's runner          {found:>12,.0f} events/s")
    return found


def read_and_decode(conninfo: str) -> float:
    """A loop that does nothing with the same events."""
    mapper = JSONMapper()
    with psycopg.connect(conninfo, autocommit=True, row_factory=dict_row) as conn:
        begun = perf_counter()
        position = count = 0
        while batch := read(conn, position, BATCH):
            for _, originator_id, version, topic, state, _ in batch:
                mapper.event(originator_id, version, topic, state)
            position, count = batch[-1].position, count + len(batch)
        return count / (perf_counter() - begun)


def rebuild(conninfo: str, *names: str) -> tuple[float, float]:
    """`admitone projections rebuild` as a process: events/s of the pass, peak memory in MB."""
    script = (
        "import json, resource, sys, time\n"
        "from application.eventstore.mapper import JSONMapper\n"
        "from projections.catalogue import projection_named\n"
        "from projections.rebuild.rebuild import Rebuild\n"
        "import gc; gc.freeze(); gc.disable()\n"
        "names = sys.argv[2:]\n"
        "views = [projection_named(name) for name in names]\n"
        "done = Rebuild(sys.argv[1], views, JSONMapper()).run()\n"
        "peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024\n"
        "print(json.dumps([done[0].events / done[0].seconds, peak]))\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script, conninfo, *names],
        capture_output=True,
        text=True,
        check=True,
    )
    rate, peak = ended.stdout.strip(" []\n").split(",")
    return float(rate), float(peak)


def rebuilds(conninfo: str, library: float) -> None:
    """Rebuilds beside the library's runner and beside a loop that only reads and decodes."""
    for names in (VIEWS, ["link_list"], ["booking_calendar"], ["transparency_log"]):
        best, best_ratio, peak = 0.0, 0.0, 0.0
        for _ in range(ROUNDS):
            before = read_and_decode(conninfo)
            rate, used = rebuild(conninfo, *names)
            baseline = (before + read_and_decode(conninfo)) / 2
            best, peak = max(best, rate), max(peak, used)
            best_ratio = max(best_ratio, rate / baseline)
        what = "views in one pass" if len(names) > 1 else names[0]
        say(
            f"rebuild of {what:<18} {best:>12,.0f} events/s"
            f"   {best / library:6.0f} x the library's runner"
            f"   {best_ratio:5.2f} x reading and decoding   {peak:4.0f} MB"
        )


def proofs(conninfo: str, folder: Path) -> None:
    """Signing, verifying and proving."""
    signer = CheckpointSigner("bench.example.org", bytes(32))
    store = CheckpointStore(folder / "checkpoints", signer.verifier_key())
    with psycopg.connect(conninfo, autocommit=True, row_factory=dict_row) as conn:
        while sign_due(conn, signer, store, now=NOW):
            pass
        size = tree_size(conn)
        begun = perf_counter()
        for index in range(0, size, max(1, size // 200)):
            inclusion_proof(index, size, tile_reader(conn))
        each = (perf_counter() - begun) / len(range(0, size, max(1, size // 200)))
    begun = perf_counter()
    found = verify(conninfo, store.all(), store.leaves())
    took = perf_counter() - begun
    if found.fault is not None:
        raise AssertionError(found)
    say(f"verify                        {found.events / took:>12,.0f} events/s   {took:5.1f} s")
    say(f"proof of one event            {1000 * each:>12.2f} ms")


def lag(conninfo: str, folder: Path) -> None:
    """From the commit of an event until every view shows it, at a steady rate."""
    settings = Settings(data=folder, secret_keys=(SECRET,), public_url="https://book.example.org")
    services = build(settings, conninfo, now=lambda: NOW)
    desk = Desk(services)
    calendar_id = desk.new_calendar()
    waits: list[float] = []
    committed: list[tuple[int, float]] = []
    done = Event()

    def watch() -> None:
        with psycopg.connect(conninfo, autocommit=True) as conn:
            while not (done.is_set() and len(waits) == len(committed)):
                row = conn.execute("SELECT min(position) FROM projection_positions").fetchone()
                now = perf_counter()
                while len(waits) < len(committed) and row and committed[len(waits)][0] <= row[0]:
                    waits.append(now - committed[len(waits)][1])
                sleep(0.0005)

    watcher = Thread(target=watch)
    projector = start_projector(conninfo, folder)
    try:
        watcher.start()
        positions.wait_for(services.database, VIEWS, 1, seconds=60)
        begun = perf_counter()
        for number in range(LAG_EVENTS):
            sleep(max(0.0, begun + number / LAG_RATE - perf_counter()))
            position = desk.issue(calendar_id, NewLink()).position
            committed.append((position, perf_counter()))
        done.set()
        watcher.join()
    finally:
        projector.terminate()
        projector.wait()
    services.close()
    hundredths = quantiles(waits, n=100)
    say(
        f"from commit to every view     p50 {1000 * hundredths[49]:.1f} ms"
        f"   p99 {1000 * hundredths[98]:.1f} ms   at {LAG_RATE} events/s"
    )


if __name__ == "__main__":
    main()
