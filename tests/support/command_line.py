"""The `admitone` command, run in this process."""

from collections.abc import Callable
from typing import NamedTuple


class Outcome(NamedTuple):
    """The exit status and the output of a command."""

    status: int
    out: str
    err: str


Command = Callable[..., Outcome]


def refusal(done: Outcome) -> str:
    """Returns the one sentence of a command that was refused."""
    assert (done.status, done.out) == (1, ""), done
    (line,) = done.err.splitlines()
    return line
