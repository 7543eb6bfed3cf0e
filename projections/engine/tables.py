"""The tables of views, and how the rows of a whole batch of events get into them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, cached_property
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
from psycopg import Connection, sql
from psycopg.rows import DictRow

from application.eventstore.pipeline import Query
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


class Write(NamedTuple):
    """A query of a view, and the table to name if it does not write as many rows as it should."""

    query: Query
    table: str = ""

    def run(self, conn: Connection[DictRow]) -> None:
        """Runs it in the transaction of `conn`. Raises `RowMissing`, or psycopg's errors."""
        self.check(self.query.execute(conn))

    def check(self, written: int) -> None:
        """Raises `RowMissing` if these are not as many as expected."""
        rows = self.query.rows
        if rows is not None and written != rows:
            raise RowMissing(f"{rows - written} of {rows} rows are not in {self.table}")


class Copy(NamedTuple):
    """New rows of a table that are too many for a query."""

    table: "Table[Any]"
    rows: Collection[Any]

    def run(self, conn: Connection[DictRow]) -> None:
        """Writes them in the transaction of `conn`. Raises psycopg's errors."""
        columns = self.table.columns
        values = attrgetter(*columns)
        statement = f"COPY {self.table.name} ({', '.join(columns)}) FROM STDIN (FORMAT BINARY)"
        with conn.cursor() as cursor, cursor.copy(statement.encode()) as copy:
            copy.set_types(list(columns.values()))
            write = copy.write_row
            for row in self.rows:
                write(values(row))


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

    @cached_property
    def insert_statement(self) -> str:
        """The statement that inserts rows from JSON."""
        names = ", ".join(self.columns)
        return f"""INSERT INTO {self.name} ({names})
            SELECT {names} FROM {_as_recordset(self, self.columns)}"""  # noqa: S608 - constants

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

    def writes(self) -> list[Write | Copy]:
        """Returns what writes all rows, in order."""
        writes: list[Write | Copy] = []
        for table, rows in self._new.items():
            if len(rows) > MOST_AS_JSON:
                writes.append(Copy(table, rows.values()))
            else:
                writes.append(_insert(table, list(rows.values())))
        for table, changes in self._changed.items():
            by_columns: dict[tuple[str, ...], list[dict[str, Any]]] = {}
            for row in changes.values():
                values = vars(row)
                by_columns.setdefault(tuple(values), []).append(values)
            for names, group in by_columns.items():
                writes.append(_update(table, names, group))
        return writes


_NONE: dict[int, Any] = {}
_encode = msgspec.json.Encoder().encode


def _insert(table: Table[Any], rows: Sequence[Any]) -> Write:
    # Rows are sent as JSON: arrays take Python ten times as long to write, and PostgreSQL, even in
    # their binary form, no less time to read.
    return Write(Query(table.insert_statement, (_encode(rows).decode(),), len(rows)), table.name)


def _update(table: Table[Any], names: tuple[str, ...], group: list[dict[str, Any]]) -> Write:
    query = Query(_update_statement(table, names), (_encode(group).decode(),), len(group))
    return Write(query, table.name)


@cache
def _update_statement(table: Table[Any], names: tuple[str, ...]) -> str:
    return f"""UPDATE {table.name} AS old
        SET {", ".join(f"{name} = new.{name}" for name in names if name != table.key)}
        FROM {_as_recordset(table, names)} WHERE old.{table.key} = new.{table.key}"""  # noqa: S608


def _as_recordset(table: Table[Any], names: Collection[str]) -> str:
    columns = ", ".join(f"{name} {table.columns[name]}" for name in names)
    return f"json_to_recordset($1::json) AS new ({columns})"


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
