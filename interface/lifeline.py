"""Processes of one service end together, even when the first of them is killed outright."""

import os
import signal
from threading import Thread
from time import sleep

SUPERVISED = "ADMITONE_SUPERVISED"
_POLL_SECONDS = 0.5


def end_with_parent() -> None:
    """End like on SIGTERM soon after the parent process is gone.

    Only where the supervisor or one of its children is the parent: elsewhere a parent
    may go away without meaning anything by it.
    """
    if SUPERVISED in os.environ:
        parent = os.getppid()
        Thread(target=_watch, args=(parent,), name="lifeline", daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        sleep(_POLL_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
