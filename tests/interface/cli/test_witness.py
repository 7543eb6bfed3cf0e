"""`admitone audit witness`: the log on one side, the witness with only a folder on the other."""

import os
import stat
from collections.abc import Callable
from errno import EPERM
from pathlib import Path

import pytest

from interface.key_store import checkpoint_signer
from interface.settings import Settings
from tests.support.command_line import Command, refusal
from tests.support.desk import Desk


@pytest.fixture(autouse=True)
def _audit_key(admitone: Command) -> None:
    """Makes the key that the service makes at its first start."""
    checkpoint_signer(Settings.from_environment(os.environ))


@pytest.fixture
def folder(admitone: Command, tmp_path: Path) -> Path:
    """The folder of a new witness of this installation's log."""
    log_key = tmp_path / "log-key.txt"
    log_key.write_text(admitone("audit", "key").out)
    folder = tmp_path / "witness"
    made = admitone(
        *("audit", "witness", "init", str(folder)),
        *("--name", "witness.example.org", "--log-key", str(log_key)),
    )
    assert (made.status, made.out) == (0, (folder / "witness-key.txt").read_text())
    return folder


def test_a_cosigned_checkpoint_proves_an_export(
    admitone: Command, desk: Desk, catch_up: Callable[[], None], folder: Path, tmp_path: Path
) -> None:
    assert stat.S_IMODE((folder / "private-key.txt").stat().st_mode) == 0o600
    request, export = tmp_path / "request.txt", tmp_path / "export.jsonl"
    checkpoint = tmp_path / "export.jsonl.checkpoint"
    for size in (2, 4):
        desk.new_link()
        catch_up()
        old = admitone("audit", "witness", "last", str(folder)).out.strip()
        request.write_text(admitone("audit", "witness", "request", "--old", old).out)
        cosigned = admitone("audit", "witness", "cosign", str(folder), str(request))
        assert cosigned.status == 0
        assert admitone("audit", "witness", "last", str(folder)).out == f"{size}\n"
    admitone("audit", "export", "--out", str(export))
    prove = (
        *("audit", "verify-export", str(export), "--checkpoint", str(checkpoint)),
        *("--key", str(folder / "log-key.txt"), "--witness", str(folder / "witness-key.txt")),
    )
    unwitnessed = admitone(*prove)
    assert unwitnessed.status == 1
    assert unwitnessed.out.endswith("the checkpoint is not cosigned by witness.example.org\n")
    checkpoint.write_text(cosigned.out)
    assert admitone(*prove).out.startswith("Proved: 4 events")
    again = admitone("audit", "witness", "cosign", str(folder), str(request))
    assert (again.status, again.out) == (1, "")
    assert again.err == (
        "NOT COSIGNED: the proof begins at 2, and the last checkpoint cosigned is 4.\n"
    )


def test_checkpoints_of_the_security_log_are_cosigned_as_well(
    admitone: Command, tmp_path: Path
) -> None:
    key, folder, request = (tmp_path / name for name in ("key.txt", "witness", "request.txt"))
    admitone("accounts", "create", "olivia@example.org")
    key.write_text(admitone("audit", "key", "--security").out)
    made = ("audit", "witness", "init", str(folder), "--name", "w", "--log-key", str(key))
    assert admitone(*made).status == 0
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for _ in range(2):
        old = admitone("audit", "witness", "last", str(folder)).out.strip()
        asked = admitone("audit", "witness", "request", "--security", "--old", old)
        request.write_text(asked.out)
        cosigned = admitone("audit", "witness", "cosign", str(folder), str(request))
        assert (cosigned.status, cosigned.err) == (0, "")
        admitone("accounts", "sign-out", "olivia@example.org")
    assert int(admitone("audit", "witness", "last", str(folder)).out) > int(old) > 0


def test_a_witness_may_live_where_files_have_one_name_only(
    admitone: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(EPERM, "Operation not permitted")  # as on a USB stick

    key, folder = tmp_path / "key.txt", tmp_path / "witness"
    key.write_text(admitone("audit", "key").out)
    monkeypatch.setattr(os, "link", refused)
    made = ("audit", "witness", "init", str(folder), "--name", "w", "--log-key", str(key))
    assert admitone(*made).status == 0
    assert admitone("audit", "witness", "last", str(folder)).out == "0\n"


def test_what_is_no_folder_of_a_witness_is_refused(
    admitone: Command, folder: Path, tmp_path: Path
) -> None:
    nowhere = str(tmp_path / "nowhere")
    assert refusal(admitone("audit", "witness", "last", nowhere)) == (
        f"{nowhere} is not the folder of a witness: No such file or directory."
    )
    key = str(folder / "log-key.txt")
    again = ("audit", "witness", "init", str(folder), "--log-key", key)
    assert refusal(admitone(*again, "--name", "w")) == f"{folder} can't be created: File exists."
    for name, log_key in (("two words", key), ("w", str(folder / "private-key.txt"))):
        made = admitone(
            *("audit", "witness", "init", nowhere, "--name", name, "--log-key", log_key)
        )
        assert refusal(made).startswith("The witness can't be created: ")
    assert not Path(nowhere).exists()
