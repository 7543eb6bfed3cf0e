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
    script = re.sub(
        r"^admitone|(?<=[(| ])admitone(?= )", lambda _: ours, script, flags=re.MULTILINE
    )
    python = f"{shlex.quote(sys.executable)} verifier.py"
    script = re.sub("python3? verifier.py", lambda _: python, script)
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


def test_the_log_is_proved_with_every_command_that_manuals_and_pages_show_for_it(
    service: Service, tmp_path: Path
) -> None:
    (script,) = (block for block in blocks("help/auditor.md") if "verifier.py" in block)
    (tmp_path / "application").symlink_to(ROOT / "application")
    service.new_calendar()
    wait_until(lambda: is_signed(service))
    *_, proved = run(script, service, tmp_path)
    assert proved.startswith("Proved: ")

    (witnessing,) = (block for block in blocks("help/auditor.md") if "witness init" in block)
    run(f"KEY={service.key}; URL={service.url}\n{witnessing}", service, tmp_path)
    witness = (
        "--checkpoint cosigned.checkpoint --key audit-key.txt --witness witness/witness-key.txt"
    )
    for program in ("admitone audit verify-export", "python3 verifier.py"):
        (proved,) = run(f"{program} log.jsonl {witness}", service, tmp_path)
        assert proved.startswith("Proved: ")

    (_, manual), page = (
        ROOT.joinpath("application/README.md").read_text().split("pip install cryptography\n"),
        INTERFACE.joinpath("pages/templates/audit/checkpoint.html").read_text(),
    )
    run("cp log.jsonl export.jsonl; cp log.jsonl.checkpoint checkpoint.txt", service, tmp_path)
    run("cp audit-key.txt key.txt; cp checkpoint.txt FILE.checkpoint", service, tmp_path)
    shown = [
        manual.partition("```")[0],
        *re.findall("<code>(admitone .*?)</code>", page, re.DOTALL),
    ]
    assert len(shown) == 4
    for script in shown:
        said = " ".join(run(script, service, tmp_path))
        assert "Proved: " in said or "The log is as it was recorded" in said, script


def is_signed(service: Service) -> bool:
    try:
        service.command("audit", "checkpoint")
    except subprocess.CalledProcessError:
        return False
    return True
