"""Personal data: what people type about people, stored beside the log and never in it.

A row belongs to the event that caused it (same id, same version) and is written in the
same transaction. The event carries only a commitment, the SHA-256 of the row's random salt
and its canonical JSON. So an auditor can check that a row is what was typed at the time;
and once the row is deleted, its salt with it, the commitment says nothing about anybody.
"""

import hashlib
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Self
from uuid import UUID

import msgspec

from application.eventstore.database import Database
from application.eventstore.recorder import PersonalDataRow

SALT_BYTES = 32

_SELECT = "SELECT originator_id, originator_version, salt, data, language FROM personal_data"
_canonical = msgspec.json.Encoder(order="deterministic").encode


@dataclass(frozen=True)
class Invitee:
    """The person who books. `time_zone` is the IANA zone in which they saw times, if known."""

    name: str
    email: str
    time_zone: str | None = None

    @classmethod
    def from_data(cls, data: dict[str, str] | None) -> Self | None:
        """Returns the invitee of a booking's row; None if the row was deleted."""
        if data is None:
            return None
        return cls(data["name"], data["email"], data.get("time_zone"))


@dataclass(frozen=True)
class Prefill:
    """The details with which a link fills in the invitee's form."""

    name: str | None = None
    email: str | None = None

    @classmethod
    def from_data(cls, data: Mapping[str, str]) -> Self | None:
        """Returns the details in a link's row; None if it has none."""
        name, email = data.get("prefill_name"), data.get("prefill_email")
        return cls(name, email) if name or email else None


def commitment(salt: bytes, data: Mapping[str, str]) -> str:
    """Returns the SHA-256 of salt and canonical JSON, in hexadecimal.

    Canonical JSON has sorted keys, no spaces, and is in UTF-8.
    """
    return hashlib.sha256(salt + _canonical(data)).hexdigest()


def without_empty(data: Mapping[str, str | None]) -> dict[str, str]:
    """Returns the fields that were filled in. Only these are stored and committed to."""
    return {name: value for name, value in data.items() if value}


def row_for(
    originator_id: UUID,
    originator_version: int,
    data: Mapping[str, str | None],
    *,
    like: PersonalDataRow | None = None,
    language: str | None = None,
) -> tuple[list[PersonalDataRow], str | None]:
    """Returns the row to save with an event, and the commitment for the event itself.

    With no field filled in there is no row, and no commitment. The same data as in the row
    `like` gets the same commitment, by which it can be recognized.
    """
    filled = without_empty(data)
    if not filled:
        return [], None
    is_same = like is not None and like.data == filled
    salt = like.salt if like is not None and is_same else secrets.token_bytes(SALT_BYTES)
    row = PersonalDataRow(originator_id, originator_version, salt, filled, language)
    return [row], commitment(salt, filled)


def find(
    database: Database, originator_id: UUID, originator_version: int = 1
) -> PersonalDataRow | None:
    """Returns the row of one event; None if it never had one, or it was deleted."""
    rows = database.fetch_objects(
        PersonalDataRow,
        f"{_SELECT} WHERE originator_id = %s AND originator_version = %s",
        (originator_id, originator_version),
    )
    return rows[0] if rows else None


def first_rows(database: Database, originator_ids: Sequence[UUID]) -> dict[UUID, PersonalDataRow]:
    """Returns the rows of the first events of these bookings or links, as far as they have one."""
    rows = database.fetch_objects(
        PersonalDataRow,
        f"{_SELECT} WHERE originator_id = ANY(%s) AND originator_version = 1",
        (list(originator_ids),),
    )
    return {row.originator_id: row for row in rows}


def rows_of(database: Database, originator_id: UUID) -> dict[int, PersonalDataRow]:
    """Returns the rows of all events of a booking or a link, by version."""
    rows = database.fetch_objects(
        PersonalDataRow, f"{_SELECT} WHERE originator_id = %s", (originator_id,)
    )
    return {row.originator_version: row for row in rows}


def rows_by_originator(
    database: Database, originator_ids: Collection[UUID]
) -> dict[UUID, dict[int, PersonalDataRow]]:
    """Returns the rows of all events of these bookings and links, by id and version."""
    found: dict[UUID, dict[int, PersonalDataRow]] = {}
    query = f"{_SELECT} WHERE originator_id = ANY(%s)"
    for row in database.fetch_objects(PersonalDataRow, query, (list(originator_ids),)):
        found.setdefault(row.originator_id, {})[row.originator_version] = row
    return found


def texts_of(database: Database, originator_id: UUID) -> dict[int, dict[str, str]]:
    """Returns what is stored for the events of a booking or a link, by version."""
    return {version: row.data for version, row in rows_of(database, originator_id).items()}


def link_data(
    recipient: str | None, note: str | None, reference: str | None, prefill: Prefill | None
) -> dict[str, str | None]:
    """Returns the fields of a link's row."""
    return {
        "recipient": recipient,
        "note": note,
        "reference": reference,
        "prefill_name": prefill.name if prefill else None,
        "prefill_email": prefill.email if prefill else None,
    }


def booking_data(invitee: Invitee, notes: str | None) -> dict[str, str | None]:
    """Returns the fields of a booking's row."""
    return {
        "name": invitee.name,
        "email": invitee.email,
        "time_zone": invitee.time_zone,
        "notes": notes,
    }
