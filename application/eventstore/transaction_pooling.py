"""Recognises a pooler such as PgBouncer that gives each transaction another server connection.

Through such a pooler, prepared statements, LISTEN and the locks of a session meet somebody else's
connection: requests fail at random, two projectors run at once, and nothing else shows it.
"""

from contextlib import closing

from psycopg import Connection
from psycopg.rows import DictRow

from application.eventstore.connection import connect

_ATTEMPTS = 5  # other clients of the pooler may take the connection that a look waits for


def is_pooled_by_transaction(conn: Connection[DictRow], conninfo: str) -> bool:
    """Returns True if a transaction through `conninfo` may get another connection than the last.

    Asks a direct connection, as `conn`, a single question: a pooler announces a process of its
    own to the client instead of the server's. Behind a pooler, commits `conn`.
    """
    if _server_process(conn) == conn.info.backend_pid:
        return False
    conn.commit()
    name = "admitone pooling"
    with (
        closing(connect(conninfo, application_name=name)) as idle,
        closing(connect(conninfo, application_name=name)) as rival,
    ):
        for _ in range(_ATTEMPTS):
            before = _server_process(idle)
            with rival.transaction():
                # It gets what the pooler took back from `idle`, which then needs another one.
                taken = _server_process(rival)
                after = _server_process(idle)
            if taken == before or before != after:
                return True
    return False


def _server_process(conn: Connection[DictRow]) -> int:
    row = conn.execute("SELECT pg_backend_pid() AS pid").fetchone()
    return int(row["pid"]) if row else 0
