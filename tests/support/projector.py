"""Projectors: applying the log once, in a thread, or as a process."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import psycopg
from psycopg import Connection
from psycopg.rows import DictRow, dict_row

from application.eventstore.hosts import Hosts
from application.eventstore.mapper import JSONMapper
from interface.bootstrap import Services
from interface.runtime.parent_watchdog import for_children
from projections.catalogue import FOLLOWERS
from projections.engine.runner import Runner
from projections.evidence.checkpoint_signing import sign_all_due
from projections.evidence.erasure_list import ErasureList
from projections.evidence.security_log_proofs import SecurityLogSigner
from tests.support.examples import NOW
from tests.support.waiting import wait_until

MAPPER = JSONMapper()
STOP_SECONDS = 30.0


def apply_log(conninfo: str) -> None:
    """Applies the whole log to all views."""
    with psycopg.connect(conninfo, autocommit=True, row_factory=dict_row) as conn:
        apply_all(conn)


def apply_all(conn: Connection[DictRow]) -> None:
    """Applies the whole log to all views, on this connection."""
    runner = Runner(conn.info.dsn, FOLLOWERS, MAPPER)
    while runner.catch_up(conn):
        pass
    assert runner.stuck == {}


def sign(services: Services, conninfo: str) -> None:
    """Does what a projector does every half minute: signs both logs, and lists the erasures."""
    store = services.checkpoint_store()
    with psycopg.connect(conninfo, autocommit=True, row_factory=dict_row) as conn:
        sign_all_due(conn, services.checkpoint_signer(), store, now=NOW)
        signer = SecurityLogSigner(services.checkpoint_signer(), store)
        while signer.sign_due(conn, now=NOW):
            pass
        ErasureList(store.folder).add_new(conn)


def start_projector(
    conninfo: str, data: Path, *, stderr: int = subprocess.DEVNULL
) -> subprocess.Popen[str]:
    """Starts `admitone projections run` as a process that ends with this one."""
    environment = os.environ | {"ADMITONE_DATABASE_URL": conninfo, "ADMITONE_DATA": str(data)}
    return subprocess.Popen(
        [sys.executable, "-m", "interface.cli", "projections", "run"],
        env=for_children(environment),
        stderr=stderr,
        text=True,
    )


@contextmanager
def running_projector(where: str | Hosts, *, may_stand_by: bool = False) -> Iterator[Event]:
    """Runs a projector in a thread of this process and yields the event that stops it.

    It is at work when the block begins, unless it `may_stand_by` or not find its database.
    """
    stop = Event()
    runner = Runner(where, FOLLOWERS, MAPPER)
    thread = Thread(target=runner.run, args=(stop,))
    thread.start()
    try:
        if not may_stand_by:
            wait_until(runner.is_at_work.is_set)
        yield stop
    finally:
        stop.set()
        thread.join(STOP_SECONDS)
    assert not thread.is_alive()
