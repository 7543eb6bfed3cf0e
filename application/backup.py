"""The tables of an installation in a backup: written in one snapshot, read back in one transaction.

A backup is a ZIP file, which tells of itself whether it is whole. Each table is a member in the
text format of PostgreSQL's COPY, and the last member, `manifest.json`, says which columns it has.
Tables are read back as they were written, under the schema steps of their time, and upgraded then.
"""

import json
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from graphlib import TopologicalSorter
from typing import Any, Self
from zipfile import BadZipFile, ZipFile

import psycopg
from psycopg import Connection, sql
from psycopg.rows import DictRow

from domain.errors import AdmitOneError

FORMAT = 1
MANIFEST = "manifest.json"
LEFT_OUT = {
    "schema_steps": "the manifest names the steps",
    "projection_positions": "the manifest has them",
    "sessions": "who was signed out since the backup would be signed in again",
    "rebuilds": "views are rebuilt after a restore",
    "lag_samples": "a chart of the last hour",
    "evidence_checks": "the restored log is checked anew",
    "rate_limits": "they last for minutes",
    "write_probes": "they hold nothing",
    "passkey_challenges": "they last for minutes",
}
"""The tables that are not kept, and why. Every other table is, whoever adds it."""
_VIEW = re.compile(r"[a-z_]+_v[0-9]+(_[a-z_]+)?")
DAMAGED = (BadZipFile, EOFError, zlib.error)
"""The errors that reading a damaged ZIP file raises."""
_REFUSED = (psycopg.DataError, psycopg.IntegrityError, psycopg.ProgrammingError)
_TABLES_FOLDER = "tables/"


class BackupUnusable(AdmitOneError):
    """The file can't be restored: it is not a backup, is damaged, or does not fit here."""


@dataclass(frozen=True)
class Table:
    """A table in a backup."""

    columns: Sequence[str]
    rows: int


@dataclass(frozen=True)
class Follower:
    """The position that a view or a reaction had reached."""

    position: int
    begun_at: str
    """In ISO 8601, in UTC."""


@dataclass(frozen=True)
class Manifest:
    """The table of contents of a backup."""

    version: str
    """Of the program that wrote it."""
    made_at: str
    """By the clock of the database, in ISO 8601, in UTC."""
    steps: Sequence[str]
    tables: Mapping[str, Table]
    sequences: Mapping[str, int]
    """The last number that each sequence gave out."""
    followers: Mapping[str, Follower]
    format: int = FORMAT

    def to_json(self) -> str:
        """Returns it as JSON."""
        return json.dumps(asdict(self), indent=1) + "\n"

    @classmethod
    def read(cls, archive: ZipFile) -> Self:
        """Returns the manifest of a backup. Raises `BackupUnusable`."""
        try:
            values: dict[str, Any] = json.loads(archive.read(MANIFEST))
            if values["format"] != FORMAT:
                raise BackupUnusable(
                    f"It has format {values['format']}, and this version reads {FORMAT}:"
                    f" use Admit One {values['version']}."
                )
            values["tables"] = {name: Table(**table) for name, table in values["tables"].items()}
            values["followers"] = {
                name: Follower(**follower) for name, follower in values["followers"].items()
            }
            return cls(**values)
        except (KeyError, TypeError, ValueError, AttributeError, *DAMAGED) as error:
            raise BackupUnusable("It is no backup of Admit One.") from error


def write(conn: Connection[DictRow], archive: ZipFile, version: str) -> Manifest:
    """Writes all tables that are kept, as they were at one moment, and returns the manifest.

    `conn` must not be in a transaction, and must have the right to read every table. The caller
    adds the manifest last. Raises `BackupUnusable` if the database has no tables of ours.
    """
    with conn.transaction():
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        if conn.execute("SELECT to_regclass('public.schema_steps') AS found").fetchone() == {
            "found": None
        }:
            raise BackupUnusable("The database has no tables of Admit One: there is nothing to do.")
        steps = _rows(conn, "SELECT name FROM public.schema_steps ORDER BY name")
        made_at = _rows(conn, "SELECT now() AS made_at")[0]["made_at"]
        tables = {name: _write_table(conn, archive, name) for name in _kept(conn)}
        followers = _rows(conn, "SELECT name, position, begun_at FROM public.projection_positions")
        # Sequences are in no snapshot. Read last, they are never behind the rows.
        sequences = _rows(
            conn,
            "SELECT sequencename AS name, last_value AS last FROM pg_catalog.pg_sequences"
            " WHERE schemaname = 'public' AND last_value IS NOT NULL ORDER BY name",
        )
    return Manifest(
        version=version,
        made_at=made_at.isoformat(),
        steps=[row["name"] for row in steps if row["name"][0].isdigit()],
        tables=tables,
        sequences={row["name"]: row["last"] for row in sequences},
        followers={
            row["name"]: Follower(row["position"], row["begun_at"].isoformat()) for row in followers
        },
    )


