"""The programs of a cluster end with the test, however it ends."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.processes import family
from tests.support.waiting import wait_until

_A_TEST = """
import sys, time
from pathlib import Path
from tests.support.keeper import Keeper

with Keeper() as keeper:
    # It leaves its parent, as PostgreSQL does, and ignores what is not SIGKILL.
    script = "trap '' TERM INT QUIT; (sleep 1000 & sleep 1000) & sleep 1"
    keeper.start(["sh", "-c", script], Path("/dev/null"))
    print("started", flush=True)
    time.sleep(1000)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_everything_ends_with_the_test(number: signal.Signals) -> None:
    test = subprocess.Popen(
        [sys.executable, "-c", _A_TEST],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=Path(__file__).parents[2],
        start_new_session=True,
    )
    assert test.stdout is not None
    with test.stdout as output:
        assert output.readline() == "started\n"
    wait_until(lambda: sum(each.name == "sleep" for each in family(test.pid)) == 3)
    everything = family(test.pid)
    test.send_signal(number)
    test.wait()
    wait_until(lambda: not any(each.alive for each in everything))
