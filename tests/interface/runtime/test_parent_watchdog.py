"""A service that a test run started ends with that run, however the run ends."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import TEST_DATABASE_URL
from tests.support.processes import family
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[3]
A_TEST_THAT_NEVER_ENDS = """
from pathlib import Path
from threading import Event

from tests.conftest import new_database, server, service

def test_waits(service):
    Path({ready!r}).touch()
    Event().wait()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_when_a_test_run_is_killed_every_process_of_its_service_ends(
    tmp_path: Path, server: str, number: signal.Signals
) -> None:
    ready, test = tmp_path / "ready", tmp_path / "test_waits.py"
    test.write_text(A_TEST_THAT_NEVER_ENDS.format(ready=str(ready)))
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(test)]
    run = subprocess.Popen(
        [*command, f"--basetemp={tmp_path / 'run'}"],
        cwd=ROOT,
        env=os.environ | {TEST_DATABASE_URL: server},
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    wait_until(lambda: ready.exists() or run.poll() is not None)
    processes = family(run.pid)
    run.send_signal(number)
    run.wait()
    try:
        assert any("interface.cli serve" in process.command for process in processes)
        wait_until(lambda: not any(process.alive for process in processes))
    finally:
        for process in processes:
            if process.alive:
                process.kill()