def read(conn: Connection[DictRow], archive: ZipFile, manifest: Manifest) -> None:
    """Fills the tables in the transaction of `conn`, which must have the steps of the backup.

    Raises `BackupUnusable` if the tables are not empty, not those of the backup, or the file is
    damaged.
    """
    present = set(_kept(conn))
    if lacking := sorted(set(manifest.tables) - present):
        raise BackupUnusable(f"The database lacks {', '.join(lacking)}.")
    for name in present:
        any_row = sql.SQL("SELECT EXISTS (SELECT FROM public.{}) AS found")
        if conn.execute(any_row.format(sql.Identifier(name))).fetchone() == {"found": True}:
            raise BackupUnusable(
                f"The database is not empty: {name} has rows. Restore into an empty one."
            )
    for name in _kept(conn):
        if name in manifest.tables:
            _read_table(conn, archive, name, manifest.tables[name])
    for name, last in manifest.sequences.items():
        conn.execute("SELECT pg_catalog.setval(%s, %s)", (f'public."{name}"', last))


def resume(conn: Connection[DictRow], manifest: Manifest, reactions: Sequence[str]) -> None:
    """Lets the reactions go on from where they were, so that nobody is told twice or never."""
    for name in reactions:
        if (found := manifest.followers.get(name)) is not None:
            conn.execute(
                "UPDATE public.projection_positions SET position = %s, begun_at = %s"
                " WHERE name = %s",
                (found.position, datetime.fromisoformat(found.begun_at), name),
            )


def _kept(conn: Connection[DictRow]) -> list[str]:
    """Returns the tables that are kept, each after those that it refers to."""
    tables = _rows(
        conn,
        """SELECT relname AS name, ARRAY(
            SELECT target.relname::text FROM pg_catalog.pg_constraint
            JOIN pg_catalog.pg_class AS target ON target.oid = confrelid
            WHERE conrelid = pg_class.oid AND contype = 'f' AND confrelid <> conrelid) AS refers_to
        FROM pg_catalog.pg_class
        WHERE relnamespace = 'public'::pg_catalog.regnamespace AND relkind = 'r'
        ORDER BY relname""",
    )
    kept = {
        row["name"]: row["refers_to"]
        for row in tables
        if row["name"] not in LEFT_OUT and not _VIEW.fullmatch(row["name"])
    }
    return [name for name in TopologicalSorter(kept).static_order() if name in kept]


def _write_table(conn: Connection[DictRow], archive: ZipFile, name: str) -> Table:
    columns = [
        row["name"]
        for row in _rows(
            conn,
            """SELECT attname AS name FROM pg_catalog.pg_attribute
            WHERE attrelid = %s::pg_catalog.regclass AND attnum > 0 AND NOT attisdropped
                AND attgenerated = '' ORDER BY attnum""",
            f'public."{name}"',
        )
    ]
    cursor = conn.cursor()
    with (
        archive.open(_TABLES_FOLDER + name, "w", force_zip64=True) as member,
        cursor.copy(
            sql.SQL("COPY public.{} ({}) TO STDOUT").format(*_names(name, columns))
        ) as rows,
    ):
        for block in rows:
            member.write(block)
    return Table(columns, cursor.rowcount)


def _read_table(conn: Connection[DictRow], archive: ZipFile, name: str, table: Table) -> None:
    cursor = conn.cursor()
    copy = sql.SQL("COPY public.{} ({}) FROM STDIN").format(*_names(name, table.columns))
    try:
        with archive.open(_TABLES_FOLDER + name) as member, cursor.copy(copy) as rows:
            while block := member.read(1 << 20):
                rows.write(block)
    except (KeyError, *DAMAGED, *_REFUSED) as error:
        raise BackupUnusable(f"It is damaged: {name} can't be read.") from error
    if cursor.rowcount != table.rows:
        raise BackupUnusable(
            f"It is damaged: {name} has {cursor.rowcount} rows instead of {table.rows}."
        )


def _names(name: str, columns: Sequence[str]) -> Iterator[sql.Composable]:
    yield sql.Identifier(name)
    yield sql.SQL(", ").join(map(sql.Identifier, columns))


def _rows(conn: Connection[DictRow], query: str, *values: object) -> list[DictRow]:
    return conn.execute(query.encode(), values).fetchall()
