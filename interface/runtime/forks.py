"""Forked processes: they share what was imported before, and signals end them from the start."""

import ctypes
import gc
import multiprocessing
import os
import signal
from contextlib import suppress
from functools import cache
from pathlib import Path

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_NAME = Path("/proc/self/comm")
_MOST_HEAPS = -8  # M_ARENA_MAX of mallopt(3)


def prepare() -> None:
    """Prepares this process for forking, once everything is loaded that its children share.

    Objects that exist now are left out of garbage collection, which would write to each of them
    and so give each process a copy of its own.
    """
    _share_heaps()
    gc.collect()
    gc.freeze()
    multiprocessing.set_start_method("fork", force=True)
    _let_signals_end_children()


def name_this_process(name: str) -> None:
    """Shows this name, shortened to 15 characters, in `top` and `ps -e`. On Linux only."""
    with suppress(OSError):
        _NAME.write_text(name)


def _share_heaps() -> None:
    """Lets all threads of a process allocate from two heaps. With glibc only.

    It would give each thread one of its own, so that they need not wait for each other. Threads
    that run Python don't allocate at the same time anyhow, and what one has freed another uses.
    """
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(_MOST_HEAPS, 2)


@cache
def _let_signals_end_children() -> None:
    """Lets a signal end a forked process that has not installed handlers of its own yet.

    It begins with the handlers of its parent. A SIGTERM that arrived now would be lost.
    """
    os.register_at_fork(
        before=lambda: signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS),
        after_in_parent=lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS),
        after_in_child=_die_of_signals,
    )


def _die_of_signals() -> None:
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
