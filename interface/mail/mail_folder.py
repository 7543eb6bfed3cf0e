"""A folder of mails that do not go out, because no mail server is set."""

from pathlib import Path
from uuid import UUID

from application.deliveries.channel import Failed
from interface.mail.mail import Mail
from interface.private_files import delete_abandoned_drafts, replace_private


class MailFolder:
    """Writes mails as files that mail programs open."""

    def __init__(self, folder: Path) -> None:
        """Takes the folder, which may not exist yet. Deletes what killed processes left there."""
        self._folder = folder
        delete_abandoned_drafts(folder)

    def write(self, mail: Mail, *, about: UUID, delivery_id: UUID) -> str:
        """Writes a mail about a booking or an account; a repeated one replaces its file.

        Returns where it is. Only the user of this process can read it. Raises `Failed`.
        """
        file = self._folder / f"{about}.{delivery_id}.eml"
        try:
            self._replace(file, mail.content)
        except OSError as error:
            raise Failed(f"{file} can't be written: {error.strerror}.") from error
        return f"written to {file}"

    def _replace(self, file: Path, content: bytes) -> None:
        """Writes the file, and creates the folder if it turns out that there is none."""
        try:
            replace_private(file, content, is_one_of_many=True)
        except FileNotFoundError:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            replace_private(file, content, is_one_of_many=True)

    def forget(self, about: UUID) -> None:
        """Deletes all mails about a booking, and all drafts of them. Raises `Failed`."""
        try:
            for pattern in (f"{about}.*", f".{about}.*"):
                for file in self._folder.glob(pattern):
                    file.unlink(missing_ok=True)
        except OSError as error:
            raise Failed(f"A mail in {self._folder} can't be deleted: {error.strerror}.") from error
