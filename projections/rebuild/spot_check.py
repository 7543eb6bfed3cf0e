"""Spot-checks a view: rebuilds the rows of random links, calendars and schedules to compare."""

from collections.abc import Iterator
from random import randrange
from uuid import UUID, uuid4

from psycopg import Connection, sql
from psycopg.rows import DictRow

from application.audit import link_history
from application.eventstore.event_log import RecordedEvent, read_at, read_streams
from application.eventstore.mapper import JSONMapper
from domain.booking import Booking
from projections.engine import positions
from projections.engine.batch import Batch, write
from projections.engine.projection import Projection
from projections.rebuild.view_diff import Comparison, compare

TEMPORARY = "pg_temp"

Subject = tuple[UUID, ...]
"""The ids of what one history is about: a link and its booking, a calendar, or a schedule."""

# From a random position, so many positions are searched for an event that the view shows.
_NEAR = 10_000


def verify(
    conn: Connection[DictRow], projection: Projection, mapper: JSONMapper, count: int
) -> Comparison:
    """Compares the rows of about `count` links and calendars with what their events make.

    Half of them are chosen from the log, which finds missing rows, and half from the view,
    which finds rows that should not be there. Nothing is stored.
    """
    with conn.transaction(force_rollback=True):
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        seen = positions.positions_of(conn)[projection.name]
        subjects = set(_from_log(conn, projection, mapper, seen, count - count // 2))
        subjects |= set(_from_view(conn, projection, mapper, count // 2))
        conn.execute("SELECT set_config('search_path', 'pg_temp, public', true)")
        for table in projection.tables:
            table.create(conn)
        events = {
            recorded
            for subject in subjects
            for recorded in _history(conn, subject, mapper, until=seen)
        }
        # Events that the view could not apply are parked here too, so the rows agree.
        write(conn, projection, TEMPORARY, Batch(sorted(events), mapper))
        ids = [id_ for subject in subjects for id_ in subject]
        return compare(conn, projection, TEMPORARY, subjects=ids)


def _from_log(
    conn: Connection[DictRow], projection: Projection, mapper: JSONMapper, last: int, count: int
) -> Iterator[Subject]:
    """Yields the subjects of `count` random events up to the position `last`."""
    for _ in range(count):
        after = randrange(last) if last else 0  # noqa: S311 - not a secret
        row = conn.execute(
            """SELECT notification_id FROM stored_events WHERE notification_id > %s
            AND notification_id <= least(%s, %s) AND topic = ANY(%s)
            ORDER BY notification_id LIMIT 1""",
            (after, last, after + _NEAR, list(projection.handlers)),
        ).fetchone()
        if row is not None:
            (recorded,) = read_at(conn, [row["notification_id"]])
            yield _subject_of(conn, recorded, mapper)


def _subject_of(conn: Connection[DictRow], recorded: RecordedEvent, mapper: JSONMapper) -> Subject:
    correlation_id = link_history.correlation_id_of(recorded)
    if recorded.topic.startswith(("calendar.", "schedule.")):
        return (correlation_id,)
    if recorded.topic.startswith("link."):
        return (recorded.originator_id, correlation_id)
    return _subject_of_booking(conn, correlation_id, mapper)


def _subject_of_booking(conn: Connection[DictRow], booking_id: UUID, mapper: JSONMapper) -> Subject:
    link_id = link_history.link_of_booking(conn, booking_id, mapper)
    return (booking_id,) if link_id is None else (link_id, booking_id)


def _from_view(
    conn: Connection[DictRow], projection: Projection, mapper: JSONMapper, count: int
) -> Iterator[Subject]:
    """Yields the subjects of `count` random rows."""
    for place in range(count):
        table = projection.tables[place % len(projection.tables)]
        # The nearest key above a random one and below one in turn: always the nearest above
        # would never choose a row whose key is close behind another's.
        beyond, order = (">=", "ASC") if place // len(projection.tables) % 2 else ("<=", "DESC")
        row = conn.execute(
            sql.SQL(
                "SELECT {subject} AS subject FROM {table} WHERE {key} {beyond} %s"
                " ORDER BY {key} {order} LIMIT 1"
            ).format(
                subject=sql.Identifier(table.subject),
                key=sql.Identifier(table.key),
                table=table.identifier,
                beyond=sql.SQL(beyond),
                order=sql.SQL(order),
            ),
            (uuid4(),),
        ).fetchone()
        if row is None:
            continue
        if table.subject == "booking_id":
            yield _subject_of_booking(conn, row["subject"], mapper)
        elif table.subject == "link_id":
            yield row["subject"], Booking.id_for(row["subject"])
        else:
            yield (row["subject"],)


def _history(
    conn: Connection[DictRow], subject: Subject, mapper: JSONMapper, *, until: int
) -> list[RecordedEvent]:
    if len(subject) == 1:
        return read_streams(conn, subject, until=until)
    return link_history.events_of_link(conn, subject[0], mapper, until=until)
