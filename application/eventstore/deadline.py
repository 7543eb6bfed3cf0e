"""One deadline a request, whatever the request does on its way."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from time import monotonic

REQUEST_SECONDS = 5.0

_ends_at: ContextVar[float | None] = ContextVar("deadline", default=None)


@contextmanager
def deadline(seconds: float = REQUEST_SECONDS) -> Iterator[None]:
    """Everything within answers in `seconds`, or in what an outer deadline leaves."""
    ends_at = monotonic() + seconds
    outer = _ends_at.get()
    token = _ends_at.set(ends_at if outer is None else min(outer, ends_at))
    try:
        yield
    finally:
        _ends_at.reset(token)


def seconds_left() -> float:
    """What is left of the deadline, never below zero; a whole request's outside of any."""
    ends_at = _ends_at.get()
    return REQUEST_SECONDS if ends_at is None else max(0.0, ends_at - monotonic())
