"""A list of erasures outside the database, so that they outlive a return to an earlier moment.

A database that is brought back to a moment does not know who was forgotten after it. So each
erasure is listed in a file beside the checkpoints: by the ids of the booking and of the links, and
by the commitment in the log to the invitee, of whom it says nothing once the salt is erased. As
with checkpoints, a file is created once and never changed.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

from psycopg import Connection
from psycopg.rows import DictRow

from application.commands.erasure import erasures_after
from application.commands.same_invitee import forgotten_with
from projections.evidence.checkpoint_store import create_like_parent, create_whole

FOLDER = "erasures"
_NAME = re.compile(r"(\d{15})-[0-9a-f]{32}\.ids", re.ASCII)


_COMMITMENT = re.compile(r"[0-9a-f]{64}", re.ASCII)


class ListedErasure(NamedTuple):
    """An erasure in the log. `link_ids` are those with personal data about the same invitee.

    `made` as in `Erasure`. Early lists are without: None.
    """

    position: int
    booking_id: UUID
    made: str | None
    link_ids: tuple[UUID, ...]


class ErasureList:
    """The folder of lists, within that of the checkpoints."""

    def __init__(self, checkpoints: Path) -> None:
        self._folder = checkpoints / FOLDER

    def all(self) -> list[ListedErasure]:
        """Returns all erasures that were ever listed, by position. Raises `OSError`, `ValueError`.

        One that was made anew after a return to an earlier moment is there twice.
        """
        return [erasure for file in self._files() for erasure in _read(file)]

    def add_new(self, conn: Connection[DictRow]) -> int:
        """Lists the erasures of the log that are not listed yet, and returns how many.

        Raises `OSError`.
        """
        count = 0
        after = self._known_to(conn)
        while page := erasures_after(conn, after):
            found = [ListedErasure(*each, _links(conn, each.booking_id)) for each in page]
            self._create(found)
            after, count = found[-1].position, count + len(found)
        return count

    def _known_to(self, conn: Connection[DictRow]) -> int:
        """Returns the position of the last listed erasure that this log has, or 0."""
        for file in reversed(self._files()):
            last = _read(file)[-1]
            for found in erasures_after(conn, last.position - 1, most=1):
                if found == (last.position, last.booking_id, last.made or found.made):
                    return last.position
        return 0

    def _files(self) -> list[Path]:
        if not self._folder.is_dir():
            return []
        return sorted(file for file in self._folder.iterdir() if _NAME.fullmatch(file.name))

    def _create(self, erasures: list[ListedErasure]) -> None:
        if not self._folder.is_dir():
            self._folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            create_like_parent(self._folder)
        last = erasures[-1]
        file = self._folder / f"{last.position:015}-{last.booking_id.hex}.ids"
        create_whole(file, "".join(map(_line, erasures)))


def _links(conn: Connection[DictRow], booking_id: UUID) -> tuple[UUID, ...]:
    return tuple(sorted(forgotten_with(conn, [booking_id]) - {booking_id}))


def _line(erasure: ListedErasure) -> str:
    position, booking_id, made, link_ids = erasure
    return " ".join(map(str, (position, booking_id, *([made] if made else []), *link_ids))) + "\n"


def _read(file: Path) -> list[ListedErasure]:
    """Returns the erasures in a file: at least one. Raises `OSError`, `ValueError`."""
    found = list(_parsed(file.read_text("ascii")))
    if not found:
        raise ValueError(f"{file} is empty.")
    return found


def _parsed(text: str) -> Iterator[ListedErasure]:
    for line in text.splitlines():
        position, booking_id, *rest = line.split()
        made = rest.pop(0) if rest and _COMMITMENT.fullmatch(rest[0]) else None
        yield ListedErasure(int(position), UUID(booking_id), made, tuple(map(UUID, rest)))
