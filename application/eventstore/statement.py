"""Statements for what every request does: prepared once a connection, sent and read in binary.

psycopg's cursors find out for every value what it is and for every column how to read it. For a
statement of ten microseconds at the server that is most of the work, so the few statements that
every request runs say it themselves: `values` are bytes already (see `wire_format`), and so are
the columns of the rows. Everything else uses psycopg as usual.

A prepared statement may be planned for values of any size (a generic plan), and on an empty
database: that plan stays in use while the tables grow. So write it in such a way that it can
only be run through an index: a scalar subquery or LATERAL with LIMIT 1, never a join or EXISTS
over `unnest`. To PostgreSQL `unnest($1)` looks as if it had to be planned again each time, and
`unnest((SELECT $1))` does not.
"""

from collections.abc import Sequence
from typing import Any, cast

import psycopg
from psycopg import generators
from psycopg.abc import PQGen
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGresult

from application.eventstore.database import PatientConnection

_SUCCEEDED = (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK)
_BINARY = 1


class Statement:
    """A statement with the parameters `$1`, `$2`, …, run in a transaction of its own.

    `name` identifies it on a connection: no two statements may share one. `parameters` are the
    type numbers of `wire_format`, in order.
    """

    def __init__(self, name: str, sql: str, parameters: Sequence[int]) -> None:
        self.name = name
        self.sql = sql
        self.parameters = parameters
        self._name = name.encode()
        self._formats = [_BINARY] * len(parameters)

    def run(
        self, conn: PatientConnection, values: Sequence[bytes | None]
    ) -> list[list[bytes | None]]:
        """Runs it with `values`, all in their binary form; returns the rows, in theirs.

        Waits until the deadline. Raises psycopg's errors, as a cursor does. A connection whose
        answer did not come is closed, because nobody can tell what it is doing.
        """
        try:
            result = self._run(conn, values)
        except psycopg.errors.InvalidSqlStatementName:
            # Nothing was run. After a rollback, psycopg deallocates all statements of a connection,
            # those of this class as well.
            conn.prepared.clear()
            result = self._run(conn, values)
        columns = range(result.nfields)
        return [
            [result.get_value(row, column) for column in columns] for row in range(result.ntuples)
        ]

    def _run(self, conn: PatientConnection, values: Sequence[bytes | None]) -> PGresult:
        if self.name not in conn.prepared:
            conn.pgconn.send_prepare(self._name, self.sql.encode(), self.parameters)
            _result(conn)
            conn.prepared.add(self.name)
        conn.pgconn.send_query_prepared(self._name, values, self._formats, _BINARY)
        return _result(conn)


def _result(conn: PatientConnection) -> PGresult:
    """Waits for the answer to what was sent."""
    try:
        results: list[PGresult] = conn.wait(cast("PQGen[Any]", generators.execute(conn.pgconn)))
    except psycopg.OperationalError:
        conn.close()
        raise
    for result in results:  # a commit that fails is a second result, after the rows
        if result.status not in _SUCCEEDED:
            raise psycopg.errors.error_from_result(result, conn.info.encoding)
    return results[0]
