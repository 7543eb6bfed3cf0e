"""Transactions of many statements that take two round trips: all of them, and the commit.

As in `statement`, psycopg's cursors would cost more than what the server does. The statements are
prepared once a connection, so they are planned once: see `statement` for what that asks of them.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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
    """A statement with the parameters `$1`, `$2`, …, cast to their types, and their values."""

    sql: str
    values: Sequence[Value]

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
            self._checked(self._wait(generators.execute(pgconn)))
            self._names[query.sql] = name
        values = [_encoded(value) for value in query.values]
        pgconn.send_query_prepared(name, values, _formats(query.values), Format.BINARY)
        return self._checked(self._wait(generators.execute(pgconn)))[0]

    @contextmanager
    def transaction(self, queries: Sequence[Query]) -> Iterator[list[int]]:
        """Runs the queries and yields the number of rows of each. Commits after the block.

        Rolls back, and raises the first error, if a query or the block fails. Raises psycopg's
        errors. A connection whose answer did not come is closed.
        """
        pgconn = self.conn.pgconn
        pgconn.enter_pipeline_mode()
        try:
            try:
                yield self._run(queries)
            except BaseException:
                if not self.conn.closed:
                    self._ask(b"ROLLBACK")
                raise
            self._ask(b"COMMIT")
        finally:
            if pgconn.status != ConnStatus.BAD:
                pgconn.exit_pipeline_mode()

    def _run(self, queries: Sequence[Query]) -> list[int]:
        try:
            return self._send(queries)
        except psycopg.errors.InvalidSqlStatementName:
            # After a rollback of its own, psycopg deallocates all statements of a connection.
            self._ask(b"ROLLBACK")
            self._names.clear()
            return self._send(queries)

    def _send(self, queries: Sequence[Query]) -> list[int]:
        pgconn = self.conn.pgconn
        encoded = [[_encoded(value) for value in query.values] for query in queries]
        pgconn.send_query_params(b"BEGIN", None)
        new: dict[str, bytes] = {}
        places = []
        sent = 1
        for (sql, values), bytes_ in zip(queries, encoded, strict=True):
            name = self._names.get(sql) or new.get(sql)
            if name is None:
                name = new[sql] = _new_name()
                pgconn.send_prepare(name, sql.encode())
                sent += 1
            pgconn.send_query_prepared(name, bytes_, _formats(values))
            places.append(sent)
            sent += 1
        results = self._answers(sent)
        self._names |= new
        return [results[place].command_tuples or 0 for place in places]

    def _ask(self, command: bytes) -> None:
        self.conn.pgconn.send_query_params(command, None)
        self._answers(1)

    def _answers(self, expected: int) -> list[PGresult]:
        """Waits for the answers to all that was sent in pipeline mode. Raises the first error."""
        self.conn.pgconn.pipeline_sync()
        return self._checked(self._wait(_fetched(self.conn.pgconn, expected)))

    def _wait(self, answers: PQGen[list[PGresult]]) -> list[PGresult]:
        try:
            return self.conn.wait(answers)
        except psycopg.OperationalError:
            self.conn.close()
            raise

    def _checked(self, results: list[PGresult]) -> list[PGresult]:
        for result in results:
            if result.status in _FAILED:
                raise psycopg.errors.error_from_result(result, self.conn.info.encoding)
        return results


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
