"""The verifier as a single file on a machine without this project."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from application.proofs import verifier
from tests.application.proofs.example_exports import KEY, exported

PART = exported(range(2, 5))


class Files:
    """The checker alone in a folder, with the three files that it is given."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copy(verifier.__file__, folder)
        self.export, self.checkpoint, self.key = (folder / name for name in ("e", "c", "k"))
        self.export.write_bytes(b"".join(PART.lines))
        self.checkpoint.write_bytes(PART.checkpoint.encode())
        self.key.write_text(f"{KEY}\n")

    def arguments(self) -> list[str]:
        return [str(self.export), "--checkpoint", str(self.checkpoint), "--key", str(self.key)]

    def check(self) -> tuple[int, str]:
        command = [sys.executable, "-I", "verifier.py", *self.arguments()]
        done = subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, check=False, timeout=60
        )
        return done.returncode, done.stdout + done.stderr


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def test_the_verifier_imports_nothing_else_of_this_project() -> None:
    tree = ast.parse(Path(verifier.__file__).read_text())
    imported = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else [alias.name for alias in node.names]
        )
    }
    assert imported - sys.stdlib_module_names == {"cryptography"}


def test_the_verifier_runs_alone_and_says_what_is_proved(files: Files) -> None:
    assert files.check() == (
        0,
        "Proved: 3 events from index 2 on are in the tree of 7 that admitone.example.org "
        "signed at 2026-11-23T08:00:00.000000Z.\n",
    )


def test_the_verifier_says_what_is_not_proved(files: Files) -> None:
    files.export.write_bytes(b"".join(PART.lines).replace(b"link.issued", b"link.revoked"))
    assert files.check() == (
        1,
        "NOT PROVED: position 7: the event does not match its leaf hash\n",
    )


def test_the_verifier_distinguishes_an_unreadable_file_from_a_false_one(files: Files) -> None:
    files.checkpoint.unlink()
    code, said = files.check()
    assert code == 2
    assert said.startswith("Not checked: ")


def test_the_verifier_requires_all_three_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["verifier.py", "e", "--key", "k"])
    with pytest.raises(SystemExit) as ended:
        verifier.main()
    assert ended.value.code == 2


@pytest.mark.parametrize("name", ["export", "checkpoint", "key"])
def test_a_file_of_nonsense_proves_nothing(
    files: Files,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    getattr(files, name).write_bytes(b"\xff\xfe\n\n")
    monkeypatch.setattr(sys, "argv", ["verifier.py", *files.arguments()])
    assert verifier.main() == 1
    assert capsys.readouterr().out.startswith("NOT PROVED: ")


def test_an_overlong_line_is_cut_off(
    files: Files, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["verifier.py", *files.arguments()])
    monkeypatch.setattr(verifier, "LONGEST_LINE", len(max(PART.lines)) - 1)
    assert verifier.main() == 1
    assert "cut off" in capsys.readouterr().out
