"""The READMEs name only what exists."""

import hashlib
import re
from pathlib import Path

import click
import pytest

from interface.cli.command_line import commands

ROOT = Path(__file__).parent.parent
READMES = [
    ROOT / name
    for name in (
        "README.md",
        ".github/CONTRIBUTING.md",
        "application/README.md",
        "domain/README.md",
        "interface/README.md",
        "interface/deployment/GROWTH.md",
        "interface/deployment/README.md",
        "interface/help/auditor.md",
        "interface/help/operator.md",
        "interface/pages/README.md",
        "projections/README.md",
    )
]
"""The manuals. What they say to type is run by `tests/interface/test_manuals.py`."""
TEXTS = [*READMES, ROOT / "tests" / "cluster" / "README.md"]
FILE = re.compile(r"`((?:domain|application|projections|interface|tests)/[\w/.]+)`")
COMMAND = re.compile(r"(?:^|[`/(| ])admitone ((?:[a-z][a-z-]*)(?: [^`\n|>#]*)?)")
LINK = re.compile(r"\]\((?!https?:)([^)#]+)\)")
CODE = re.compile(r"^```.*?^```|`[^`\n]+`", re.MULTILINE | re.DOTALL)
TARGET = re.compile(r"^`?make ([a-z-]+)", re.MULTILINE)


@pytest.mark.parametrize("readme", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_that_a_readme_names_exists(readme: Path) -> None:
    missing = [name for name in FILE.findall(readme.read_text()) if not (ROOT / name).exists()]
    assert missing == []


@pytest.mark.parametrize("readme", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_relative_link_of_a_readme_leads_somewhere(readme: Path) -> None:
    missing = [
        name for name in LINK.findall(readme.read_text()) if not (readme.parent / name).exists()
    ]
    assert missing == []


@pytest.mark.parametrize("readme", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_target_that_a_readme_names_can_be_made(readme: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {name for code in CODE.findall(readme.read_text()) for name in TARGET.findall(code)}
    assert named <= targets


def test_targets_are_found_in_code_alone() -> None:
    code = CODE.findall("Run `make cluster-test ARGS=-s`, or\nmake one:\n```sh\nmake run\n```\n")
    assert [name for each in code for name in TARGET.findall(each)] == ["cluster-test", "run"]


@pytest.mark.parametrize("readme", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_that_a_readme_names_is_there_with_its_options(readme: Path) -> None:
    wrong = [line for line in COMMAND.findall(readme.read_text()) if not is_command(line)]
    assert wrong == []


def test_a_command_that_is_not_there_would_be_noticed() -> None:
    assert is_command("audit export --out FILE")
    assert not is_command("audit exports")
    assert not is_command("audit export --nowhere")


def is_command(line: str) -> bool:
    """Whether the command line has such a command, and the command such options."""
    command: click.Command = commands
    context = click.Context(command)
    words = re.sub(r"[\[\]]|…", "", line).split()
    while words and isinstance(command, click.Group) and not words[0].startswith("-"):
        found = command.get_command(context, words.pop(0))
        if found is None:
            return False
        command = found
        context = click.Context(command, parent=context)
    known = {name for each in command.get_params(context) for name in each.opts}
    return {word.partition("=")[0] for word in words if word.startswith("--")} <= known


def test_vendored_files_are_what_their_checksums_say() -> None:
    folder = ROOT / "interface/pages/static/vendor"
    listed = {}
    for line in (folder / "SHA256SUMS").read_text().splitlines():
        checksum, name = line.split()
        listed[name] = checksum
    found = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.iterdir()
        if path.suffix in (".js", ".css")
    }
    assert found == listed
