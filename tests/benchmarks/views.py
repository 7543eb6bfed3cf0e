"""The read side: rebuilding, verifying and following the log.

Rebuilds are measured beside the library's own runner, and beside a loop that only reads and
decodes the same events. Among several runs the best one counts.
"""

import json
import subprocess
import sys
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

import psycopg
from psycopg.rows import dict_row

from application.commands.new_link import NewLink
from application.eventstore.event_log import read
from application.eventstore.mapper import JSONMapper
from application.proofs.checkpoint_signer import CheckpointSigner
from application.proofs.merkle import inclusion_proof
from interface.bootstrap import build
from interface.settings import Settings
from projections.catalogue import CATALOGUE
from projections.engine import positions
from projections.evidence.checkpoint_signing import sign_due
from projections.evidence.checkpoint_store import CheckpointStore
from projections.evidence.log_verification import verify
from projections.views.transparency_log import tile_reader, tree_size
from tests.benchmarks import lag, library_runner, usage
from tests.benchmarks.long_log import fill
from tests.benchmarks.machine import Machine
from tests.benchmarks.options import Options
from tests.support import processes
from tests.support.desk import Desk
from tests.support.examples import NOW, SECRET
from tests.support.projector import start_projector

LIBRARY_EVENTS = 4_000
RATES = (1, 100)  # links issued a second while the views follow
LAG_SECONDS = 10
BATCH = 20_000
PROVEN = 200
VIEWS = [projection.name for projection in CATALOGUE if projection.handlers]
ALL_VIEWS = "all in one pass"
_REBUILD = """
import gc, json, resource, sys
from application.eventstore.mapper import JSONMapper
from projections.catalogue import projection_named
from projections.rebuild.rebuild import Rebuild
gc.freeze(); gc.disable()
views = [projection_named(name) for name in sys.argv[2:]]
done = Rebuild(sys.argv[1], views, JSONMapper()).run()
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps([done[0].events / done[0].seconds, peak]))
"""


def measure(options: Options, machine: Machine, folder: Path) -> dict[str, Any]:
    """Returns what the read side can do with a log of `options.events`."""
    short, long = machine.new_database(), machine.new_database()
    fill(short, LIBRARY_EVENTS)
    library = library_runner.rate(short, LIBRARY_EVENTS)
    fill(long, options.events)
    return {
        "events": options.events,
        "library_runner_events_per_second": library,
        "rebuild": _rebuilds(long, library, options.rounds),
        "evidence": proofs(long, folder),
        "lag": _lags(machine, folder),
    }


def _rebuilds(conninfo: str, library: float, rounds: int) -> dict[str, Any]:
    found = {}
    for names in (VIEWS, ["link_list"], ["booking_calendar"], ["transparency_log"]):
        best, best_ratio, peak = 0.0, 0.0, 0.0
        for _ in range(rounds):
            before = _read_and_decode(conninfo)
            rate, used = rebuild(conninfo, *names)
            baseline = (before + _read_and_decode(conninfo)) / 2
            best, peak = max(best, rate), max(peak, used)
            best_ratio = max(best_ratio, rate / baseline)
        found[ALL_VIEWS if len(names) > 1 else names[0]] = {
            "events_per_second": best,
            "to_library_runner": best / library,
            "to_reading_and_decoding": best_ratio,
            "memory_mb": peak,
        }
    return found


def _read_and_decode(conninfo: str) -> float:
    """Returns the events per second of a loop that does nothing with them."""
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
    """Rebuilds views in a process and returns the events per second, and its peak memory in MB."""
    ended = subprocess.run(
        [sys.executable, "-c", _REBUILD, conninfo, *names],
        capture_output=True,
        text=True,
        check=True,
    )
    rate, peak = json.loads(ended.stdout)
    return rate, peak


def proofs(conninfo: str, folder: Path) -> dict[str, float]:
    """Signs, proves and verifies the whole log."""
    signer = CheckpointSigner("bench.example.org", bytes(32))
    store = CheckpointStore(folder / "checkpoints", signer.verifier_key())
    with psycopg.connect(conninfo, autocommit=True, row_factory=dict_row) as conn:
        while sign_due(conn, signer, store, now=NOW):
            pass
        size = tree_size(conn)
        indexes = range(0, size, max(1, size // PROVEN))
        begun = perf_counter()
        for index in indexes:
            inclusion_proof(index, size, tile_reader(conn))
        each = (perf_counter() - begun) / len(indexes)
    begun = perf_counter()
    found = verify(conninfo, store.all(), store.leaves())
    took = perf_counter() - begun
    if found.fault is not None:
        raise AssertionError(found)
    return {"verified_events_per_second": found.events / took, "proof_ms": 1000 * each}


def _lags(machine: Machine, folder: Path) -> dict[str, Any]:
    """Issues links at a steady rate, one by one, while a projector follows."""
    conninfo = machine.new_database()
    settings = Settings(data=folder, secret_keys=(SECRET,), public_url="https://book.example.org")
    services = build(settings, conninfo, now=lambda: NOW)
    projector = start_projector(conninfo, folder)
    found = {}
    try:
        desk = Desk(services)
        calendar_id = desk.new_calendar()
        positions.wait_for(services.database, VIEWS, 1, seconds=60)
        for rate in RATES:
            before = _cpu_seconds(projector.pid)
            with lag.watched(conninfo) as watch:
                begun = perf_counter()
                for number in range(rate * LAG_SECONDS):
                    sleep(max(0.0, begun + number / rate - perf_counter()))
                    desk.issue(calendar_id, NewLink())
            cpu = 1000 * (_cpu_seconds(projector.pid) - before) / (rate * LAG_SECONDS)
            found[str(rate)] = {**watch.milliseconds(), "projector_cpu_ms": cpu}
    finally:
        projector.terminate()
        projector.wait()
        services.close()
    return found


def _cpu_seconds(pid: int) -> float:
    return usage.cpu_seconds({usage.PROJECTOR: lambda: processes.family(pid)})[usage.PROJECTOR]
