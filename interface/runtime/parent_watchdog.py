"""Processes of one service end together, even when the first of them is killed outright."""

import os
import signal
from collections.abc import Mapping
from threading import Thread
from time import sleep

SUPERVISOR = "ADMITONE_SUPERVISOR"
GRACE_SECONDS = 15
_POLL_SECONDS = 0.5


def for_children(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of processes that are to end with this one."""
    return {**environment, SUPERVISOR: str(os.getpid())}


def end_with_parent() -> None:
    """End like on SIGTERM soon after the parent is gone, if it is one that wants it so.

    The parent is named by the environment: asking who it is would be too late for one
    that is gone already. Any other parent may go away without meaning anything by it.
    """
    parent = os.environ.pop(SUPERVISOR, None)
    if parent is not None:
        Thread(target=_watch, args=(int(parent),), name="lifeline", daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        sleep(_POLL_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
    sleep(GRACE_SECONDS)
    os._exit(1)  # what it still waits for will not come
