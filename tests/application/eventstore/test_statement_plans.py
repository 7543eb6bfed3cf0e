"""Plans made on an empty database stay right when the log has grown, without statistics."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import product
from typing import NamedTuple
from uuid import UUID, uuid4

import pytest
from psycopg.rows import class_row, dict_row

from application.eventstore import append_statement, streams
from application.eventstore.database import PatientConnection
from application.eventstore.deadline import deadline
from application.eventstore.recorder import Forgotten
from application.eventstore.streams import NEWEST, OwnersTime, Part
from domain.slot import Slot
from tests.support.examples import NOW
from tests.support.stored_rows import stored, typed

EVENTS = 100_000
TABLES = ["stored_events", "personal_data", "refused_attempts", "deliveries"]
RUNS = 6  # PostgreSQL decides after five whether to plan once and for all
KINDS = list(product([False, True], [False, True], [False, True]))
"""With and without personal data, forgotten aggregates, and reads."""
STATEMENTS = 3
"""An append and two readings."""


class Touched(NamedTuple):
    """The rows of `TABLES` that were read so far, one after the other or by index."""

    in_sequence: int
    by_index: int


@pytest.fixture(scope="module")
def warm(new_database: Callable[[], str]) -> Iterator[PatientConnection]:
    """A connection that has planned everything on an empty database, which then grew."""
    with PatientConnection.connect(new_database(), autocommit=True, row_factory=dict_row) as conn:
        for table in TABLES:
            conn.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = false)".encode())
        for kind in KINDS * RUNS:
            run(conn, kind, uuid4())
        with deadline(60):  # on a busy machine, longer than a request may take
            conn.execute(
                """WITH event AS (
                    INSERT INTO stored_events (originator_id, originator_version, topic, state)
                    SELECT gen_random_uuid(), 1, 'test.happened', '{}'
                    FROM generate_series(1, %s) RETURNING originator_id
                ), person AS (
                    INSERT INTO personal_data SELECT originator_id, 1, '', '{}' FROM event
                ), delivery AS (
                    INSERT INTO deliveries
                        (id, channel, kind, audience, owner_id, link_id, due_at, next_attempt_at)
                    SELECT originator_id, 'webhook', 'link.issued', 'owner', originator_id,
                        originator_id, now(), now() FROM event
                )
                INSERT INTO refused_attempts (link_id, at, reason, address_hash)
                SELECT originator_id, now(), 'link-redeemed', '' FROM event""",
                (EVENTS,),
            )
        yield conn


def run(conn: PatientConnection, kind: tuple[bool, bool, bool], known: UUID) -> None:
    """Appends an event, with what an append of this kind has besides, and reads streams."""
    people, forgotten, read = kind
    event = stored()
    rows = append_statement.rows(
        [event],
        [typed(event)] if people else [],
        [Forgotten(known, known)] if forgotten else [],
        {known: 2} if read else {},
    )
    result = append_statement.append(conn, [rows], 1000)
    assert (len(result.positions), len(result.stale)) == ((0, 1) if read else (1, 0))
    append_statement.recorded(conn, [rows])
    parts = [Part(known, 1, NEWEST, NEWEST), Part(known, 1, NEWEST, 2)]
    for busy_at in (None, OwnersTime(known, Slot(NOW, NOW + timedelta(hours=1)))):
        streams.read(conn, parts, busy_at)


def touched(conn: PatientConnection) -> Touched:
    conn.execute("SELECT pg_stat_force_next_flush()")
    with conn.cursor(row_factory=class_row(Touched)) as cursor:
        found = cursor.execute(
            """SELECT
                (SELECT sum(seq_tup_read) FROM pg_stat_user_tables
                    WHERE relname = ANY(%s))::bigint AS in_sequence,
                (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes)::bigint AS by_index""",
            (TABLES,),
        ).fetchone()
    assert found
    return found


def test_every_statement_is_planned_once(warm: PatientConnection) -> None:
    plans = warm.execute(
        """SELECT name, custom_plans FROM pg_prepared_statements WHERE name LIKE 'append%'
            OR name LIKE 'read%'"""
    ).fetchall()
    assert len(plans) == STATEMENTS
    assert {row["custom_plans"] for row in plans} == {RUNS - 1}


def test_appends_and_readings_go_through_a_long_log_only_by_its_indexes(
    warm: PatientConnection,
) -> None:
    first = warm.execute("SELECT originator_id AS id FROM stored_events LIMIT 1").fetchone()
    assert first
    before = touched(warm)
    for kind in KINDS:
        run(warm, kind, first["id"])
    after = touched(warm)
    assert after.in_sequence == before.in_sequence
    assert before.by_index < after.by_index < before.by_index + 200
