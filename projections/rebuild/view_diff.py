"""Compares a live view with one that was rebuilt, row by row."""

from collections.abc import Collection
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import Connection, sql
from psycopg.rows import DictRow

from projections.engine.projection import Projection
from projections.engine.tables import Table

MOST_REPORTED = 20

_COMPARE = """
    SELECT coalesce(live.{key}, built.{key})::text AS key,
        to_jsonb(live) AS live, to_jsonb(built) AS built, count(*) OVER () AS differing
    FROM (SELECT * FROM public.{table} {where}) AS live
    FULL JOIN (SELECT * FROM {schema}.{table} {where}) AS built ON live.{key} = built.{key}
    WHERE md5(live::text) IS DISTINCT FROM md5(built::text)
    ORDER BY 1 LIMIT {most}"""


class Comparison(NamedTuple):
    """The number of rows of the rebuilt view, how many differ, and the first differences."""

    rows: int
    differing: int
    differences: list[dict[str, Any]]


def compare(
    conn: Connection[DictRow],
    projection: Projection,
    schema: str,
    *,
    subjects: Collection[UUID] | None = None,
) -> Comparison:
    """Compares the live view with its tables in `schema`, as the transaction of `conn` sees them.

    Rows are compared by a checksum over all of their columns. A difference names table, key and
    the columns that differ; a row that one side lacks is null there. With `subjects`, only the
    rows about these links, bookings and calendars are compared.
    """
    rows, differing = 0, 0
    differences: list[dict[str, Any]] = []
    for table in projection.tables:
        built = sql.Identifier(schema, table.name)
        counted = conn.execute(sql.SQL("SELECT count(*) AS n FROM {}").format(built)).fetchone()
        rows += counted["n"] if counted else 0
        pairs = conn.execute(_statement(table, schema, subjects)).fetchall()
        differing += pairs[0]["differing"] if pairs else 0
        differences += [_difference(table, pair) for pair in pairs]
    return Comparison(rows, differing, differences[:MOST_REPORTED])


def _statement(table: Table[Any], schema: str, subjects: Collection[UUID] | None) -> sql.Composed:
    key = sql.Identifier(table.key)
    where = sql.SQL("" if subjects is None else "WHERE {} = ANY({})")
    return sql.SQL(_COMPARE).format(
        key=key,
        where=where.format(sql.Identifier(table.subject), sql.Literal(list(subjects or ()))),
        table=table.identifier,
        schema=sql.Identifier(schema),
        most=sql.Literal(MOST_REPORTED),
    )


def _difference(table: Table[Any], pair: DictRow) -> dict[str, Any]:
    live, built = pair["live"], pair["built"]
    if live is not None and built is not None:
        names = [name for name in table.columns if live[name] != built[name]]
        live, built = ({name: side[name] for name in names} for side in (live, built))
    return {"table": table.name, "key": pair["key"], "live": live, "built": built}
