"""The deadline of the current request, shared by everything that works for it."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from time import monotonic

REQUEST_SECONDS = 5.0

_ends_at: ContextVar[float | None] = ContextVar("deadline", default=None)


@contextmanager
def deadline(seconds: float = REQUEST_SECONDS) -> Iterator[None]:
    """Sets a deadline `seconds` from now for the block, unless an outer one comes first."""
    ends_at = monotonic() + seconds
    outer = _ends_at.get()
    token = _ends_at.set(ends_at if outer is None else min(outer, ends_at))
    try:
        yield
    finally:
        _ends_at.reset(token)


def seconds_left() -> float:
    """Returns the seconds left, never below zero; `REQUEST_SECONDS` where no deadline is set."""
    ends_at = _ends_at.get()
    return REQUEST_SECONDS if ends_at is None else max(0.0, ends_at - monotonic())
