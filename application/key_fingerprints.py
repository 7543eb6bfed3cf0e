"""Fingerprints of the keys that the service has used, by which it notices that one is missing."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from psycopg import Connection
from psycopg.rows import DictRow

LENGTH = 16  # hexadecimal digits


class KeyKind(StrEnum):
    """The kinds of keys of an installation."""

    SECRET = "secret"  # noqa: S105 - a kind
    """Signs links and other tokens, and encrypts the secrets of webhooks."""
    AUDIT = "audit"
    """Signs checkpoints."""


Keys = Mapping[KeyKind, Sequence[str]]
"""The keys that the service has now, newest first."""


@dataclass(frozen=True)
class KnownKey:
    """A key that the service has used. `recorded_at` is UTC."""

    kind: KeyKind
    fingerprint: str
    recorded_at: datetime


def fingerprint(key: str) -> str:
    """Returns the beginning of a SHA-256 of the key, from which nobody gets the key."""
    return hashlib.sha256(f"admitone key\n{key}".encode()).hexdigest()[:LENGTH]


def known(conn: Connection[DictRow]) -> list[KnownKey]:
    """Returns all keys that were recorded and not dropped, newest first."""
    rows = conn.execute(
        """SELECT kind, fingerprint, recorded_at FROM public.service_keys
        ORDER BY kind DESC, recorded_at DESC, fingerprint"""
    )
    return [KnownKey(KeyKind(row.pop("kind")), **row) for row in rows]


def missing(conn: Connection[DictRow], keys: Keys) -> list[KnownKey]:
    """Returns the recorded keys that are not among these."""
    present = {(kind, fingerprint(key)) for kind, those in keys.items() for key in those}
    return [key for key in known(conn) if (key.kind, key.fingerprint) not in present]


def record(conn: Connection[DictRow], keys: Keys) -> None:
    """Records the keys that are new."""
    before = {(key.kind, key.fingerprint) for key in known(conn)}
    now = {(kind, fingerprint(key)) for kind, those in keys.items() for key in those}
    for kind, new in now - before:
        conn.execute(
            """INSERT INTO public.service_keys (kind, fingerprint) VALUES (%s, %s)
            ON CONFLICT DO NOTHING""",
            (kind, new),
        )


def drop(conn: Connection[DictRow], dropped: str) -> bool:
    """Forgets the key with this fingerprint. Returns False if none was recorded."""
    deleted = conn.execute("DELETE FROM public.service_keys WHERE fingerprint = %s", (dropped,))
    return deleted.rowcount > 0
