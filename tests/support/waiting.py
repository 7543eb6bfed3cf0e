"""Waiting for a condition, and acting at the same moment."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from time import monotonic, sleep
from typing import TypeVar

T = TypeVar("T")


def wait_until(condition: Callable[[], object], seconds: float = 60) -> None:
    """Asks again and again until the condition is true. The limit only ends a run that hangs."""
    ends_at = monotonic() + seconds
    while not condition():
        assert monotonic() < ends_at, "it did not happen"
        sleep(0.01)


def at_once(calls: list[Callable[[], T]]) -> list[T]:
    """Makes all calls at the same moment, each in a thread of its own."""
    barrier = Barrier(len(calls))

    def start(call: Callable[[], T]) -> T:
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(start, calls))
