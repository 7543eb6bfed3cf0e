"""The search of the log returns every matching event, page by page."""

from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection
from psycopg.rows import DictRow, dict_row

from application.audit import event_search
from application.audit.event_search import EventPage, find_aggregates, find_events
from application.commands.new_link import NewLink
from application.eventstore.mapper import JSONMapper
from interface.bootstrap import Services
from tests.support.desk import Desk
from tests.support.examples import NOW
from tests.support.log_trigger import bypass_log_trigger


def test_a_page_scans_a_limited_number_of_events_and_says_where_to_continue(
    desk: Desk, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_search, "MOST_SCANNED", 4)
    calendar = desk.new_calendar()
    desk.issue(calendar, *[NewLink()] * 9)
    desk.archive(calendar)
    with services.database.connection() as conn:
        first, second, third = (
            find_events(conn, JSONMapper(), after=after, limit=5, topic="calendar.archived")
            for after in (0, 4, 8)
        )
    assert (first, second) == (EventPage([], 4), EventPage([], 8))
    assert [step.recorded.position for step in third.steps] == [11]
    assert third.next_after is None


@pytest.fixture
def spread(desk: Desk, conninfo: str) -> Iterator[Connection[DictRow]]:
    """A log of 14 events, recorded an hour each after `examples.NOW`, the third with the fourth."""
    calendar = desk.new_calendar()
    desk.issue(calendar, *[NewLink()] * 13)
    with psycopg.connect(conninfo, row_factory=dict_row) as conn:
        bypass_log_trigger(conn)
        conn.execute(
            """UPDATE stored_events SET recorded_at = %s +
            CASE notification_id WHEN 3 THEN 4 ELSE notification_id END * interval '1 hour'""",
            (NOW,),
        )
        yield conn


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    since=st.none() | st.integers(0, 14),
    until=st.none() | st.integers(0, 14),
    after=st.integers(0, 14),
    limit=st.integers(1, 5),
    most=st.integers(1, 5),
)
def test_all_pages_together_hold_every_matching_event(
    spread: Connection[DictRow],
    monkeypatch: pytest.MonkeyPatch,
    since: int | None,
    until: int | None,
    after: int,
    limit: int,
    most: int,
) -> None:
    monkeypatch.setattr(event_search, "MOST_SCANNED", most)
    found: list[int] = []
    go_on: int | None = after
    while go_on is not None:
        page = find_events(
            spread,
            JSONMapper(),
            after=go_on,
            limit=limit,
            since=None if since is None else NOW + timedelta(hours=since),
            until=None if until is None else NOW + timedelta(hours=until),
        )
        assert len(page.steps) <= limit
        assert page.next_after is None or page.next_after > go_on
        found += [step.recorded.position for step in page.steps]
        go_on = page.next_after
    first, end = 0 if since is None else since, 99 if until is None else until
    rows = spread.execute("SELECT notification_id AS p, recorded_at AS r FROM stored_events")
    wanted = [
        row["p"]
        for row in rows
        if row["p"] > after and first <= (row["r"] - NOW) / timedelta(hours=1) < end
    ]
    assert found == sorted(wanted)


@pytest.mark.parametrize("text", ["P1234@Example.org", "person p1234"])
def test_what_somebody_typed_is_looked_up_in_the_index_of_trigrams(
    conn: Connection[DictRow], services: Services, text: str
) -> None:
    conn.execute(
        """INSERT INTO personal_data (originator_id, originator_version, salt, data)
        SELECT lpad(n::text, 32, '0')::uuid, 1, '',
            jsonb_build_object('name', 'Person ' || n, 'email', 'p' || n || '@example.org')
        FROM generate_series(1, 5000) AS n"""
    )
    with conn.transaction():
        assert find_aggregates(conn, f"{text} ", services.tokens) == [UUID("1234".zfill(32))]
        row = conn.execute(
            "SELECT pg_stat_get_xact_numscans('personal_data_search'::regclass) AS scans"
        ).fetchone()
    assert row is not None
    assert row["scans"] > 0
