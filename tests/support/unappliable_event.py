"""An event that the list of links can't take."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from application.eventstore.database import Database
from projections.views import link_list


@contextmanager
def poison(database: Database, expiry: datetime) -> Iterator[None]:
    """Within, the event that issues a link with that expiry is parked."""
    table = f"ALTER TABLE {link_list.NAME}"
    with database.connection() as conn:
        conn.execute(f"{table} ADD CONSTRAINT poison CHECK (expires_at <> '{expiry}')".encode())
    try:
        yield
    finally:
        with database.connection() as conn:
            conn.execute(f"{table} DROP CONSTRAINT poison".encode())
