"""The web server with its worker processes."""

import logging
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from flask import Flask
from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.mp import MPServer

from application.eventstore.hosts import Hosts
from interface import patroni
from interface.runtime import connection_warden, forks, parent_watchdog, primary_loop
from interface.runtime.lanes import Lane
from interface.runtime.request_front import RequestFront, SlowWork
from interface.settings import Settings
from interface.web.problems import TooManySignIns

MOST_CONNECTIONS = 4096  # of a worker, idle ones included
# Of a worker, for everything but slow work. Most wait for the database, where those who append at
# the same time share a transaction; all of them want Python's one lock, so more gain nothing.
THREADS = 16
HASHES_AT_ONCE = 2  # a hash takes 64 MiB and a tenth of a second of all cores
PASSWORD_PATHS = ("/", "/account/password", "/account/confirm")
PROVIDER_PATHS = ("/sign-in/provider", "/account/provider", "/account/confirm/provider")
HEADER_MILLISECONDS = 10_000
MOST_HEADER_BYTES = 32 * 1024
RESPAWN_SECONDS = 0.5
KILL_SECONDS = 10  # how long a stopping worker may take to finish its requests
# The server logs through the handlers of all other loggers.
LOG_CONFIG = {"formatters": {}, "handlers": {}, "loggers": {"_granian": {"propagate": True}}}
SIGNAL_SECONDS = 0.1

log = logging.getLogger(__name__)


def run(settings: Settings, app: Flask, hosts: Hosts) -> None:
    """Serves the application until SIGTERM and replaces workers that die.

    `hosts` are those of its database.
    """
    parent_watchdog.end_with_parent()
    os.environ |= parent_watchdog.for_children(os.environ)
    serve(
        partial(_worker, settings, app, hosts),
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
    )


def serve(worker: Callable[[], Any], *, host: str, port: int, workers: int) -> None:
    """Serves until SIGTERM. Each worker process runs what `worker` builds in it."""
    forks.prepare()
    WebServer(
        __name__,  # only a name: the workers are forks, so they are given what they run
        interface=Interfaces.RSGI,
        loop=Loops.uvloop,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(
            header_read_timeout=HEADER_MILLISECONDS, max_buffer_size=MOST_HEADER_BYTES
        ),
        address=host,
        port=port,
        workers=workers,
        backlog=MOST_CONNECTIONS,
        backpressure=MOST_CONNECTIONS,
        websockets=False,
        log_level=LogLevels.warning,
        log_dictconfig=LOG_CONFIG,
        respawn_failed_workers=True,
        respawn_interval=RESPAWN_SECONDS,
    ).serve(target_loader=worker, wrap_loader=False)


def _worker(settings: Settings, app: Flask, hosts: Hosts) -> RequestFront:
    """Starts the threads of one worker."""
    forks.name_this_process("web worker")
    parent_watchdog.end_with_parent()
    connection_warden.start(settings.port)
    primary_loop.start(patroni.finder(settings.patroni_urls), [hosts])
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    return RequestFront(
        app,
        threads=THREADS,
        public_path=settings.public_address.path,
        slow_work=slow_work(),
        heartbeats=Path(folder) if folder else None,
    )


def slow_work() -> list[SlowWork]:
    """Returns the kinds of work that may not keep a worker from serving anybody else."""
    return [
        SlowWork(
            _checks_a_password, Lane("password", threads=HASHES_AT_ONCE, waiting=8), TooManySignIns
        ),
        SlowWork(
            _asks_the_identity_provider, Lane("provider", threads=2, waiting=8), TooManySignIns
        ),
        SlowWork(_reads_the_whole_log, Lane("audit", threads=1, waiting=3)),
        SlowWork(_computes_metrics, Lane("metrics", threads=1, waiting=2)),
    ]


def _checks_a_password(method: str, path: str) -> bool:
    return method == "POST" and path in PASSWORD_PATHS


def _asks_the_identity_provider(method: str, path: str) -> bool:
    return path.startswith(PROVIDER_PATHS)


def _reads_the_whole_log(method: str, path: str) -> bool:
    return path.startswith(("/audit", "/api/v1/audit"))


def _computes_metrics(method: str, path: str) -> bool:
    return path == "/metrics"


class WebServer(MPServer):
    """A server that asks its workers to stop until they do.

    The original sends one signal, which a worker that is about to wait may miss, and it may
    report a worker that has stopped as one that refuses to, because two threads wait for it.
    """

    def _stop_workers(self) -> None:
        ends_at = monotonic() + KILL_SECONDS
        while any(worker.is_alive() for worker in self.wrks):
            for worker in self.wrks:
                worker.terminate()
            sleep(SIGNAL_SECONDS)
            if monotonic() > ends_at:
                log.warning("Killing web workers that did not stop in %d seconds.", KILL_SECONDS)
                for worker in self.wrks:
                    worker.kill()
        self.wrks.clear()
