"""The deadline of the current request, shared by everything that works for it."""

from contextvars import ContextVar, Token
from time import monotonic

REQUEST_SECONDS = 5.0

_ends_at: ContextVar[float | None] = ContextVar("deadline", default=None)


class deadline:  # noqa: N801 - used as a function
    """Sets a deadline `seconds` from now for the block, unless an outer one comes first."""

    # A request enters ten of them: a generator would take three times as long.
    __slots__ = ("_seconds", "_token")

    def __init__(self, seconds: float = REQUEST_SECONDS) -> None:
        self._seconds = seconds
        self._token: Token[float | None] | None = None

    def __enter__(self) -> None:
        ends_at = monotonic() + self._seconds
        outer = _ends_at.get()
        if outer is None or ends_at < outer:
            self._token = _ends_at.set(ends_at)

    def __exit__(self, *_: object) -> None:
        if self._token is not None:
            _ends_at.reset(self._token)


def seconds_left() -> float:
    """Returns the seconds left, never below zero; `REQUEST_SECONDS` where no deadline is set."""
    ends_at = _ends_at.get()
    return REQUEST_SECONDS if ends_at is None else max(0.0, ends_at - monotonic())
