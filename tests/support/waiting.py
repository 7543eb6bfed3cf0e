"""Waiting for a condition, and acting at the same moment."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from time import monotonic, sleep
from typing import Any, TypeVar

T = TypeVar("T")


def wait_until(
    condition: Callable[[], object], seconds: float = 60, *, every: float = 0.01
) -> None:
    """Asks again and again until the condition is true. The limit only ends a run that hangs."""
    ends_at = monotonic() + seconds
    while not condition():
        assert monotonic() < ends_at, "it did not happen"
        sleep(every)


def at_once(calls: list[Callable[[], T]]) -> list[T]:
    """Makes all calls at the same moment, each in a thread of its own."""
    barrier = Barrier(len(calls))

    def start(call: Callable[[], T]) -> T:
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(start, calls))


def not_while_unavailable(call: Callable[[], Any]) -> Any:
    """Returns the first answer that is not 503, as clients do that try again when told to."""
    answers: list[Any] = []

    def is_answered() -> bool:
        answers.append(call())
        return bool(answers[-1].status_code != 503)

    wait_until(is_answered)
    return answers[-1]
