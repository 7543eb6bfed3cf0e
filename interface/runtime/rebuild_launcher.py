"""Starts the rebuilds that were requested over HTTP, each as a process of its own."""

import logging
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import partial
from threading import Event
from time import monotonic

import psycopg

from application.eventstore.connection import connect
from application.eventstore.outage_log import OutageLog
from interface.runtime.background_thread import background_thread
from interface.runtime.environment import environment_without_secrets
from interface.settings import PREFIX, Settings
from projections.rebuild import jobs

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
PAUSE_SECONDS = 10.0  # after a rebuild that failed


@contextmanager
def on_request(conninfo: str, settings: Settings, is_at_work: Event, stop: Event) -> Iterator[None]:
    """Starts requested rebuilds in a thread while `is_at_work` is set, until `stop` is set.

    A rebuild that was killed is started again. In the projector's own process it would hold
    up the views.
    """
    environment = _environment(conninfo, settings)
    watch = partial(_watch, conninfo, environment, is_at_work, stop)
    with background_thread("rebuilds", watch, stop):
        yield


def _environment(conninfo: str, settings: Settings) -> dict[str, str]:
    """Returns the environment of a rebuild: of the secrets, only those that it needs."""
    environment = environment_without_secrets(os.environ)
    environment[f"{PREFIX}DATA"] = str(settings.data)
    environment[f"{PREFIX}DATABASE_URL"] = conninfo
    if settings.audit_key:
        environment[f"{PREFIX}AUDIT_KEY"] = settings.audit_key
    return environment


def _watch(conninfo: str, environment: Mapping[str, str], is_at_work: Event, stop: Event) -> None:
    running: dict[str, subprocess.Popen[bytes]] = {}
    failed_at: dict[str, float] = {}
    outage = OutageLog(log, "can't look for requested rebuilds", "looking for them again")
    while not stop.wait(LOOK_SECONDS):
        for name, process in list(running.items()):
            if process.poll() is not None:
                del running[name]
                failed_at[name] = monotonic() if process.returncode else 0.0
        for name in _waiting(conninfo, outage) if is_at_work.is_set() else ():
            if name not in running and monotonic() - failed_at.get(name, 0.0) > PAUSE_SECONDS:
                running[name] = _start(name, environment)
    for process in running.values():
        process.terminate()
    for process in running.values():
        process.wait()


def _waiting(conninfo: str, outage: OutageLog) -> list[str]:
    """Returns the names of the views to rebuild; none if the database can't be asked."""
    try:
        with closing(connect(conninfo, application_name="admitone rebuilds")) as conn:
            names = [job.name for job in jobs.waiting(conn)]
    except psycopg.Error as error:
        outage.failed(error)
        return []
    outage.succeeded()
    return names


def _start(name: str, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    log.info("starting to rebuild %s", name)
    return subprocess.Popen(  # noqa: S603 - our own command
        _admitone("projections", "rebuild", name), env=environment
    )


def _admitone(*arguments: str) -> Sequence[str]:
    """Returns our command with these arguments, run as this process itself is run.

    -P keeps what lies in the current folder from being imported. -E, if this process has it, does
    the same for the folders in PYTHONPATH: the script of an isolated installation starts with it.
    """
    flags = ("-P", "-E") if sys.flags.ignore_environment else ("-P",)
    return (sys.executable, *flags, "-m", "interface.cli", *arguments)
