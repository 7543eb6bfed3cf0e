"""The commands in the manuals do, on a running service, what is said there.

Every block `sh` or `crontab` runs as it is written, one after the other. The comment `not run`
before a block says why it does not.
"""

import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.service import Service
from tests.test_readme import READMES, ROOT

HERE = "http://127.0.0.1:8000"
MIGRATOR = "postgresql://migrator@db/admitone"
BLOCK = re.compile(
    r"(^<!-- not run: (?P<why>[^>]+) -->\n)?^```(?P<kind>\w*)\n(?P<text>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
SCHEDULE = re.compile(r"^(?:\S+ ){5}\s*", re.MULTILINE)
COMMAND = re.compile(r"^(?:\S*/)?(?:admitone|make|pip|python3?|curl|psql) ", re.MULTILINE)


@dataclass(frozen=True)
class Manual:
    """What a test runs before and after the commands of a manual, and what all have to print."""

    prints: str
    before: str = ""
    after: str = ""


MANUALS = {
    "interface/README.md": Manual(
        prints=r"http://[\d.:]+/b/\S+\n(http://[\d.:]+/m/\S+)\n\1\n/problems/link-redeemed\nconfirmed\n08:00"
    ),
    "interface/help/auditor.md": Manual(
        prints=r'ao_\S+\n(?s:.*)"type":"link.issued"(?s:.*)Proved: (?s:.*)Proved: (?s:.*)Proved: ',
        after="""
            size=$(admitone audit witness last witness)
            curl -fsS -H "Authorization: Bearer $KEY" \\
                "$URL/api/v1/audit/witness-request?old=$size" |
                admitone audit witness cosign witness > cosigned.checkpoint
            for program in "admitone audit verify-export" "python3 verifier.py"; do
                $program log.jsonl --checkpoint cosigned.checkpoint --key audit-key.txt \\
                    --witness witness/witness-key.txt
            done""",
    ),
    "application/README.md": Manual(
        before="""
            cp application/proofs/verifier.py .
            admitone audit key > key.txt
            admitone audit export --out export.jsonl > out.txt
            mv export.jsonl.checkpoint checkpoint.txt""",
        prints=r"Proved: ",
    ),
    "projections/README.md": Manual(
        before="""
            admitone() {
                if [ "$1" = restore ]; then local ADMITONE_DATABASE_URL=$EMPTY ADMITONE_DATA=new; fi
                command admitone "$@"
            }""",
        prints=r"booking_calendar\S* (?s:.*)",
    ),
}
"""By their paths. Manuals without commands are not here."""


@pytest.mark.parametrize("readme", READMES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_of_a_manual_runs_here_or_the_manual_says_why_not(readme: Path) -> None:
    blocks = list(BLOCK.finditer(readme.read_text()))
    assert [
        block["text"]
        for block in blocks
        if block["kind"] not in ("sh", "crontab") and COMMAND.search(block["text"])
    ] == []
    assert bool(scripts_of(readme)) == (str(readme.relative_to(ROOT)) in MANUALS)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkout in which the programs are those of this test."""
    (tmp_path / "application").symlink_to(ROOT / "application")
    programs = tmp_path / ".venv/bin"
    programs.mkdir(parents=True)
    for name, command in (("admitone", "-m interface.cli "), ("python3", "")):
        program = programs / name
        program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {command}"$@"\n')
        program.chmod(0o700)
    return tmp_path


@pytest.mark.parametrize("manual", MANUALS)
def test_the_commands_of_a_manual_can_be_pasted(
    manual: str, service: Service, folder: Path, new_database: Callable[[], str]
) -> None:
    link = service.new_link()
    service.sign_checkpoint()
    said = run(
        "\n".join([MANUALS[manual].before, *scripts_of(ROOT / manual), MANUALS[manual].after]),
        service,
        folder,
        {"LINK_ID": link["id"], MIGRATOR: shlex.quote(new_database())},
        EMPTY=new_database(),
    )
    assert re.search(MANUALS[manual].prints, said), said


def test_the_page_of_checkpoints_shows_commands_that_can_be_pasted(
    service: Service, folder: Path
) -> None:
    service.sign_checkpoint()
    page = (ROOT / "interface/pages/templates/audit/checkpoint.html").read_text()
    shown = re.findall("<code>(admitone .*?)</code>", page, re.DOTALL)
    assert len(shown) == 3
    before = """
        cp application/proofs/verifier.py .
        admitone audit export --out FILE >&2
        admitone audit key > audit-key.txt"""
    said = run("\n".join([before, *shown]), service, folder)
    assert said.count("The log is as it was recorded") == 2
    assert "Proved: " in said


def scripts_of(manual: Path) -> list[str]:
    """Returns what a manual has its readers run, in order."""
    return [
        SCHEDULE.sub("", block["text"]) if block["kind"] == "crontab" else block["text"]
        for block in BLOCK.finditer(manual.read_text())
        if block["kind"] in ("sh", "crontab") and not block["why"]
    ]


def run(
    script: str,
    service: Service,
    folder: Path,
    examples: dict[str, str] | None = None,
    **environment: str,
) -> str:
    """Returns what a script prints, with this service and these values for the examples in it."""
    for example, value in {HERE: service.url, **(examples or {})}.items():
        script = script.replace(example, value)
    path = f"{folder / '.venv/bin'}:{service.environment['PATH']}"
    own = {"PATH": path, "KEY": service.key, "URL": service.url}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env=service.environment | own | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
