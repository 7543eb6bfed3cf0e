"""Generations of a view: the live one, the one being made beside it, and those it replaced.

A generation is a schema of PostgreSQL. The tables of the live one lie in `public`, where
readers find them by their plain names; those of a rebuild have the same names in a schema of
their own. Switching moves tables between schemas, in one transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from time import monotonic, sleep
from typing import Any
from uuid import UUID, uuid4

from psycopg import Connection, sql
from psycopg.rows import DictRow, class_row
from psycopg.types.json import Jsonb

from application.eventstore.database import Database
from domain.errors import AdmitOneError, NotFound
from projections.engine import positions
from projections.engine.projection import Projection

REBUILD = "rebuild"
VERIFY = "verify"
KINDS = (REBUILD, VERIFY)
STATES = ("waiting", "building", "comparing", "switching", "done", "failed")
_LOCKS = 4_011_200
LOCK_SECONDS = 1.0  # the server needs a moment to notice that the one before has ended


class RebuildRunning(AdmitOneError):
    """This view is being rebuilt or verified already."""


class RebuildNotFound(NotFound):
    """There is no such rebuild."""


@dataclass(frozen=True)
class RebuildJob:
    """A view being made anew (`kind` rebuild) or only to be compared (verify). Times are UTC.

    `position` is how far it has come, `head` the end of the log when it began, `seconds` how
    long was worked on it. `differing` counts the rows that are not as in the live view; None
    until they were compared, and when the live view was too far behind for that.
    """

    id: UUID
    name: str
    kind: str
    state: str
    by_projector: bool
    position: int
    head: int
    events: int
    seconds: float
    rows: int | None
    differing: int | None
    differences: list[dict[str, Any]] | None
    error: str | None
    requested_at: datetime
    finished_at: datetime | None
    pruned_at: datetime | None

    @property
    def schema(self) -> str:
        """Where its tables are."""
        return f"rebuild_{self.id.hex[:16]}"

    @property
    def retired_schema(self) -> str:
        """Where the tables go that it replaces."""
        return f"retired_{self.id.hex[:16]}"

    @property
    def is_finished(self) -> bool:
        """Whether nothing will change any more."""
        return self.state == "done"

    @property
    def rate(self) -> float:
        """Events a second of work; 0 before any."""
        return self.events / self.seconds if self.seconds else 0.0

    @property
    def progress(self) -> float:
        """The part of the log that it has seen, 0 to 1."""
        return 1.0 if self.state == "done" else min(1.0, self.position / max(1, self.head))


def lock(conn: Connection[DictRow], name: str) -> None:
    """Keep everybody else from rebuilding this view until the session of `conn` ends.

    Raises `RebuildRunning`.
    """
    _lock(conn, name, "pg_try_advisory_lock")


def is_running(conn: Connection[DictRow], name: str) -> bool:
    """Whether somebody is at work on a generation of this view."""
    row = conn.execute(
        """SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 2
        AND classid::bigint = %s AND objid = hashtext(%s)::oid
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())""",
        (_LOCKS, name),
    ).fetchone()
    return row is not None


def _lock(conn: Connection[DictRow], name: str, function: str) -> None:
    statement = sql.SQL("SELECT {}(%s, hashtext(%s)) AS got").format(sql.Identifier(function))
    ends_at = monotonic() + LOCK_SECONDS
    while conn.execute(statement, (_LOCKS, name)).fetchone() != {"got": True}:
        if monotonic() > ends_at:
            raise RebuildRunning(f"{name} is being rebuilt or verified already.")
        sleep(0.05)


def request_rebuild(database: Database, projection: Projection) -> RebuildJob:
    """Like `request`, on a connection of its own."""
    with database.connection() as conn:
        return request(conn, projection.name)


def request(conn: Connection[DictRow], name: str) -> RebuildJob:
    """Asks the projector for a rebuild; resumes one that was interrupted.

    Raises `RebuildRunning`.
    """
    with conn.transaction():
        _lock(conn, name, "pg_try_advisory_xact_lock")
        unfinished = _interrupted(conn, name, REBUILD)
        if unfinished is None:
            return _insert(conn, name, REBUILD, by_projector=True)
        if unfinished.by_projector:
            raise RebuildRunning(f"{name} is being rebuilt or verified already.")
        note(conn, unfinished, by_projector=True)
        return find(conn, unfinished.id)


def begin(conn: Connection[DictRow], projection: Projection, kind: str) -> RebuildJob:
    """The generation that was interrupted, or a new one with empty tables. Hold the lock."""
    with conn.transaction():
        found = _interrupted(conn, projection.name, kind) or _insert(
            conn, projection.name, kind, by_projector=False
        )
        if found.position == 0:
            drop(conn, found)
            conn.execute(
                """UPDATE rebuilds SET head =
                (SELECT coalesce(max(notification_id), 0) FROM stored_events) WHERE id = %s""",
                (found.id,),
            )
            conn.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(found.schema)))
            enter(conn, found)
            for table in projection.tables:
                table.create(conn)
        note(conn, found, state="building", error=None)
    return find(conn, found.id)


def enter(conn: Connection[DictRow], generation: RebuildJob) -> None:
    """Until the transaction ends, the names of the view mean the tables of the generation."""
    conn.execute("SELECT set_config('search_path', %s, true)", (f"{generation.schema}, public",))


def leave(conn: Connection[DictRow]) -> None:
    """From here on, in the same transaction, names mean the live tables again."""
    conn.execute("SELECT set_config('search_path', 'public', true)")


def note(conn: Connection[DictRow], generation: RebuildJob, **changes: Any) -> None:
    """Note how far the generation has come."""
    statement = sql.SQL("UPDATE rebuilds SET {} WHERE id = %s").format(
        sql.SQL(", ").join(sql.SQL("{} = %s").format(sql.Identifier(name)) for name in changes)
    )
    values = [Jsonb(value) if isinstance(value, list) else value for value in changes.values()]
    conn.execute(statement, (*values, generation.id))


def finish(conn: Connection[DictRow], generation: RebuildJob, **changes: Any) -> None:
    """Note the end, in the transaction in which it comes."""
    note(conn, generation, **{"state": "done", "error": None} | changes)
    conn.execute("UPDATE rebuilds SET finished_at = now() WHERE id = %s", (generation.id,))


def switch(conn: Connection[DictRow], projection: Projection, generation: RebuildJob) -> None:
    """Put the new tables in the place of the live ones, in the caller's transaction."""
    retired = sql.Identifier(generation.retired_schema)
    conn.execute(sql.SQL("CREATE SCHEMA {}").format(retired))
    for table in projection.tables:
        name = sql.Identifier(table.name)
        conn.execute(sql.SQL("ALTER TABLE public.{} SET SCHEMA {}").format(name, retired))
        built = sql.Identifier(generation.schema, table.name)
        conn.execute(sql.SQL("ALTER TABLE {} SET SCHEMA public").format(built))
    drop(conn, generation)


