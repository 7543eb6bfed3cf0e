"""The READMEs name only what exists."""

import hashlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
READMES = [
    ROOT / name
    for name in (
        "README.md",
        ".github/CONTRIBUTING.md",
        "application/README.md",
        "domain/README.md",
        "interface/README.md",
        "interface/help/auditor.md",
        "interface/help/operator.md",
        "interface/pages/README.md",
        "projections/README.md",
    )
]
FILE = re.compile(r"`((?:domain|application|projections|interface|tests)/[\w/.]+)`")
LINK = re.compile(r"\]\((?!https?:)([^)#]+)\)")
TARGET = re.compile(r"^make ([a-z]+)|`make ([a-z]+)[ `]", re.MULTILINE)


@pytest.mark.parametrize("readme", READMES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_that_a_readme_names_exists(readme: Path) -> None:
    missing = [name for name in FILE.findall(readme.read_text()) if not (ROOT / name).exists()]
    assert missing == []


@pytest.mark.parametrize("readme", READMES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_relative_link_of_a_readme_leads_somewhere(readme: Path) -> None:
    missing = [
        name for name in LINK.findall(readme.read_text()) if not (readme.parent / name).exists()
    ]
    assert missing == []


def test_every_target_that_the_readme_names_can_be_made() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {one or other for one, other in TARGET.findall((ROOT / "README.md").read_text())}
    assert {"run", "test", "check"} <= named <= targets


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
