"""The version in pyproject.toml is the one that everything else shows."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from interface.version import version

ROOT = Path(__file__).parents[2]
IN_PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


@pytest.fixture(autouse=True)
def nothing_remembered() -> Iterator[None]:
    version.cache_clear()
    yield
    version.cache_clear()


def test_the_version_is_the_one_in_pyproject() -> None:
    assert version() == IN_PYPROJECT


def test_the_newest_entry_of_the_changelog_is_this_version() -> None:
    changelog = (ROOT / ".github" / "CHANGELOG.md").read_text()
    newest, *older = re.findall(r"^## \[(\d+\.\d+\.\d+)\] - \d{4}-\d\d-\d\d$", changelog, re.M)
    assert newest == version()
    assert newest not in older


def test_an_installed_distribution_is_asked_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = tmp_path / "admitone-9.8.7.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.4\nName: admitone\nVersion: 9.8.7\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert version() == "9.8.7"


def test_the_version_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    first = version()
    monkeypatch.setattr("interface.version.PYPROJECT", ROOT / "nowhere.toml")
    assert version() == first
