"""`python -m interface.web_server`: the web workers, as `admitone serve` runs them."""

import gc
import logging
import os
import signal
from time import monotonic, sleep

from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server.mp import MPServer

from interface.observability import logs
from interface.runtime import parent_watchdog
from interface.settings import Settings

BLOCKING_THREADS = 4  # with one, a plain request would wait behind a slow one
RESPAWN_SECONDS = 0.5
KILL_SECONDS = 10  # for requests in flight when told to stop
# What the server says goes the way of all other lines.
LOG_CONFIG = {"formatters": {}, "handlers": {}, "loggers": {"_granian": {"propagate": True}}}
SIGNAL_SECONDS = 0.1
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)

log = logging.getLogger(__name__)


def main() -> None:
    """Serve until SIGTERM; a worker that dies is replaced."""
    settings = Settings.from_environment(os.environ)
    logs.configure(settings.log)
    parent_watchdog.end_with_parent()
    os.environ |= parent_watchdog.for_children(os.environ)
    _prepare_forks()
    WebServer(
        "interface.wsgi:create_app",
        factory=True,
        interface=Interfaces.WSGI,
        address=settings.host,
        port=settings.port,
        workers=settings.workers,
        blocking_threads=BLOCKING_THREADS,
        websockets=False,
        log_level=LogLevels.warning,
        log_dictconfig=LOG_CONFIG,
        respawn_failed_workers=True,
        respawn_interval=RESPAWN_SECONDS,
    ).serve()


def _prepare_forks() -> None:
    """Let workers share what they all load, and let them be stopped while they start.

    A forked worker inherits the server's own handlers until the server installs the
    worker's: a SIGTERM that came before would be lost.
    """
    import interface.wsgi  # noqa: F401 - loaded once instead of by every worker

    gc.freeze()
    os.register_at_fork(
        before=lambda: signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS),
        after_in_parent=lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS),
        after_in_child=_die_of_signals,
    )


def _die_of_signals() -> None:
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)


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


if __name__ == "__main__":
    main()
