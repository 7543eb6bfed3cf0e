"""The tables that dataclasses of stored columns make in PostgreSQL."""

from textwrap import dedent

import pytest
from psycopg import Connection
from psycopg.rows import DictRow

from projections.catalogue import CATALOGUE
from projections.views.transparency_log import TILES

# A table of another shape takes a new version of its view's name: these never change.
SHAPES = {
    "booking_calendar_v2": """
        booking_id uuid NOT NULL
        link_id uuid NOT NULL
        owner_id uuid NOT NULL
        calendar_id uuid NOT NULL
        slot_start timestamp with time zone NOT NULL
        slot_end timestamp with time zone NOT NULL
        buffer_before_minutes integer NOT NULL
        buffer_after_minutes integer NOT NULL
        status text NOT NULL
        calendar_version bigint NOT NULL
        version bigint NOT NULL
        changed_at timestamp with time zone NOT NULL
        place_version bigint
        request_version bigint
        cancellation_version bigint
        PRIMARY KEY booking_calendar_v2_pkey (booking_id)
        booking_calendar_v2_owner (owner_id, slot_start, booking_id)
        """,
    "booking_calendar_v2_terms": """
        terms_id uuid NOT NULL
        calendar_id uuid NOT NULL
        version bigint NOT NULL
        name text NOT NULL
        location text NOT NULL
        PRIMARY KEY booking_calendar_v2_terms_pkey (terms_id)
        booking_calendar_v2_terms_version (calendar_id, version)
        """,
    "calendar_list_v2": """
        calendar_id uuid NOT NULL
        owner_id uuid NOT NULL
        "position" bigint NOT NULL
        version bigint NOT NULL
        is_archived boolean NOT NULL
        terms jsonb NOT NULL
        PRIMARY KEY calendar_list_v2_pkey (calendar_id)
        calendar_list_v2_owner (owner_id, "position")
        """,
    "schedule_list_v1": """
        schedule_id uuid NOT NULL
        owner_id uuid NOT NULL
        "position" bigint NOT NULL
        version bigint NOT NULL
        is_archived boolean NOT NULL
        terms jsonb NOT NULL
        PRIMARY KEY schedule_list_v1_pkey (schedule_id)
        schedule_list_v1_owner (owner_id, "position")
        """,
    "link_list_v3": """
        link_id uuid NOT NULL
        owner_id uuid NOT NULL
        calendar_id uuid NOT NULL
        "position" bigint NOT NULL
        version bigint NOT NULL
        typed_version bigint NOT NULL
        issued_at timestamp with time zone NOT NULL
        expires_at timestamp with time zone NOT NULL
        offer jsonb
        redeemed_at timestamp with time zone
        booking_id uuid
        revoked_at timestamp with time zone
        replaced_by uuid
        PRIMARY KEY link_list_v3_pkey (link_id)
        link_list_v3_booking (booking_id) WHERE (booking_id IS NOT NULL)
        link_list_v3_expiring (owner_id, expires_at, "position") INCLUDE (link_id, calendar_id, redeemed_at, revoked_at)
        link_list_v3_newest (owner_id, "position" DESC) INCLUDE (link_id, calendar_id, expires_at, redeemed_at, revoked_at)
        link_list_v3_replaced (replaced_by) WHERE (replaced_by IS NOT NULL)
        """,  # noqa: E501
    "link_list_v3_bookings": """
        booking_id uuid NOT NULL
        booking_start timestamp with time zone NOT NULL
        booking_end timestamp with time zone NOT NULL
        booking_status text NOT NULL
        PRIMARY KEY link_list_v3_bookings_pkey (booking_id)
        """,
    "transparency_log_v1": """
        tile bigint NOT NULL
        first_position bigint
        hashes bytea NOT NULL
        PRIMARY KEY transparency_log_v1_pkey (tile)
        """,
}


def shape(conn: Connection[DictRow], table: str) -> str:
    """Columns and indexes of a table, as PostgreSQL tells of them, a line each."""
    columns = conn.execute(
        """SELECT quote_ident(attname) || ' ' || format_type(atttypid, atttypmod)
            || CASE WHEN attnotnull THEN ' NOT NULL' ELSE '' END AS line
        FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped
        ORDER BY attnum""",
        (table,),
    ).fetchall()
    indexes = conn.execute(
        """SELECT CASE WHEN indisprimary THEN 'PRIMARY KEY ' ELSE '' END || relname
            || substring(pg_get_indexdef(indexrelid) FROM ' \\(.*') AS line
        FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
        WHERE indrelid = %s::regclass ORDER BY NOT indisprimary, relname""",
        (table,),
    ).fetchall()
    return "".join(f"{row['line']}\n" for row in [*columns, *indexes])


@pytest.mark.parametrize("table", SHAPES)
def test_the_tables_of_released_views_keep_their_shape(
    conn: Connection[DictRow], table: str
) -> None:
    assert shape(conn, table) == dedent(SHAPES[table]).lstrip("\n")


def test_every_table_leaves_room_for_the_next_version_of_a_row(conn: Connection[DictRow]) -> None:
    rows = conn.execute(
        "SELECT DISTINCT reloptions FROM pg_class WHERE relname = ANY(%s) AND relkind = 'r'",
        (list(SHAPES),),
    ).fetchall()
    assert rows == [{"reloptions": ["fillfactor=60"]}]


def test_hashes_are_stored_as_they_are_also_in_a_table_of_an_earlier_release(
    conn: Connection[DictRow],
) -> None:
    storage = "SELECT attstorage FROM pg_attribute WHERE attrelid = %s::regclass AND attname = %s"
    hashes = (TILES.name, "hashes")
    assert conn.execute(storage, hashes).fetchall() == [{"attstorage": "e"}]
    with conn.transaction(force_rollback=True):
        conn.execute(f"ALTER TABLE {TILES.name} ALTER hashes SET STORAGE EXTENDED".encode())
        TILES.create(conn)
        assert conn.execute(storage, hashes).fetchall() == [{"attstorage": "e"}]


def test_the_shape_of_every_view_is_written_down_here() -> None:
    tables = {table.name for projection in CATALOGUE for table in projection.tables}
    assert tables == SHAPES.keys()
