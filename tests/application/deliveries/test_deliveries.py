"""The deliveries in the database, as people look at them and as they are deleted."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

from psycopg import Connection
from psycopg.rows import DictRow

from application.deliveries.deliveries import Deliveries
from tests.support.examples import NOW

T = TypeVar("T")


class OneConnection:
    """Runs the work for a database on a single connection."""

    def __init__(self, conn: Connection[DictRow]) -> None:
        self._conn = conn

    def run_idempotent(self, work: Callable[[Connection[DictRow]], T]) -> T:
        """Runs it once."""
        return work(self._conn)


def test_what_is_old_and_over_is_deleted_without_reading_all_that_was_sent(
    conn: Connection[DictRow],
) -> None:
    conn.execute(
        """INSERT INTO accounts (id, email, name, roles, sign_in_nonce)
        SELECT md5(n::text)::uuid, n || '@example.org', '', '{owner}', md5(n::text)::uuid
        FROM generate_series(0, 2) AS n"""
    )
    conn.execute(
        """INSERT INTO deliveries
            (id, channel, kind, audience, owner_id, due_at, state, next_attempt_at)
        SELECT gen_random_uuid(), 'mail', 'made', 'owner', md5(mod(n, 3)::text)::uuid,
            %(now)s - n * interval '1 minute',
            (ARRAY['sent', 'ended', 'due', 'parked'])[1 + mod(n, 4)], %(now)s
        FROM generate_series(1, 30000) AS n""",
        {"now": NOW},
    )
    conn.execute("ANALYZE deliveries, accounts")
    database: Any = OneConnection(conn)
    with conn.transaction():
        assert Deliveries(database).sweep(before=NOW - timedelta(minutes=18_000)) == 6_000
        row = conn.execute(
            "SELECT pg_stat_get_xact_numscans('deliveries'::regclass) AS scans_of_all"
        ).fetchone()
    assert row == {"scans_of_all": 0}
    rows = conn.execute("SELECT state, count(*) AS n FROM deliveries GROUP BY state").fetchall()
    left = {each["state"]: each["n"] for each in rows}
    assert left == {"sent": 4_500, "ended": 4_500, "due": 7_500, "parked": 7_500}
