"""An event that the list of links can't take."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from application.database import Database
from projections import link_list

EXPIRY = datetime(2026, 12, 24, 18, 0, tzinfo=UTC)
"""A link that expires then is what the list can't take."""


@contextmanager
def poison(database: Database) -> Iterator[None]:
    """Within, `link.issued` events with that expiry are parked."""
    table = f"ALTER TABLE {link_list.NAME}"
    with database.connection() as conn:
        conn.execute(f"{table} ADD CONSTRAINT poison CHECK (expires_at <> '{EXPIRY}')".encode())
    try:
        yield
    finally:
        with database.connection() as conn:
            conn.execute(f"{table} DROP CONSTRAINT poison".encode())
