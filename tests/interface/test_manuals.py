"""The commands in the manuals do, on a running service, what is said there."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

from tests.support.service import Service
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[2]
INTERFACE = ROOT / "interface"
HERE = "http://127.0.0.1:8000"
COMMAND = ".venv/bin/admitone"


def blocks(manual: str) -> list[str]:
    """The shell blocks of a manual below interface/."""
    text = (INTERFACE / manual).read_text()
    return re.findall(r"^```sh\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def run(script: str, service: Service, folder: Path) -> list[str]:
    """The lines that a script prints, with the addresses and programs of this test."""
    ours = shlex.join([sys.executable, "-m", "interface.cli"])
    script = script.replace(HERE, service.url).replace(COMMAND, ours)
    script = script.replace("python3 verifier.py", f"{shlex.quote(sys.executable)} verifier.py")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env=service.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_walk_through_of_the_api_manual_can_be_pasted(service: Service) -> None:
    script = "\n".join(blocks("README.md"))
    assert HERE in script
    assert COMMAND in script
    url, first, again, refusal, status = run(script, service, ROOT)
    assert url.startswith(f"{service.url}/b/")
    assert first.startswith(f"{service.url}/m/")
    assert again == first
    assert (refusal, status) == ("/problems/link-redeemed", "confirmed")


def test_an_export_is_proved_with_the_commands_of_the_auditors_manual(
    service: Service, tmp_path: Path
) -> None:
    (script,) = (block for block in blocks("help/auditor.md") if "verifier.py" in block)
    (tmp_path / "application").symlink_to(ROOT / "application")
    service.new_calendar()
    wait_until(lambda: is_signed(service))
    *_, proved = run(script, service, tmp_path)
    assert proved.startswith("Proved: ")


def is_signed(service: Service) -> bool:
    try:
        service.command("audit", "checkpoint")
    except subprocess.CalledProcessError:
        return False
    return True
