"""Ctrl-C ends a command without a word, even while it loads."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence

import pytest


def interrupted_at(
    moment: str, arguments: Sequence[str], *, started_by: str = "", **settings: str
) -> subprocess.CompletedProcess[str]:
    """Runs `admitone` and interrupts it when it begins to load the module `moment`."""
    script = (
        f"{started_by}\n"
        "import os, runpy, signal, sys\n"
        "class Interrupting:\n"
        "    def find_spec(self, name, *_):\n"
        f"        if name == {moment!r}:\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Interrupting())\n"
        f"sys.argv[1:] = {arguments!r}\n"
        "runpy.run_module('interface.cli', run_name='__main__', alter_sys=True)"
    )
    return subprocess.run(
        [sys.executable, "-c", script], env=os.environ | settings, capture_output=True, text=True
    )


@pytest.mark.parametrize("moment", ["click", "interface.cli.keys", "psycopg"])
def test_a_command_that_is_interrupted_while_it_loads_ends_without_a_word(moment: str) -> None:
    done = interrupted_at(moment, ["keys", "list"])
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_a_command_that_ignores_interruptions_from_its_start_goes_on_doing_so(
    new_database: Callable[[], str],
) -> None:
    ignoring = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)"
    done = interrupted_at(
        "psycopg",
        ["keys", "list"],
        started_by=ignoring,
        ADMITONE_DATABASE_URL=new_database(),
        ADMITONE_SECRET_KEYS="s" * 32,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
