"""The tables of views, and how the rows of a whole batch of events get into them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from operator import attrgetter
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Generic,
    NamedTuple,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)
from uuid import UUID

import msgspec
import psycopg
from psycopg import Connection, Cursor, sql
from psycopg.rows import DictRow

from domain.errors import AdmitOneError

R = TypeVar("R")

Integer = Annotated[int, "integer"]
"""The type of a column that is an integer to PostgreSQL; an int is a bigint there."""

_SQL_TYPES: Mapping[Any, str] = {
    UUID: "uuid",
    int: "bigint",
    bool: "boolean",
    datetime: "timestamptz",
    bytes: "bytea",
    dict: "jsonb",
}


MOST_AS_JSON = 400  # rows: more of them take less time by COPY


class RowMissing(LookupError):
    """An event changes a row that the view does not have."""


class RowExists(LookupError):
    """An event makes a row that the view has already."""


_COMPRESSED = """
    SELECT attname FROM pg_attribute
    WHERE attrelid = to_regclass(quote_ident(current_schema()) || '.' || quote_ident(%s))
        AND atttypid = 'bytea'::regtype AND attstorage <> 'e'"""


class Written(NamedTuple):
    """A statement that the server has got, and the number of rows that it has to write."""

    cursor: Cursor[DictRow]
    table: str
    rows: int

    def check(self) -> None:
        """Raises `RowMissing` if it wrote fewer. Within a pipeline, sync that first."""
        if self.cursor.rowcount != self.rows:
            missing = self.rows - self.cursor.rowcount
            raise RowMissing(f"{missing} of {self.rows} rows are not in {self.table}")


@dataclass(frozen=True, eq=False)
class Table(Generic[R]):
    """A table of a view. Its columns are the fields of the dataclass `row`, in their order.

    The first one is the primary key. A column is NOT NULL unless its type is `… | None`.
    `indexes` maps names to the columns that are indexed, in parentheses. `owned_by` is the column
    with the id of the link, booking or calendar whose events make the row, if it is not the key.
    """

    name: str
    row: type[R]
    indexes: Mapping[str, str] = field(default_factory=dict)
    owned_by: str | None = None

    @cached_property
    def columns(self) -> Mapping[str, str]:
        """The types of the columns in PostgreSQL, by name and in order."""
        return {name: _sql_type(hint) for name, hint in _hints(self.row).items()}

    @cached_property
    def nullable(self) -> frozenset[str]:
        """The names of the columns that may be null."""
        hints = _hints(self.row)
        return frozenset(name for name, hint in hints.items() if NoneType in get_args(hint))

    @cached_property
    def key(self) -> str:
        """The name of the primary key."""
        return next(iter(self.columns))

    @property
    def subject(self) -> str:
        """The name of the column with the id of whatever the row is about."""
        return self.owned_by or self.key

    @cached_property
    def identifier(self) -> sql.Identifier:
        """The name of the table, to be composed into SQL."""
        return sql.Identifier(self.name)

    def create(self, conn: Connection[DictRow]) -> None:
        """Creates the table in the first schema of the search path, unless it is there."""
        columns = [
            f"{name} {kind}{'' if name in self.nullable else ' NOT NULL'}"
            for name, kind in self.columns.items()
        ]
        parts = ", ".join([*columns, f"PRIMARY KEY ({self.key})"])
        conn.execute(
            # Room for the next version of a row beside it: no index changes then.
            f"CREATE TABLE IF NOT EXISTS {self.name} ({parts}) WITH (fillfactor = 60)".encode()
        )
        self._leave_bytes_uncompressed(conn)

    def _leave_bytes_uncompressed(self, conn: Connection[DictRow]) -> None:
        """Spares PostgreSQL the attempt to compress hashes, which takes longer than to write them.

        Alters a table of an earlier release once, and then no more: that needs its lock.
        """
        for row in conn.execute(_COMPRESSED, (self.name,)).fetchall():
            column = sql.Identifier(row["attname"])
            conn.execute(
                sql.SQL("ALTER TABLE {} ALTER COLUMN {} SET STORAGE EXTERNAL").format(
                    self.identifier, column
                )
            )

    def create_indexes(self, conn: Connection[DictRow]) -> None:
        """Creates the indexes, which only readers need: last where many rows are to come."""
        for name, columns in self.indexes.items():
            statement = f"CREATE INDEX IF NOT EXISTS {self.name}_{name} ON {self.name} {columns}"
            conn.execute(statement.encode())


def _hints(row: type[Any]) -> dict[str, Any]:
    return get_type_hints(row, include_extras=True)


def _sql_type(hint: Any) -> str:
    if get_origin(hint) in (Union, UnionType):
        (hint,) = (part for part in get_args(hint) if part is not NoneType)
    if get_origin(hint) is Annotated:
        return str(hint.__metadata__[0])
    kind = get_origin(hint) or hint
    # Enumerations of text too.
    return "text" if issubclass(kind, str) else _SQL_TYPES[kind]


class Rows:
    """The changes that a batch of events makes to the rows of a view. Each row is written once.

    `position` is that of the event that is being applied. `noted` holds positions and events
    for a projection that does more than to write rows.
    """

    def __init__(self) -> None:
        self.position = 0
        self.noted: list[tuple[int, Any]] = []
        self._new: dict[Table[Any], dict[int, Any]] = {}
        self._changed: dict[Table[Any], dict[int, Any]] = {}

    def note(self, event: Any) -> None:
        """Adds the event that is being applied to `noted`."""
        self.noted.append((self.position, event))

    def insert(self, table: Table[R], row: R) -> None:
        """Adds a new row. Raises `RowExists` if the batch made one with that key already."""
        rows = self._new.setdefault(table, {})
        key: UUID = getattr(row, table.key)
        if key.int in rows:
            raise RowExists(f"{table.name} has {key} already")
        rows[key.int] = row

    def change(self, table: Table[R], key: UUID) -> R:
        """Returns the row with that key, to set new values in.

        It is for writing only: it has no values but those that the batch sets.
        """
        row: R | None = self._new.get(table, _NONE).get(key.int)
        if row is not None:
            return row  # made in this batch, and still one insert
        changed = self._changed.setdefault(table, {})
        row = changed.get(key.int)
        if row is None:
            row = changed[key.int] = table.row.__new__(table.row)
            setattr(row, table.key, key)
        return row

    def write(self, conn: Connection[DictRow]) -> list[Written]:
        """Writes all rows in the transaction of `conn`; returns what is to be checked afterwards.

        Raises psycopg's errors for values that a table refuses.
        """
        written = []
        for table, rows in self._new.items():
            if len(rows) > MOST_AS_JSON:
                _copy(conn, table, rows.values())
            else:
                written.append(_insert(conn, table, list(rows.values())))
        for table, changes in self._changed.items():
            by_columns: dict[tuple[str, ...], list[dict[str, Any]]] = {}
            for row in changes.values():
                values = vars(row)
                by_columns.setdefault(tuple(values), []).append(values)
            for names, group in by_columns.items():
                written.append(_update(conn, table, names, group))
        return written


_NONE: dict[int, Any] = {}
_encode = msgspec.json.Encoder().encode


def _insert(conn: Connection[DictRow], table: Table[Any], rows: Sequence[Any]) -> Written:
    names = ", ".join(table.columns)
    statement = f"""INSERT INTO {table.name} ({names})
        SELECT {names} FROM {_as_recordset(table, table.columns)}"""  # noqa: S608 - all constants
    return _execute(conn, table, statement, rows)


def _copy(conn: Connection[DictRow], table: Table[Any], rows: Iterable[Any]) -> None:
    names = tuple(table.columns)
    values = attrgetter(*names)
    statement = f"COPY {table.name} ({', '.join(names)}) FROM STDIN (FORMAT BINARY)"
    with conn.cursor() as cursor, cursor.copy(statement.encode()) as copy:
        copy.set_types(list(table.columns.values()))
        write = copy.write_row
        for row in rows:
            write(values(row))


def _update(
    conn: Connection[DictRow],
    table: Table[Any],
    names: Collection[str],
    group: list[dict[str, Any]],
) -> Written:
    statement = f"""UPDATE {table.name} AS old
        SET {", ".join(f"{name} = new.{name}" for name in names if name != table.key)}
        FROM {_as_recordset(table, names)} WHERE old.{table.key} = new.{table.key}"""  # noqa: S608
    return _execute(conn, table, statement, group)


def _as_recordset(table: Table[Any], names: Collection[str]) -> str:
    columns = ", ".join(f"{name} {table.columns[name]}" for name in names)
    return f"json_to_recordset(%s) AS new ({columns})"


def _execute(
    conn: Connection[DictRow], table: Table[Any], statement: str, rows: Sequence[Any]
) -> Written:
    # Rows are sent as JSON: arrays take Python ten times as long.
    cursor = conn.execute(statement.encode(), (_encode(rows).decode(),), prepare=True)
    return Written(cursor, table.name, len(rows))


FAULTS = (
    AdmitOneError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
    msgspec.MsgspecError,
    psycopg.DataError,
    psycopg.IntegrityError,
)
"""The errors of an event or of a projection. Any other error (a lost connection, a full disk, a
missing table) is no event's fault, and another attempt may succeed."""
