"""Starts the rebuilds that were requested over HTTP, each as a process of its own."""

import logging
import os
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import partial
from threading import Event
from time import monotonic

import psycopg

from application.eventstore.connection import connect
from application.eventstore.database import PatientConnection
from application.eventstore.hosts import Hosts
from application.eventstore.outage_log import OutageLog
from interface.runtime.background_thread import background_thread
from interface.runtime.environment import environment_without_secrets
from interface.settings import PREFIX, Settings
from projections.rebuild import jobs

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
PAUSE_SECONDS = 10.0  # after a rebuild that failed


@contextmanager
def on_request(
    conninfo: str, hosts: Hosts, settings: Settings, is_at_work: Event, stop: Event
) -> Iterator[None]:
    """Starts a process for each requested rebuild while `is_at_work` is set, until `stop` is set.

    A thread looks for requests on `hosts`; the processes connect by `conninfo`. A rebuild that was
    killed is started again. In the projector's own process it would hold up the views.
    """
    rebuilds = Rebuilds(_environment(conninfo, settings))
    with background_thread("rebuilds", partial(_watch, hosts, rebuilds, is_at_work, stop), stop):
        yield


def _environment(conninfo: str, settings: Settings) -> dict[str, str]:
    """Returns the environment of a rebuild: of the secrets, only those that it needs."""
    environment = environment_without_secrets(os.environ)
    environment[f"{PREFIX}DATA"] = str(settings.data)
    environment[f"{PREFIX}DATABASE_URL"] = conninfo
    if settings.audit_key:
        environment[f"{PREFIX}AUDIT_KEY"] = settings.audit_key
    return environment


def _watch(hosts: Hosts, rebuilds: "Rebuilds", is_at_work: Event, stop: Event) -> None:
    outage = OutageLog(log, "can't look for requested rebuilds", "looking for them again")
    while not stop.wait(LOOK_SECONDS):
        if not is_at_work.is_set():
            continue
        try:
            opened_at = monotonic()
            with closing(
                connect(hosts, application_name="admitone rebuilds", kind=PatientConnection)
            ) as conn:
                while is_at_work.is_set() and not hosts.has_left(conn, opened_at):
                    rebuilds.start([job.name for job in jobs.waiting(conn)])
                    outage.succeeded()
                    if stop.wait(LOOK_SECONDS):
                        break
        except psycopg.Error as error:
            outage.failed(error)
    rebuilds.end()


class Rebuilds:
    """The processes that rebuild views."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._failed_at: dict[str, float] = {}

    def start(self, names: Collection[str]) -> None:
        """Starts to rebuild these views, except those whose rebuild runs or has just failed.

        One that can't be started, for example because memory is short, has failed as well.
        """
        for name, process in list(self._running.items()):
            if process.poll() is not None:
                del self._running[name]
                self._failed_at[name] = monotonic() if process.returncode else 0.0
        for name in names:
            failed_at = self._failed_at.get(name, 0.0)
            if name not in self._running and monotonic() - failed_at > PAUSE_SECONDS:
                try:
                    self._running[name] = _start(name, self._environment)
                except OSError as error:
                    log.error("can't start to rebuild %s: %s", name, error)
                    self._failed_at[name] = monotonic()

    def end(self) -> None:
        """Ends all of them and waits until they have."""
        for process in self._running.values():
            process.terminate()
        for process in self._running.values():
            process.wait()


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
