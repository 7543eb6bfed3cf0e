"""Transactions of many statements that take one round trip, with the commit.

As in `statement`, psycopg's cursors would cost more than what the server does. The statements are
prepared, and so planned, once for each connection: see `statement` for what that asks of them.
The server itself counts the rows of each, and commits only if they are as many as they should be.
"""

from collections.abc import Sequence
from functools import cache
from itertools import count
from typing import NamedTuple, TypeVar

import psycopg
from psycopg import Connection, RawCursor, generators
from psycopg.abc import PQGen
from psycopg.adapt import Transformer
from psycopg.pq import ConnStatus, ExecStatus, Format
from psycopg.pq.abc import PGconn, PGresult
from psycopg.rows import DictRow, RowMaker

_FAILED = (ExecStatus.FATAL_ERROR, ExecStatus.PIPELINE_ABORTED)
_numbers = count()

R = TypeVar("R")
Value = str | bytes | int | None


class Query(NamedTuple):
    """A statement with the parameters `$1`, `$2`, …, cast to their types, and their values.

    `rows` is the number of rows that it has to have in a transaction; None stands for any.
    """

    sql: str
    values: Sequence[Value]
    rows: int | None = None

    def execute(self, conn: Connection[DictRow]) -> int:
        """Runs it by itself in the transaction of `conn`; returns the number of its rows."""
        with RawCursor(conn) as cursor:
            return cursor.execute(self.sql.encode(), self.values).rowcount


class Pipeline:
    """Sends the queries of a transaction together, over a connection in autocommit mode."""

    def __init__(self, conn: Connection[DictRow]) -> None:
        self.conn = conn
        self._names: dict[str, bytes] = {}

    def fetch(self, query: Query, make_row: RowMaker[R]) -> list[R]:
        """Runs one query by itself and returns its rows. Raises psycopg's errors."""
        try:
            result = self._fetch(query)
        except psycopg.errors.InvalidSqlStatementName:
            self._names.clear()  # see `_run`
            result = self._fetch(query)
        loading = Transformer(self.conn)
        loading.set_pgresult(result, set_loaders=True, format=Format.BINARY)
        return loading.load_rows(0, result.ntuples, make_row)

    def _fetch(self, query: Query) -> PGresult:
        pgconn = self.conn.pgconn
        name = self._names.get(query.sql)
        if name is None:
            name = _new_name()
            pgconn.send_prepare(name, query.sql.encode())
            self._without_error(self._wait(generators.execute(pgconn)))
            self._names[query.sql] = name
        values = [_encoded(value) for value in query.values]
        pgconn.send_query_prepared(name, values, _formats(query.values), Format.BINARY)
        return self._without_error(self._wait(generators.execute(pgconn)))[0]

    def transact(self, queries: Sequence[Query]) -> None:
        """Runs the queries in one transaction, and commits if each has the rows that it should.

        Otherwise rolls back, and raises the first error: `DivisionByZero` for a wrong number of
        rows, or another one of psycopg's. A connection whose answer did not come is closed.
        """
        pgconn = self.conn.pgconn
        pgconn.enter_pipeline_mode()
        try:
            try:
                self._run(queries)
            except BaseException:
                if not self.conn.closed:
                    self._roll_back()
                raise
        finally:
            if pgconn.status != ConnStatus.BAD:
                pgconn.exit_pipeline_mode()

    def _run(self, queries: Sequence[Query]) -> None:
        try:
            self._send(queries)
        except psycopg.errors.InvalidSqlStatementName:
            # After a rollback of its own, psycopg deallocates all statements of a connection.
            self._roll_back()
            self._names.clear()
            self._send(queries)

    def _send(self, queries: Sequence[Query]) -> None:
        pgconn = self.conn.pgconn
        checked = [_checked(query) for query in queries]
        encoded = [[_encoded(value) for value in query.values] for query in checked]
        pgconn.send_query_params(b"BEGIN", None)
        new: dict[str, bytes] = {}
        for query, bytes_ in zip(checked, encoded, strict=True):
            name = self._names.get(query.sql) or new.get(query.sql)
            if name is None:
                name = new[query.sql] = _new_name()
                pgconn.send_prepare(name, query.sql.encode())
            pgconn.send_query_prepared(name, bytes_, _formats(query.values))
        pgconn.send_query_params(b"COMMIT", None)
        self._answers(2 + len(checked) + len(new))
        self._names |= new

    def _roll_back(self) -> None:
        self.conn.pgconn.send_query_params(b"ROLLBACK", None)
        self._answers(1)

    def _answers(self, expected: int) -> None:
        """Waits for the answers to all that was sent in pipeline mode. Raises the first error."""
        self.conn.pgconn.pipeline_sync()
        self._without_error(self._wait(_fetched(self.conn.pgconn, expected)))

    def _wait(self, answers: PQGen[list[PGresult]]) -> list[PGresult]:
        try:
            return self.conn.wait(answers)
        except psycopg.OperationalError:
            self.conn.close()
            raise

    def _without_error(self, results: list[PGresult]) -> list[PGresult]:
        for result in results:
            if result.status in _FAILED:
                raise psycopg.errors.error_from_result(result, self.conn.info.encoding)
        return results


def _checked(query: Query) -> Query:
    """Returns a query that fails unless it has the number of rows that it should."""
    if query.rows is None:
        return query
    return Query(_checked_sql(query.sql, len(query.values) + 1), (*query.values, query.rows))


@cache
def _checked_sql(sql: str, place: int) -> str:
    returning = "" if sql.lstrip().startswith("SELECT") else "RETURNING true"
    return f"""WITH counted AS ({sql} {returning})
        SELECT 1 / (count(*) = ${place}::bigint)::integer FROM counted"""  # noqa: S608


def _encoded(value: Value) -> bytes | None:
    return value if value is None or isinstance(value, bytes) else str(value).encode()


def _formats(values: Sequence[Value]) -> list[Format]:
    return [Format.BINARY if isinstance(value, bytes) else Format.TEXT for value in values]


def _new_name() -> bytes:
    return f"pipeline_{next(_numbers)}".encode()


def _fetched(pgconn: PGconn, expected: int) -> PQGen[list[PGresult]]:
    """Returns an answer to each statement, without that to the sync at the end."""
    yield from generators.send(pgconn)
    results: list[PGresult] = []
    for _ in range(expected):
        results += yield from generators.fetch_many(pgconn)
    yield from generators.fetch_many(pgconn)
    return results
