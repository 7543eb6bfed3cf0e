"""Rebuild jobs: which views are being rebuilt or verified, how far, and in which tables.

Readers find the live tables of a view in the schema `public`, by their plain names. A rebuild
makes tables of the same names in a schema of its own. Switching moves tables between schemas, in
one transaction, and keeps those that were replaced in a third schema until they are pruned.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from time import monotonic, sleep
from typing import Any
from uuid import UUID, uuid4

from psycopg import Connection, sql
from psycopg.rows import DictRow, class_row
from psycopg.types.json import Jsonb

from application.eventstore import advisory_locks, event_log
from application.eventstore.database import Database
from application.people import security_log
from domain.errors import AdmitOneError, NotFound
from projections.engine import positions
from projections.engine.projection import Projection
from projections.rebuild.fingerprint import fingerprint

REBUILD = "rebuild"
VERIFY = "verify"
KINDS = (REBUILD, VERIFY)
STATES = ("waiting", "building", "comparing", "switching", "done", "failed")
_NOTHING_DONE: Mapping[str, Any] = {
    "position": 0,
    "events": 0,
    "seconds": 0.0,
    "rows": None,
    "differing": None,
    "differences": None,
}
LOCK_SECONDS = 1.0  # the server needs a moment to notice that the process before has ended


class RebuildRunning(AdmitOneError):
    """This view is being rebuilt or verified already."""


class RebuildNotFound(NotFound):
    """There is no such rebuild."""


@dataclass(frozen=True)
class RebuildJob:
    """A view that is rebuilt (`kind` rebuild) or only compared (verify). Times are UTC.

    `position` is how far it has come, `head` the end of the log when it began, `seconds` the
    time spent on it. `differing` counts the rows that are not as in the live view: None
    before the comparison, and if the live view was too far behind for one.
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
        """The schema of the new tables."""
        return f"rebuild_{self.id.hex[:16]}"

    @property
    def retired_schema(self) -> str:
        """The schema that keeps the tables that it replaced."""
        return f"retired_{self.id.hex[:16]}"

    @property
    def is_finished(self) -> bool:
        """True once the job is done. One that failed will be resumed."""
        return self.state == "done"

    @property
    def rate(self) -> float:
        """Events per second of work; 0 before any."""
        return self.events / self.seconds if self.seconds else 0.0

    @property
    def progress(self) -> float:
        """The part of the log that is done, from 0 to 1."""
        return 1.0 if self.is_finished else min(1.0, self.position / max(1, self.head))


def lock(conn: Connection[DictRow], name: str) -> None:
    """Keeps everybody else from rebuilding this view until the session of `conn` ends.

    Raises `RebuildRunning`.
    """
    _lock(conn, name, "pg_try_advisory_lock")


def _lock(conn: Connection[DictRow], name: str, function: str) -> None:
    statement = sql.SQL("SELECT {}(%s, hashtext(%s)) AS is_ours").format(sql.Identifier(function))
    ends_at = monotonic() + LOCK_SECONDS
    while conn.execute(statement, (advisory_locks.REBUILD, name)).fetchone() != {"is_ours": True}:
        if monotonic() > ends_at:
            raise RebuildRunning(f"{name} is being rebuilt or verified already.")
        sleep(0.05)


def request_rebuild(database: Database, projection: Projection) -> RebuildJob:
    """Like `request`, on a connection of its own."""
    with database.connection() as conn:
        return request(conn, projection.name)


def request(conn: Connection[DictRow], name: str) -> RebuildJob:
    """Asks the projector for a rebuild, or returns the one that it has been asked for already.

    It resumes one that was interrupted. Raises `RebuildRunning`.
    """
    with conn.transaction():
        _lock(conn, name, "pg_try_advisory_xact_lock")
        job = _unfinished(conn, name, REBUILD)
        if job is None:
            return _insert(conn, name, REBUILD, by_projector=True)
        update(conn, job, by_projector=True)
        return find(conn, job.id)


def begin(
    conn: Connection[DictRow], projection: Projection, kind: str, *, fresh: bool = False
) -> RebuildJob:
    """Returns the job that was interrupted, or a new one with empty tables.

    One that other code began, and any if `fresh` is true, starts over. The caller holds the lock.
    """
    with conn.transaction():
        if kind == REBUILD and (stale := _unfinished(conn, projection.name, VERIFY)):
            drop(conn, stale)
            conn.execute("DELETE FROM rebuilds WHERE id = %s", (stale.id,))
        job = _unfinished(conn, projection.name, kind) or _insert(
            conn, projection.name, kind, by_projector=False
        )
        made_by = fingerprint(projection)
        if fresh or job.position == 0 or made_by != _noted_fingerprint(conn, job):
            drop(conn, job)
            update(conn, job, **_NOTHING_DONE, head=event_log.head(conn))
            schema = sql.Identifier(job.schema)
            conn.execute(sql.SQL("CREATE SCHEMA {}").format(schema))
            conn.execute(sql.SQL("COMMENT ON SCHEMA {} IS {}").format(schema, made_by))
            enter(conn, job)
            for table in projection.tables:
                table.create(conn)
        update(conn, job, state="building", error=None)
    return find(conn, job.id)


def _noted_fingerprint(conn: Connection[DictRow], job: RebuildJob) -> str | None:
    """Returns the fingerprint of the code that made the tables, which their schema carries."""
    row = conn.execute(
        "SELECT obj_description(to_regnamespace(%s), 'pg_namespace') AS noted", (job.schema,)
    ).fetchone()
    return row["noted"] if row else None


