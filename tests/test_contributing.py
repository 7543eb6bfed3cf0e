"""The contributing guide and CI name only what exists."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CONTRIBUTING = (ROOT / ".github" / "CONTRIBUTING.md").read_text()
CI = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
SUFFIXES = {".md", ".sh", ".yml", ".yaml"}
ABOUT_THE_PROJECT = [
    *(path for path in sorted((ROOT / ".github").rglob("*")) if path.suffix in SUFFIXES),
    ROOT / ".pre-commit-config.yaml",
]


@pytest.mark.parametrize("file", ABOUT_THE_PROJECT, ids=lambda path: path.name)
def test_every_make_target_that_is_named_exists(file: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = re.findall(r"(?:^|`|run: |\d\. )make ([a-z-]+)", file.read_text(), re.MULTILINE)
    assert set(named) - targets == set()


def test_every_file_and_folder_that_contributors_are_sent_to_exists() -> None:
    folders = re.findall(r"`([\w.-]+/)`", CONTRIBUTING)
    files = re.findall(r"`([\w.-]+/[\w./-]+\.\w+)`", CONTRIBUTING)
    linked = [f".github/{name}" for name in re.findall(r"\]\(([\w.-]+)\)", CONTRIBUTING)]
    in_tests = {f"{path.name}/" for path in (ROOT / "tests").iterdir()}
    mirrored = {"domain/", "application/", "projections/", "interface/"}
    named = {*folders, *files, *linked} - (in_tests - mirrored)
    assert {"domain/", "tests/", "domain/errors.py", ".github/SECURITY.md"} <= named
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_ci_runs_every_python_that_the_package_names() -> None:
    prefix = "Programming Language :: Python :: "
    named = [name.removeprefix(prefix) for name in PROJECT["classifiers"] if prefix in name]
    matrix = re.search(r"python: (\[.*\])\n +postgres: ", CI)
    assert matrix is not None
    assert re.findall(r'"([\d.]+)"', matrix[1]) == named
    assert PROJECT["requires-python"] == f">={named[0]}"


def test_every_chapter_of_the_security_standard_names_tests_that_exist() -> None:
    security = (ROOT / ".github" / "SECURITY.md").read_text()
    tests = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    there = set(re.findall(r"^(?:async )?def (test_\w+)", tests, re.MULTILINE))
    named = set(re.findall(r"`(test_\w+)`", security))
    assert sorted(named - there) == []
    chapters = dict(re.findall(r"^\| (V\d+) [^|]*\|([^|]*\|[^|]*)\|$", security, re.MULTILINE))
    assert list(chapters) == [f"V{number}" for number in range(1, 18)]
    for chapter, row in chapters.items():
        assert "`test_" in row or " held |" not in f" {row}".replace("not held", ""), chapter
