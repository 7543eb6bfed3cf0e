"""An event that the list of links cannot apply."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from application.eventstore.database import Database
from projections.views import link_list


@contextmanager
def unappliable_expiry(database: Database, expiry: datetime) -> Iterator[None]:
    """Lets the list of links park every link with that expiry within the block."""
    table = f"ALTER TABLE {link_list.NAME}"
    with database.connection() as conn:
        conn.execute(
            f"{table} ADD CONSTRAINT unappliable CHECK (expires_at <> '{expiry}')".encode()
        )
    try:
        yield
    finally:
        with database.connection() as conn:
            conn.execute(f"{table} DROP CONSTRAINT unappliable".encode())
