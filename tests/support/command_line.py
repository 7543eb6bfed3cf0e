"""The `admitone` command, run in this process."""

import os
import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from importlib import import_module
from io import StringIO
from typing import NamedTuple
from unittest.mock import patch

import pytest

from interface.cli import command_line


class Outcome(NamedTuple):
    """The exit status and the output of a command."""

    status: int
    out: str
    err: str


Command = Callable[..., Outcome]


def run_command(*arguments: str, environment: Mapping[str, str] = os.environ) -> Outcome:
    """Runs `admitone` as its script does, at the usual priority of this process."""
    projections = import_module("interface.cli.projections")
    with (
        patch.dict(os.environ, environment, clear=True),
        patch.object(sys, "argv", ["admitone", *arguments]),
        patch.object(projections, "_yield_to_others", lambda: None),
        redirect_stdout(StringIO()) as out,
        redirect_stderr(StringIO()) as err,
        pytest.raises(SystemExit) as ended,
    ):
        command_line.main()
    return Outcome(int(ended.value.code or 0), out.getvalue(), err.getvalue())


def refusal(done: Outcome) -> str:
    """Returns the one sentence of a command that was refused."""
    assert (done.status, done.out) == (1, ""), done
    (line,) = done.err.splitlines()
    return line