def drop(conn: Connection[DictRow], generation: RebuildJob) -> None:
    """Throw away what was built, and what was parked on the way."""
    schema = sql.Identifier(generation.schema)
    conn.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(schema))
    conn.execute("DELETE FROM parked_events WHERE generation = %s", (generation.schema,))


def prune(conn: Connection[DictRow], projections: Sequence[Projection]) -> list[str]:
    """Drop what rebuilds replaced, and views of which these projections are newer versions.

    Returns what was dropped, in words.
    """
    dropped = []
    with conn.transaction():
        for old in _fetch(
            conn, "WHERE state = 'done' AND kind = %s AND pruned_at IS NULL", REBUILD
        ):
            schema = sql.Identifier(old.retired_schema)
            conn.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(schema))
            conn.execute("UPDATE rebuilds SET pruned_at = now() WHERE id = %s", (old.id,))
            dropped.append(f"{old.name} as it was before {old.finished_at:%Y-%m-%d %H:%M} UTC")
        kept = {projection.name for projection in projections}
        for name in sorted(positions.positions_of(conn).keys() - kept):
            if any(_is_older(name, current) for current in kept):
                _drop_view(conn, name)
                dropped.append(name)
    return dropped


def _is_older(name: str, current: str) -> bool:
    """Whether it is an earlier version of the same view."""
    (stem, _, number), (current_stem, _, current_number) = (
        text.rpartition("_v") for text in (name, current)
    )
    return stem == current_stem and number.isdigit() and int(number) < int(current_number)


def _drop_view(conn: Connection[DictRow], name: str) -> None:
    tables = conn.execute(
        """SELECT tablename FROM pg_tables WHERE schemaname = 'public'
        AND (tablename = %(name)s OR starts_with(tablename, %(name)s || '_'))""",
        {"name": name},
    )
    for row in tables:
        conn.execute(sql.SQL("DROP TABLE public.{}").format(sql.Identifier(row["tablename"])))
    for table, column in (
        ("projection_positions", "name"),
        ("lag_samples", "name"),
        ("parked_events", "generation"),
    ):
        conn.execute(f"DELETE FROM {table} WHERE {column} = %s".encode(), (name,))  # noqa: S608


def find(conn: Connection[DictRow], generation_id: UUID) -> RebuildJob:
    """Raises `RebuildNotFound`."""
    for found in _fetch(conn, "WHERE id = %s", generation_id):
        return found
    raise RebuildNotFound


def newest(conn: Connection[DictRow]) -> dict[str, RebuildJob]:
    """The newest rebuild or verification of each view that had one."""
    return {found.name: found for found in _fetch(conn, "ORDER BY requested_at")}


def waiting(conn: Connection[DictRow]) -> list[RebuildJob]:
    """What the projector is to work on."""
    return _fetch(conn, "WHERE by_projector AND state <> 'done'")


def _interrupted(conn: Connection[DictRow], name: str, kind: str) -> RebuildJob | None:
    """What to go on with; one of another kind is thrown away. Hold the lock."""
    for found in _fetch(conn, "WHERE name = %s AND state <> 'done'", name):
        if found.kind == kind:
            return found
        drop(conn, found)
        conn.execute("DELETE FROM rebuilds WHERE id = %s", (found.id,))
    return None


def _insert(conn: Connection[DictRow], name: str, kind: str, *, by_projector: bool) -> RebuildJob:
    generation_id = uuid4()
    conn.execute(
        """INSERT INTO rebuilds (id, name, kind, state, by_projector)
        VALUES (%s, %s, %s, 'waiting', %s)""",
        (generation_id, name, kind, by_projector),
    )
    return find(conn, generation_id)


def _fetch(conn: Connection[DictRow], where: str, *values: object) -> list[RebuildJob]:
    with conn.cursor(row_factory=class_row(RebuildJob)) as cursor:
        statement = f"SELECT * FROM rebuilds {where}"  # noqa: S608 - our own conditions
        return cursor.execute(statement.encode(), values).fetchall()