def begin_anew(conn: Connection[DictRow], job: RebuildJob) -> None:
    """Drops what the job has built, so that it starts over when somebody asks for it again."""
    with conn.transaction():
        drop(conn, job)
        update(conn, job, **_NOTHING_DONE, by_projector=False)


def enter(conn: Connection[DictRow], job: RebuildJob) -> None:
    """Makes the names of the view mean the new tables, until the transaction ends."""
    conn.execute("SELECT set_config('search_path', %s, true)", (f"{job.schema}, public",))


def leave(conn: Connection[DictRow]) -> None:
    """Makes the names of the view mean the live tables again, in the same transaction."""
    conn.execute("SELECT set_config('search_path', 'public', true)")


def update(conn: Connection[DictRow], job: RebuildJob, **changes: Any) -> None:
    """Stores changes of a job."""
    statement = sql.SQL("UPDATE rebuilds SET {} WHERE id = %s").format(
        sql.SQL(", ").join(sql.SQL("{} = %s").format(sql.Identifier(name)) for name in changes)
    )
    values = [Jsonb(value) if isinstance(value, list) else value for value in changes.values()]
    conn.execute(statement, (*values, job.id))


def finish(conn: Connection[DictRow], job: RebuildJob, **changes: Any) -> None:
    """Stores that a job is done, and last changes, in the transaction that completes it."""
    update(conn, job, state="done", error=None, **changes)
    conn.execute("UPDATE rebuilds SET finished_at = now() WHERE id = %s", (job.id,))


def switch(conn: Connection[DictRow], projection: Projection, job: RebuildJob) -> None:
    """Replaces the live tables by the new ones, in the caller's transaction."""
    for table in projection.tables:
        conn.execute(
            "SELECT public.replace_view(%s, %s, %s)", (table.name, job.schema, job.retired_schema)
        )
    drop(conn, job)


def drop(conn: Connection[DictRow], job: RebuildJob) -> None:
    """Drops the new tables, and the events that were parked while they were built."""
    schema = sql.Identifier(job.schema)
    conn.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(schema))
    conn.execute("DELETE FROM parked_events WHERE generation = %s", (job.schema,))


def prune(conn: Connection[DictRow], projections: Sequence[Projection]) -> list[str]:
    """Drops the tables that rebuilds replaced, and older versions of these projections' views.

    Returns what was dropped, in words.
    """
    dropped = []
    with conn.transaction():
        for job in _fetch(
            conn, "WHERE state = 'done' AND kind = %s AND pruned_at IS NULL", REBUILD
        ):
            conn.execute("SELECT public.drop_retired(%s)", (job.retired_schema,))
            conn.execute("UPDATE rebuilds SET pruned_at = now() WHERE id = %s", (job.id,))
            dropped.append(f"{job.name} as it was before {job.finished_at:%Y-%m-%d %H:%M} UTC")
        current = {projection.name for projection in projections}
        for name in sorted(positions.positions_of(conn).keys() - current):
            later = next((other for other in current if _is_older(name, other)), None)
            if later is not None:
                _drop_view(conn, name, later)
                dropped.append(name)
    return dropped


def _is_older(name: str, current: str) -> bool:
    """Returns whether `name` is an earlier version of the view `current`."""
    (stem, _, number), (current_stem, _, current_number) = (
        text.rpartition("_v") for text in (name, current)
    )
    return stem == current_stem and number.isdigit() and int(number) < int(current_number)


def _drop_view(conn: Connection[DictRow], name: str, later: str) -> None:
    conn.execute("SELECT public.drop_earlier_view(%s, %s)", (name, later))
    for table, column in (
        ("projection_positions", "name"),
        ("lag_samples", "name"),
        ("parked_events", "generation"),
    ):
        conn.execute(f"DELETE FROM {table} WHERE {column} = %s".encode(), (name,))  # noqa: S608


def find(conn: Connection[DictRow], job_id: UUID) -> RebuildJob:
    """Returns one job. Raises `RebuildNotFound`."""
    for job in _fetch(conn, "WHERE id = %s", job_id):
        return job
    raise RebuildNotFound


def newest(conn: Connection[DictRow]) -> dict[str, RebuildJob]:
    """Returns the newest job of each view that had one, by its name; an unfinished one if any."""
    return {job.name: job for job in _fetch(conn, "ORDER BY state <> 'done', requested_at")}


def waiting(conn: Connection[DictRow]) -> list[RebuildJob]:
    """Returns the unfinished jobs that the projector is to run."""
    return _fetch(conn, "WHERE by_projector AND state <> 'done'")


def _unfinished(conn: Connection[DictRow], name: str, kind: str) -> RebuildJob | None:
    """Returns the job that was requested or interrupted, if there is one."""
    where = "WHERE name = %s AND kind = %s AND state <> 'done'"
    return next(iter(_fetch(conn, where, name, kind)), None)


def _insert(conn: Connection[DictRow], name: str, kind: str, *, by_projector: bool) -> RebuildJob:
    job_id = uuid4()
    conn.execute(
        """INSERT INTO rebuilds (id, name, kind, state, by_projector)
        VALUES (%s, %s, %s, 'waiting', %s)""",
        (job_id, name, kind, by_projector),
    )
    job = find(conn, job_id)
    if kind == REBUILD:
        security_log.record(conn, security_log.REBUILD_REQUESTED, details={"view": name})
    return job


def _fetch(conn: Connection[DictRow], where: str, *values: object) -> list[RebuildJob]:
    with conn.cursor(row_factory=class_row(RebuildJob)) as cursor:
        statement = f"SELECT * FROM rebuilds {where}"  # noqa: S608 - our own conditions
        return cursor.execute(statement.encode(), values).fetchall()
