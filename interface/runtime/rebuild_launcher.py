"""Rebuilds that were asked for over HTTP: the projector's process starts one for each."""

import logging
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from time import monotonic

import psycopg
from psycopg.rows import dict_row

from application.eventstore.conninfo import with_defaults
from projections.rebuild import jobs

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
PAUSE_SECONDS = 10.0  # after one that failed


@contextmanager
def on_request(conninfo: str, is_at_work: Event, stop: Event) -> Iterator[None]:
    """While the runner is at work, start what is waiting, and again what was killed.

    A process of its own for each: it would hold the runner up, and can be killed.
    """
    thread = Thread(target=_watch, args=(conninfo, is_at_work, stop), name="rebuilding")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _watch(conninfo: str, is_at_work: Event, stop: Event) -> None:
    running: dict[str, subprocess.Popen[bytes]] = {}
    failed_at: dict[str, float] = {}
    while not stop.wait(LOOK_SECONDS):
        for name, process in list(running.items()):
            if process.poll() is not None:
                del running[name]
                failed_at[name] = monotonic() if process.returncode else 0.0
        for name in _waiting(conninfo) if is_at_work.is_set() else ():
            if name not in running and monotonic() - failed_at.get(name, 0.0) > PAUSE_SECONDS:
                running[name] = _start(name)
    for process in running.values():
        process.terminate()
    for process in running.values():
        process.wait()


def _waiting(conninfo: str) -> list[str]:
    completed = with_defaults(conninfo, application_name="admitone rebuilds")
    try:
        with psycopg.connect(completed, autocommit=True, row_factory=dict_row) as conn:
            return [found.name for found in jobs.waiting(conn)]
    except psycopg.Error as error:
        log.warning("can't look for rebuilds: %s", error)
        return []


def _start(name: str) -> subprocess.Popen[bytes]:
    log.info("rebuilding %s", name)
    return subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-P", "-m", "interface.cli", "projections", "rebuild", name]
    )
