"""Runs the steps of the Containerfile in a fresh Debian, and then the service, until it answers.

As no engine is needed, this runs where containers do not. It needs root, debootstrap
(`apt-get install debootstrap`), and the packages of Debian and PyPI; it takes some minutes.
"""

import os
import shutil
import signal
import subprocess
import sys
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep

from tests.container.containerfile import Stage, stages
from tests.container.root import Root, build
from tests.support import processes
from tests.support.service import free_port

ROOT = Path(__file__).parent.parent.parent
CONTAINERFILE = ROOT / "interface" / "deployment" / "Containerfile"
READY_SECONDS = 180.0
STOP_SECONDS = 60.0


def main() -> None:
    """Builds, runs and stops it. Exit status 1: something failed."""
    if os.geteuid() != 0 or shutil.which("debootstrap", path=f"{os.environ['PATH']}:/usr/sbin") is (
        None
    ):
        sys.exit("It needs root and debootstrap: apt-get install debootstrap.")
    found = stages(CONTAINERFILE.read_text())
    with TemporaryDirectory() as place:
        work = Path(place)
        work.chmod(0o755)
        root = build(found, ROOT, work)
        answers(root, found[-1])


def answers(root: Root, stage: Stage) -> None:
    """Runs the container's command until its health check passes and /readyz says 200; stops it."""
    port = free_port()
    root.environment["ADMITONE_PORT"] = str(port)
    with subprocess.Popen(root.command(*stage.command())) as running:
        try:
            _wait_for_health(root, stage, running)
            connection = HTTPConnection("127.0.0.1", port, timeout=10)
            connection.request("GET", "/readyz")
            response = connection.getresponse()
            body = response.read().decode()
            sys.stdout.write(f"/readyz: {response.status} {body}\n")
            if response.status != 200:
                sys.exit(1)
            (inside,) = processes.children(running.pid)
            os.kill(inside.pid, signal.SIGTERM)
            status = running.wait(STOP_SECONDS)
            sys.stdout.write(f"The service was stopped, with exit status {status}.\n")
            if status != 0:
                sys.exit(1)
        finally:
            running.kill()


def _wait_for_health(root: Root, stage: Stage, running: "subprocess.Popen[bytes]") -> None:
    ends_at = monotonic() + READY_SECONDS
    while subprocess.run(root.command(*stage.health_command())).returncode:
        if running.poll() is not None or monotonic() > ends_at:
            sys.exit("The service did not become healthy.")
        sleep(1)


if __name__ == "__main__":
    main()
