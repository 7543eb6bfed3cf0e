"""The `admitone` command, run in this process."""

from collections.abc import Callable
from typing import NamedTuple


class Done(NamedTuple):
    """How a command ended."""

    status: int
    out: str
    err: str


Command = Callable[..., Done]


def refusal(done: Done) -> str:
    """The one sentence of a command that said no."""
    assert (done.status, done.out) == (1, ""), done
    (line,) = done.err.splitlines()
    return line
