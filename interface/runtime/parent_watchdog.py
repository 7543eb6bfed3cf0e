"""Ends the processes of one service together, even when the first of them is killed outright."""

import os
import signal
from collections.abc import Mapping
from threading import Event, Thread
from time import sleep

SUPERVISOR = "ADMITONE_SUPERVISOR"
GRACE_SECONDS = 15
_POLL_SECONDS = 0.5


def for_children(environment: Mapping[str, str]) -> dict[str, str]:
    """Returns the environment for processes that have to end with this one."""
    return {**environment, SUPERVISOR: str(os.getpid())}


def end_with_parent() -> None:
    """Starts a thread that ends this process, as SIGTERM would, soon after its parent is gone.

    Does nothing unless the environment names the parent, as `for_children` does: a process that
    was started by anything else outlives it. The parent is not asked for here, because it may be
    gone already.
    """
    parent = os.environ.pop(SUPERVISOR, None)
    if parent is not None:
        Thread(target=_watch, args=(int(parent),), name="parent watchdog", daemon=True).start()


def stop_on_signals() -> Event:
    """Returns an event that is set on SIGINT and on SIGTERM."""
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        sleep(_POLL_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
    sleep(GRACE_SECONDS)
    os._exit(1)  # whatever it still waits for will not come
