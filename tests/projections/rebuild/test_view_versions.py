"""A worked example: a view gets another shape, and nobody waits for it.

A changed shape takes the next version of the name, so the two are different views in different
tables. The release that brings it keeps both up: web workers of the release before go on
reading theirs. Built in one go by `projections rebuild`, the new one is complete before anybody
reads it. The release after that no longer knows the old one, and `projections prune` drops it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import psycopg
import pytest
from psycopg import Connection
from psycopg.rows import DictRow, dict_row

from application.eventstore.mapper import JSONMapper
from domain.calendar import Calendar
from projections.engine import positions
from projections.engine.projection import Projection, applies
from projections.engine.runner import Runner
from projections.engine.tables import Rows, Table
from projections.rebuild import jobs
from projections.rebuild.rebuild import Rebuild
from projections.views.calendar_list import CALENDARS, CalendarList, StoredCalendar
from tests.application.eventstore.golden_events import EVENTS


@dataclass
class StoredCalendarV3(StoredCalendar):
    """One column more than in the first version."""

    name: str


CALENDARS_V3 = Table("calendar_list_v3", StoredCalendarV3, CALENDARS.indexes)


class CalendarListV3(Projection):
    """Like the first version, with the name in a column of its own."""

    name = "calendar_list_v3"
    tables = (CALENDARS_V3,)

    @applies(Calendar.Created)
    def _created(self, event: Calendar.Created, rows: Rows) -> None:
        rows.insert(
            CALENDARS_V3,
            StoredCalendarV3(
                calendar_id=event.originator_id,
                owner_id=event.owner_id,
                position=rows.position,
                version=event.originator_version,
                is_archived=False,
                terms={},
                name=event.terms.name,
            ),
        )


RELEASES: list[list[Projection]] = [
    [CalendarList()],
    [CalendarList(), CalendarListV3()],
    [CalendarListV3()],
]
mapper = JSONMapper()
CREATED = mapper.to_stored_event(EVENTS["calendar.created"]).state


@pytest.fixture
def conn(new_database: Callable[[], str]) -> Iterator[Connection[DictRow]]:
    """A database that no other test uses."""
    with psycopg.connect(new_database(), autocommit=True, row_factory=dict_row) as connection:
        yield connection


def create(conn: Connection[DictRow]) -> None:
    """Appends the creation of a calendar."""
    conn.execute(
        """INSERT INTO stored_events (originator_id, originator_version, topic, state)
        VALUES (gen_random_uuid(), 1, 'calendar.created', %s)""",
        (CREATED,),
    )


def keep_up(conn: Connection[DictRow], release: list[Projection]) -> None:
    runner = Runner(conn.info.dsn, release, mapper)
    while runner.catch_up(conn):
        pass
    assert runner.stuck == {}


def count(conn: Connection[DictRow], table: str) -> int:
    (row,) = conn.execute(f"SELECT count(*) AS n FROM {table}".encode()).fetchall()  # noqa: S608
    found: int = row["n"]
    return found


def test_a_view_of_another_shape_is_deployed_while_the_one_before_is_read(
    conn: Connection[DictRow],
) -> None:
    before, both, after = RELEASES
    for _ in range(3):
        create(conn)
    keep_up(conn, before)
    assert count(conn, "calendar_list_v2") == 3

    # `schema apply` of the new release: an empty view, of which the old release knows nothing.
    for projection in both:
        projection.create(conn)
    create(conn)
    keep_up(conn, before)
    assert (count(conn, "calendar_list_v2"), count(conn, "calendar_list_v3")) == (4, 0)

    # `projections rebuild calendar_list_v3` of the new release, while the old one is at work.
    (built,) = Rebuild(conn.info.dsn, [both[1]], mapper).run()
    assert built.state == "done"
    assert (count(conn, "calendar_list_v2"), count(conn, "calendar_list_v3")) == (4, 4)

    # Its projector takes over and keeps both up, for workers of either release.
    create(conn)
    keep_up(conn, both)
    assert (count(conn, "calendar_list_v2"), count(conn, "calendar_list_v3")) == (5, 5)
    dropped = jobs.prune(conn, both)
    assert [words.partition(" ")[0] for words in dropped] == ["calendar_list_v3"]
    assert count(conn, "calendar_list_v2") == 5

    # The release after that has only the new one.
    create(conn)
    keep_up(conn, after)
    assert (count(conn, "calendar_list_v2"), count(conn, "calendar_list_v3")) == (5, 6)
    assert jobs.prune(conn, after) == ["calendar_list_v2"]
    assert "calendar_list_v2" not in positions.positions_of(conn)
    with pytest.raises(psycopg.errors.UndefinedTable):
        count(conn, "calendar_list_v2")


@pytest.mark.parametrize(
    ("name", "older"),
    [
        ("calendar_list_v2", True),
        ("calendar_list_v3", False),
        ("calendar_list_v4", False),
        ("calendar_list", False),
        ("calendar_list_vx", False),
        ("calendar_list_v2_bookings", False),
        ("link_list_v1", False),
    ],
)
def test_only_earlier_versions_of_the_same_view_are_older(name: str, older: bool) -> None:
    assert jobs._is_older(name, "calendar_list_v3") is older
