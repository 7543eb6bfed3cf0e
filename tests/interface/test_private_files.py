"""What is written for one person's eyes has a mode that lets nobody else read it."""

import errno
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO

import pytest

from interface.private_files import create_private, make_private, replace_private, write_private


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_that_others_could_read_is_closed_to_them_before_it_is_written(
    tmp_path: Path,
) -> None:
    there, new = tmp_path / "there", tmp_path / "new"
    there.write_text("something longer than what comes")
    there.chmod(0o644)
    for path in (there, new):
        write_private(path, "Zoë")
        assert (mode(path), path.read_text()) == (0o600, "Zoë")


def fail_half_way(file: BinaryIO) -> None:
    file.write(b"half")
    raise OSError("the disk is full")


def test_a_file_is_created_or_replaced_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with pytest.raises(OSError, match="the disk is full"), create_private(path) as file:
        fail_half_way(file)
    assert list(tmp_path.iterdir()) == []
    with create_private(path) as file:
        file.write(b"first")
    with pytest.raises(FileExistsError), create_private(path) as file:
        file.write(b"second")
    assert path.read_bytes() == b"first"
    path.chmod(0o644)
    replace_private(path, b"third")
    assert (mode(path), path.read_bytes()) == (0o600, b"third")
    assert list(tmp_path.iterdir()) == [path]


def leave_a_draft(path: Path) -> None:
    """Starts to write a file in a process that is killed before it has finished."""
    script = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from interface.private_files import create_private\n"
        "with create_private(Path(sys.argv[1])):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", script, path]).returncode == -signal.SIGKILL
    assert path not in path.parent.iterdir()


def test_what_a_killed_process_left_is_deleted_by_the_next_one_that_writes_the_file(
    tmp_path: Path,
) -> None:
    path, other = tmp_path / "file[1]", tmp_path / "file"
    leave_a_draft(path)
    leave_a_draft(other)
    replace_private(path, b"whole")
    assert path.read_bytes() == b"whole"
    with create_private(other) as file:
        file.write(b"whole too")
    assert set(tmp_path.iterdir()) == {path, other}


def test_a_draft_that_is_being_written_is_left_to_its_writer(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with create_private(path) as file:
        file.write(b"slow")
        replace_private(tmp_path / "another", b"")
        replace_private(path, b"fast")
        path.unlink()
    assert path.read_bytes() == b"slow"


def test_a_file_is_written_also_on_a_file_system_without_locks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    path = tmp_path / "file"
    with create_private(path) as file:
        file.write(b"slow")
        replace_private(path, b"fast")
        path.unlink()
    assert path.read_bytes() == b"slow"
    assert list(tmp_path.iterdir()) == [path]


def test_a_pipe_with_the_name_of_a_draft_holds_nobody_up(tmp_path: Path) -> None:
    path = tmp_path / "file"
    os.mkfifo(tmp_path / ".file.00000000.draft")
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from interface.private_files import replace_private\n"
        "replace_private(Path(sys.argv[1]), b'written')\n"
    )
    subprocess.run([sys.executable, "-c", script, path], check=True, timeout=20)
    assert path.read_bytes() == b"written"


def test_a_file_with_a_similar_name_is_nobody_elses_draft(tmp_path: Path) -> None:
    copy = tmp_path / "backup.zip.20270118"
    copy.write_text("kept by a person")
    replace_private(tmp_path / "backup.zip", b"new")
    assert copy.read_text() == "kept by a person"


def test_a_folder_is_made_private_whether_it_is_there_or_not(tmp_path: Path) -> None:
    there, new = tmp_path / "there", tmp_path / "new" / "inner"
    there.mkdir(mode=0o755)
    for folder in (there, new):
        make_private(folder)
        assert mode(folder) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.parametrize("is_link", [False, True])
def test_another_user_still_reaches_a_folder_of_their_own_and_only_that_one_in_it(
    tmp_path: Path, is_link: bool
) -> None:
    data, theirs, elsewhere = tmp_path / "data", tmp_path / "data/postgres", tmp_path / "disk"
    data.mkdir(mode=0o755)
    for folder in (elsewhere if is_link else theirs, data / "lost+found"):
        folder.mkdir()
        os.chown(folder, 65534, 65534)
    if is_link:
        theirs.symlink_to(elsewhere)
    make_private(data, except_for=theirs)
    assert mode(data) == 0o711
    make_private(data, except_for=data / "another")
    assert mode(data) == 0o700
