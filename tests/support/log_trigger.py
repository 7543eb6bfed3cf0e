"""A way around the trigger that protects the log, for tests that have to change it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from psycopg import Connection


def bypass_log_trigger(conn: Connection[Any]) -> None:
    """Lets this transaction change the log. Only a superuser may do so."""
    conn.execute("SET LOCAL session_replication_role = replica")


@contextmanager
def writable_log(conn: Connection[Any]) -> Iterator[None]:
    """Allows changes of the log within the block, which is one transaction."""
    with conn.transaction():
        bypass_log_trigger(conn)
        yield
