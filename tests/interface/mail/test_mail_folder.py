"""Mails that do not go out are files in a folder."""

from pathlib import Path
from shutil import rmtree
from uuid import UUID

import pytest

from interface.mail.mail import Mail
from interface.mail.mail_folder import MailFolder

MAIL = Mail(b"Subject: Booked\r\n", sender="host@example.org", recipient="ada@example.org")
BOOKING, DELIVERY, OTHER = UUID(int=1), UUID(int=2), UUID(int=3)


def test_the_folder_is_created_by_the_first_mail_and_again_after_somebody_deleted_it(
    tmp_path: Path,
) -> None:
    folder = MailFolder(tmp_path / "data" / "mail")
    for _ in range(2):
        folder.write(MAIL, about=BOOKING, delivery_id=DELIVERY)
        (file,) = (tmp_path / "data" / "mail").iterdir()
        assert file.read_bytes() == MAIL.content
        assert file.parent.stat().st_mode & 0o777 == 0o700
        rmtree(file.parent)


def test_later_mails_do_not_ask_for_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = MailFolder(tmp_path / "mail")
    folder.write(MAIL, about=BOOKING, delivery_id=DELIVERY)
    monkeypatch.delattr(Path, "mkdir")
    folder.write(MAIL, about=BOOKING, delivery_id=DELIVERY)


def test_a_draft_that_a_killed_sender_left_is_deleted_by_the_next_one(tmp_path: Path) -> None:
    (tmp_path / f".{BOOKING}.{DELIVERY}.eml.00000000.draft").write_bytes(MAIL.content)
    MailFolder(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_drafts_are_forgotten_with_the_mails(tmp_path: Path) -> None:
    folder = MailFolder(tmp_path)
    folder.write(MAIL, about=BOOKING, delivery_id=DELIVERY)
    (tmp_path / f".{BOOKING}.{DELIVERY}.eml.00000000.draft").write_bytes(MAIL.content)
    folder.write(MAIL, about=OTHER, delivery_id=DELIVERY)
    folder.forget(BOOKING)
    assert [file.name for file in tmp_path.iterdir()] == [f"{OTHER}.{DELIVERY}.eml"]


def test_a_mail_is_written_without_a_look_at_all_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = MailFolder(tmp_path)
    monkeypatch.delattr(Path, "glob")
    folder.write(MAIL, about=BOOKING, delivery_id=DELIVERY)
