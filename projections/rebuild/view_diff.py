"""Two generations of a view, row by row."""

from collections.abc import Collection
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import Connection, sql
from psycopg.rows import DictRow

from projections.engine.projection import Projection
from projections.engine.tables import Table

MOST_TOLD = 20

_COMPARE = """
    SELECT coalesce(live.{key}, built.{key})::text AS key,
        to_jsonb(live) AS live, to_jsonb(built) AS built, count(*) OVER () AS differing
    FROM (SELECT * FROM public.{table} {wanted}) AS live
    FULL JOIN (SELECT * FROM {schema}.{table} {wanted}) AS built ON live.{key} = built.{key}
    WHERE md5(live::text) IS DISTINCT FROM md5(built::text)
    ORDER BY 1 LIMIT {most}"""


class Comparison(NamedTuple):
    """How many rows the new generation has, how many are not alike, and the first of these."""

    rows: int
    differing: int
    differences: list[dict[str, Any]]


def compare(
    conn: Connection[DictRow],
    projection: Projection,
    schema: str,
    *,
    keys: Collection[UUID] | None = None,
) -> Comparison:
    """Compare the live view with its tables in `schema`, as the transaction of `conn` sees them.

    Rows are compared by a checksum of all of their columns. A difference names table, key and
    the columns that differ; a row that one side lacks is null there. With `keys`, only those
    rows are looked at.
    """
    rows, differing = 0, 0
    differences: list[dict[str, Any]] = []
    for table in projection.tables:
        built = sql.Identifier(schema, table.name)
        counted = conn.execute(sql.SQL("SELECT count(*) AS n FROM {}").format(built)).fetchone()
        rows += counted["n"] if counted else 0
        found = conn.execute(_statement(table, schema, keys)).fetchall()
        differing += found[0]["differing"] if found else 0
        differences += [_difference(table, row) for row in found]
    return Comparison(rows, differing, differences[:MOST_TOLD])


def _statement(table: Table, schema: str, keys: Collection[UUID] | None) -> sql.Composed:
    key = sql.Identifier(table.key)
    wanted = sql.SQL("" if keys is None else "WHERE {} = ANY({})")
    return sql.SQL(_COMPARE).format(
        key=key,
        wanted=wanted.format(key, sql.Literal(list(keys or ()))),
        table=sql.Identifier(table.name),
        schema=sql.Identifier(schema),
        most=sql.Literal(MOST_TOLD),
    )


def _difference(table: Table, row: DictRow) -> dict[str, Any]:
    live, built = row["live"], row["built"]
    if live is not None and built is not None:
        names = [name for name in table.columns if live[name] != built[name]]
        live, built = ({name: side[name] for name in names} for side in (live, built))
    return {"table": table.name, "key": row["key"], "live": live, "built": built}
