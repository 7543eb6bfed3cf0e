"""The tables of views, and how a batch's worth of rows gets into them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import msgspec
import psycopg
from psycopg import Connection
from psycopg.rows import DictRow

from domain.errors import AdmitOneError


class RowMissing(LookupError):
    """An event speaks of a row that the view does not have."""


class RowExists(LookupError):
    """An event makes a row that the view has already."""


@dataclass(frozen=True, eq=False)
class Table:
    """A table of a view. `columns` maps names to PostgreSQL's types; `key` is the primary key.

    `indexes` map names to what they are on.
    """

    name: str
    key: str
    columns: Mapping[str, str]
    nullable: frozenset[str] = frozenset()
    indexes: Mapping[str, str] = field(default_factory=dict)

    def create(self, conn: Connection[DictRow]) -> None:
        """Make it, empty, in the first schema of the search path, unless it is there."""
        columns = [
            f"{name} {kind}{'' if name in self.nullable else ' NOT NULL'}"
            for name, kind in self.columns.items()
        ]
        parts = ", ".join([*columns, f"PRIMARY KEY ({self.key})"])
        conn.execute(
            # Room for a row's next version beside it, which then needs no index to change.
            f"CREATE TABLE IF NOT EXISTS {self.name} ({parts}) WITH (fillfactor = 60)".encode()
        )

    def create_indexes(self, conn: Connection[DictRow]) -> None:
        """Those that readers need and writers do not: made last where many rows are to come."""
        for name, columns in self.indexes.items():
            statement = f"CREATE INDEX IF NOT EXISTS {self.name}_{name} ON {self.name} {columns}"
            conn.execute(statement.encode())


Key = UUID
Values = dict[str, Any]


class Rows:
    """What a batch of events does to the rows of a view, folded: each row is written once.

    A row made and changed within the batch is one insert.
    """

    def __init__(self) -> None:
        self._new: dict[Table, dict[int, Values]] = {}
        self._changed: dict[Table, dict[int, Values]] = {}

    def insert(self, table: Table, **values: Any) -> None:
        """A new row. Raises `RowExists` when the batch made it already."""
        rows = self._new.setdefault(table, {})
        key: UUID = values[table.key]
        if key.int in rows:
            raise RowExists(f"{table.name} has {key} already")
        rows[key.int] = values

    def update(self, table: Table, key: Key, /, **values: Any) -> None:
        """New values of the row with that key."""
        row = self._new.get(table, _NONE).get(key.int)
        if row is None:
            row = self._changed.setdefault(table, {}).setdefault(key.int, {table.key: key})
        row.update(values)

    def write(self, conn: Connection[DictRow]) -> None:
        """Write all of it in the transaction of `conn`.

        Raises `RowMissing`, or psycopg's errors for values that the table refuses.
        """
        for table, rows in self._new.items():
            _copy(conn, table, rows.values())
        for table, changes in self._changed.items():
            alike: dict[tuple[str, ...], list[Values]] = {}
            for values in changes.values():
                alike.setdefault(tuple(values), []).append(values)
            for names, group in alike.items():
                _update(conn, table, names, group)


_NONE: dict[int, Values] = {}
_encode = msgspec.json.Encoder().encode


def _copy(conn: Connection[DictRow], table: Table, rows: Iterable[Values]) -> None:
    names = tuple(table.columns)
    statement = f"COPY {table.name} ({', '.join(names)}) FROM STDIN (FORMAT BINARY)"
    with conn.cursor() as cursor, cursor.copy(statement.encode()) as copy:
        copy.set_types(list(table.columns.values()))
        write = copy.write_row
        for row in rows:
            write(tuple(map(row.get, names)))


def _update(
    conn: Connection[DictRow],
    table: Table,
    names: tuple[str, ...],
    group: list[Values],
) -> None:
    columns = ", ".join(f"{name} {table.columns[name]}" for name in names)
    statement = f"""UPDATE {table.name} AS old
        SET {", ".join(f"{name} = new.{name}" for name in names if name != table.key)}
        FROM json_to_recordset(%s) AS new ({columns})
        WHERE old.{table.key} = new.{table.key}"""  # noqa: S608 - all of them constants
    # As JSON: ten times as fast from Python as arrays.
    changes = _encode(group).decode()
    changed = conn.execute(statement.encode(), (changes,), prepare=True).rowcount
    if changed != len(group):
        raise RowMissing(f"{len(group) - changed} of {len(group)} rows are not in {table.name}")


# What a fault of an event or of a projection raises; anything else (a lost connection, a full
# disk, a table that is not there) is no event's fault, and trying again may help.
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
