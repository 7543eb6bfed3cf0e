"""A folder of mails that do not go out, because no mail server is set."""

import os
from pathlib import Path
from uuid import UUID

from application.deliveries.channel import Failed
from interface.mail.mail import Mail


class MailFolder:
    """Writes mails as files that mail programs open."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, mail: Mail, *, about: UUID, delivery_id: UUID) -> str:
        """Writes a mail about a booking or an account; a repeated one replaces its file.

        Returns where it is. Only the user of this process can read it. Raises `Failed`.
        """
        name = f"{self._folder}/{about}.{delivery_id}"
        draft, file = f"{name}.part", f"{name}.eml"
        try:
            with open(_created(draft), "wb") as opened:
                opened.write(mail.content)
            os.replace(draft, file)
        except OSError as error:
            raise Failed(f"{file} can't be written: {error.strerror}.") from error
        return f"written to {file}"

    def forget(self, about: UUID) -> None:
        """Deletes all mails about a booking. Raises `Failed`."""
        try:
            for file in self._folder.glob(f"{about}.*"):
                file.unlink()
        except OSError as error:
            raise Failed(f"A mail in {self._folder} can't be deleted: {error.strerror}.") from error


def _created(path: str) -> int:
    """Creates a new file for this user alone, and its folder; returns its descriptor."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    try:
        return os.open(path, flags, 0o600)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    except FileExistsError:  # of a process that was killed
        os.unlink(path)
    return os.open(path, flags, 0o600)
