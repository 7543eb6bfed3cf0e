"""Databases that an earlier version made are brought up to date without losing anything."""

from collections.abc import Callable
from uuid import UUID

import psycopg
import pytest
from psycopg import Connection
from psycopg.rows import DictRow, dict_row

from application import schema
from interface.bootstrap import apply_schema

LINK = UUID("30000000-0000-0000-0000-000000000001")
STEPS_BEFORE = [
    "0001_the_log.sql",
    "0002_accounts.sql",
    "0003_sign_in.sql",
    "0004_append_only.sql",
    "0005_views.sql",
    "0006_audit.sql",
    "0007_audit_search.sql",
]


def connect(conninfo: str) -> Connection[DictRow]:
    return psycopg.connect(conninfo, autocommit=True, row_factory=dict_row)


@pytest.fixture
def before_0008(new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> str:
    """A database with the tables of the steps up to 0007, and a parked event."""
    conninfo = new_database()
    with connect(conninfo) as conn, monkeypatch.context() as earlier:
        conn.execute("DROP SCHEMA public CASCADE")
        conn.execute("CREATE SCHEMA public")
        earlier.setattr(schema, "missing_steps", lambda _: STEPS_BEFORE)
        schema.apply(conn)
        conn.execute(
            """INSERT INTO parked_events (generation, position, story, error, attempts)
            VALUES ('link_list_v2', 7, %s, 'RuntimeError: not thought of', 3)""",
            (LINK,),
        )
    return conninfo


def test_a_parked_event_keeps_its_correlation_id_when_the_column_is_renamed(
    before_0008: str,
) -> None:
    assert apply_schema(before_0008) == [
        "0008_correlation_ids.sql",
        "0009_rate_limits.sql",
        "0010_readiness.sql",
        "0012_deliveries.sql",
        "0014_busy_calendars.sql",
        "0015_webhooks.sql",
        "0016_calendar_feeds.sql",
        "0017_newest_version.sql",
        "0018_search.sql",
        "0022_evidence_checks.sql",
        "0024_account_life.sql",
        "0025_due_deliveries.sql",
        "0029_rebuilds_and_verifications.sql",
        "0032_passkeys.sql",
        "0033_identities.sql",
        "0034_security_log.sql",
        "0036_least_privilege.sql",
        "0037_service_keys.sql",
        "0042_link_requests.sql",
        "0044_muted_mails.sql",
        "0048_folded_search.sql",
        "0050_agents.sql",
        "0051_mails_of_links.sql",
        "0052_answered_requests.sql",
        "0053_erasures.sql",
        "0058_mails_about_requests.sql",
        "0059_links_at_once.sql",
        "0060_attempts_of_requests.sql",
        "0061_claims_of_senders.sql",
        "0062_fewer_indexes_of_deliveries.sql",
        "0063_stale_places.sql",
        "0064_append_events.sql",
        "0065_deliveries_of_bookings.sql",
        "0066_audit_search_by_trigrams.sql",
    ]
    with connect(before_0008) as conn:
        (row,) = conn.execute("SELECT * FROM parked_events").fetchall()
        del row["parked_at"]
        assert row == {
            "generation": "link_list_v2",
            "position": 7,
            "correlation_id": LINK,
            "error": "RuntimeError: not thought of",
            "attempts": 3,
        }


def test_an_upgraded_database_has_the_columns_of_a_new_one(
    before_0008: str, new_database: Callable[[], str]
) -> None:
    apply_schema(before_0008)
    columns = """SELECT table_name, column_name, data_type, is_nullable, column_default
        FROM information_schema.columns WHERE table_schema = 'public'
        ORDER BY table_name, ordinal_position"""
    with connect(before_0008) as upgraded, connect(new_database()) as new:
        assert upgraded.execute(columns).fetchall() == new.execute(columns).fetchall()


def test_an_earlier_version_of_the_service_still_finds_the_function_that_its_appends_call(
    new_database: Callable[[], str],
) -> None:
    with connect(new_database()) as conn:
        conn.execute(
            "INSERT INTO stored_events (originator_id, originator_version, topic, state)"
            " VALUES (%s, 1, 'test.happened', '{}')",
            (LINK,),
        )
        found = conn.execute("SELECT newest_version(%s) AS newest", (LINK,)).fetchone()
    assert found == {"newest": 1}


@pytest.fixture
def before_0018(new_database: Callable[[], str]) -> str:
    """A database as it was before there was an index of what was typed, with something typed."""
    conninfo = new_database()
    with connect(conninfo) as conn:
        conn.execute(
            """DROP INDEX link_list_v3_newest, link_list_v3_expiring, link_list_v3_booking;
            CREATE INDEX link_list_v3_owner ON link_list_v3 (owner_id, position DESC);
            ALTER TABLE personal_data DROP COLUMN search_key;
            DROP FUNCTION search_key(jsonb);
            DROP FUNCTION search_key(text);
            DROP FUNCTION folded(text);
            DROP EXTENSION pg_trgm;
            DELETE FROM schema_steps
                WHERE name IN ('0018_search.sql', '0048_folded_search.sql')"""
        )
        conn.execute(
            """INSERT INTO personal_data (originator_id, originator_version, salt, data)
            VALUES (%s, 1, '', '{"note": "Gefällt Zoë", "reason": "Irrtum"}')""",
            (LINK,),
        )
    return conninfo


def test_what_was_typed_before_there_was_an_index_of_it_is_found_by_it(
    before_0018: str, new_database: Callable[[], str]
) -> None:
    steps = ["0018_search.sql", "0048_folded_search.sql"]
    assert apply_schema(before_0018) == steps
    indexes = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY indexdef"
    with connect(before_0018) as upgraded, connect(new_database()) as new:
        (row,) = upgraded.execute("SELECT search_key FROM personal_data").fetchall()
        assert row == {"search_key": "gefallt zoe\n"}
        assert upgraded.execute(indexes).fetchall() == new.execute(indexes).fetchall()
