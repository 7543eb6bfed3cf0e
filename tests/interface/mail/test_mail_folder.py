"""Mails that do not go out are files in a folder."""

from pathlib import Path
from shutil import rmtree
from uuid import UUID

import pytest

from interface.mail.mail import Mail
from interface.mail.mail_folder import MailFolder

MAIL = Mail(b"Subject: Booked\r\n", sender="host@example.org", recipient="ada@example.org")
BOOKING, DELIVERY = UUID(int=1), UUID(int=2)


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
