"""Connections to PostgreSQL that keep to the deadline and heal by themselves."""

import heapq
import os
import random
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from threading import Condition, Thread
from time import monotonic, sleep
from typing import Any, TypeVar

import psycopg
from eventsourcing.postgres import PostgresDatastore
from psycopg import Connection
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import DictRow, dict_row

from application.deadline import seconds_left
from domain.errors import Unavailable

T = TypeVar("T")

IDLE_IN_TRANSACTION_SECONDS = 2
_DEFAULTS: dict[str, str | int] = {
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 2,
    "tcp_user_timeout": 5000,
    "connect_timeout": 3,
}


def with_defaults(conninfo: str, *, application_name: str) -> str:
    """The connection string, completed so that a silent network is noticed in seconds."""
    given = conninfo_to_dict(conninfo)
    return make_conninfo("", **{**_DEFAULTS, "application_name": application_name, **given})


class Database(PostgresDatastore):
    """The library's datastore for any libpq connection string.

    The library's own knows neither sslmode nor several hosts nor keepalives, and leaves
    a dead connection in the pool until somebody trips over it.
    """

    def __init__(self, conninfo: str, *, pool_size: int = 1, max_pool_size: int = 10) -> None:
        """Connect lazily to the server that `conninfo` (a URL or key=value pairs) names."""
        super().__init__(
            dbname="",
            host="",
            port="",
            user="",
            password="",
            pool_size=pool_size,
            max_overflow=max_pool_size - pool_size,
            idle_in_transaction_session_timeout=IDLE_IN_TRANSACTION_SECONDS,
        )
        self.pool.conninfo = with_defaults(conninfo, application_name="admitone")
        self.pool.kwargs = {"row_factory": dict_row}
        self._watchdog = _Watchdog()

    def after_connect_func(self) -> Callable[[Connection[Any]], None]:
        """As the library's, and times are read in UTC whatever the server's zone is."""
        configure = super().after_connect_func()

        def after_connect(conn: Connection[Any]) -> None:
            configure(conn)
            conn.execute("SET TIME ZONE 'UTC'")

        return after_connect

    @contextmanager
    def connection(self) -> Iterator[Connection[DictRow]]:
        """A connection in autocommit mode for as long as the deadline allows.

        Raises psycopg's own errors. When the deadline passes while the server is silent
        the connection is cut, and what was going on ends in `psycopg.OperationalError`.
        """
        self.pool.open(wait=False)
        with (
            self.pool.connection(timeout=max(seconds_left(), 0.001)) as conn,
            self._watchdog.watching(conn, seconds_left()),
        ):
            yield conn

    def repeat(self, work: Callable[[Connection[DictRow]], T]) -> T:
        """`work` on a connection; again on another if that one was dead.

        Only for work that may be done twice. Raises `Unavailable` at the deadline.
        """
        for pause in pauses():
            try:
                with self.connection() as conn:
                    return work(conn)
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                self.heal()
                if not take_pause(pause):
                    raise Unavailable from error
        raise AssertionError("pauses() never ends")

    def fetch_all(self, query: Any, params: Any = None) -> list[DictRow]:
        """The rows of a query that may be asked twice."""
        return self.repeat(lambda conn: conn.execute(query, params).fetchall())

    def fetch_one(self, query: Any, params: Any = None) -> DictRow | None:
        """The first row of a query that may be asked twice, if there is one."""
        return self.repeat(lambda conn: conn.execute(query, params).fetchone())

    def heal(self) -> None:
        """Replace the pool's dead connections now, before others trip over them."""
        with suppress(psycopg.OperationalError):
            self.pool.check()

    def close(self) -> None:
        """Close all connections."""
        super().close()
        with suppress(AttributeError):  # the library also calls this from __del__
            self._watchdog.stop()


def pauses() -> Iterator[float]:
    """Growing pauses with full jitter, in seconds, so that rivals do not meet again."""
    longest = 0.004
    while True:
        yield random.uniform(0.001, longest)  # noqa: S311 - not a secret
        longest = min(longest * 2, 0.25)


def take_pause(seconds: float) -> bool:
    """Sleep, unless the deadline would pass first: then False at once."""
    if seconds_left() <= seconds:
        return False
    sleep(seconds)
    return True


class _Watchdog:
    """Cuts connections that are still waiting for the server when their time is up.

    psycopg waits for a silent server for ever. Shutting the socket down wakes the waiting
    thread with an error and, unlike a cancel request, leaves the server's work alone: a
    cancelled COMMIT that waits for a standby would report success.
    """

    def __init__(self) -> None:
        self._changed = Condition()
        self._queue: list[tuple[float, int]] = []
        self._watched: dict[int, Connection[Any]] = {}
        self._tickets = count()
        self._thread: Thread | None = None
        self._stopped = False

    @contextmanager
    def watching(self, conn: Connection[Any], seconds: float) -> Iterator[None]:
        ticket = next(self._tickets)
        with self._changed:
            if self._thread is None:
                self._thread = Thread(target=self._run, name="watchdog", daemon=True)
                self._thread.start()
            self._watched[ticket] = conn
            heapq.heappush(self._queue, (monotonic() + seconds, ticket))
            if self._queue[0][1] == ticket:
                self._changed.notify()
        try:
            yield
        finally:
            with self._changed:
                self._watched.pop(ticket, None)

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify()

    def _run(self) -> None:
        with self._changed:
            while not self._stopped:
                while self._queue and self._queue[0][1] not in self._watched:
                    heapq.heappop(self._queue)
                if not self._queue:
                    self._changed.wait()
                    continue
                ends_at, ticket = self._queue[0]
                if (left := ends_at - monotonic()) > 0:
                    self._changed.wait(left)
                else:
                    _cut(self._watched.pop(ticket))


def _cut(conn: Connection[Any]) -> None:
    with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(conn.fileno())) as twin:
        twin.shutdown(socket.SHUT_RDWR)
