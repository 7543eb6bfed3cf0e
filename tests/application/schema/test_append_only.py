"""The log only grows: even its owner cannot change recorded events."""

import psycopg
import pytest
from psycopg import sql

from tests.support.desk import Desk


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE stored_events SET topic = topic",
        "UPDATE stored_events SET state = 'x' WHERE false",
        "DELETE FROM stored_events",
        "TRUNCATE stored_events",
        "INSERT INTO stored_events SELECT * FROM stored_events ON CONFLICT"
        " (originator_id, originator_version) DO UPDATE SET topic = 'x'",
        "MERGE INTO stored_events USING (VALUES (1)) AS x ON true WHEN MATCHED THEN DELETE",
    ],
)
def test_recorded_events_cannot_be_changed(desk: Desk, conninfo: str, statement: str) -> None:
    desk.new_link()
    before = desk.log()
    with (
        psycopg.connect(conninfo) as conn,
        pytest.raises(psycopg.errors.InsufficientPrivilege, match="the log only grows"),
    ):
        conn.execute(statement.encode())
    assert desk.log() == before


def test_a_copy_of_the_log_can_be_read_in_elsewhere(desk: Desk, conninfo: str) -> None:
    desk.new_link()
    before = desk.services.database.fetch_all("SELECT * FROM stored_events")
    with psycopg.connect(conninfo) as conn:
        with conn.cursor().copy("COPY stored_events TO STDOUT") as out:
            copied = b"".join(bytes(part) for part in out)
        conn.execute("CREATE SCHEMA elsewhere")
        # As `pg_restore --data-only` does it, into tables with their triggers.
        conn.execute("CREATE TABLE elsewhere.stored_events (LIKE stored_events INCLUDING ALL)")
        conn.execute(
            "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE"
            " ON elsewhere.stored_events FOR EACH STATEMENT"
            " EXECUTE FUNCTION refuse_to_change_the_log()"
        )
        with conn.cursor().copy("COPY elsewhere.stored_events FROM STDIN") as into:
            into.write(copied)
        columns = sql.SQL(", ").join(map(sql.Identifier, before[0]))
        rows = conn.execute(
            sql.SQL("SELECT {} FROM elsewhere.stored_events").format(columns)
        ).fetchall()
        conn.rollback()
    assert rows == [tuple(row.values()) for row in before]
