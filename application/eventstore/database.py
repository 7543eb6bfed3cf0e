"""Connections to PostgreSQL that respect the deadline and recover from lost servers."""

import random
import select
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from time import monotonic, sleep
from typing import Any, TypeVar

import psycopg
from eventsourcing.postgres import ConnectionPool, PostgresDatastore
from psycopg import Connection
from psycopg.abc import RV, PQGen
from psycopg.errors import Diagnostic
from psycopg.pq import TransactionStatus
from psycopg.pq.abc import PGconn
from psycopg.rows import DictRow, dict_row, kwargs_row
from psycopg_pool import PoolTimeout

from application.eventstore.connection import EVERYWHERE, configure
from application.eventstore.conninfo import with_defaults
from application.eventstore.deadline import REQUEST_SECONDS, deadline, seconds_left
from application.eventstore.hosts import FindPrimary, Hosts, address_of
from domain.errors import Unavailable

T = TypeVar("T")


class DiskFull(Unavailable):
    """Nothing can be saved at the moment, because the disk is full. Try again later."""


class ServerAway(psycopg.OperationalError):
    """No connection could be had for half of the time that was left, and none can be made."""


DATABASE_ERRORS = (Unavailable, psycopg.Error)
"""All errors of the database, as opposed to refusals by the domain."""

IDLE_IN_TRANSACTION_SECONDS = 2
# The share of a deadline that may be spent waiting for a lock. The rest is for the server to
# report that it gave up while we still listen, so that no statement of ours waits there alone.
PATIENCE = 0.9
RECONNECT_SECONDS = 0.5
SURPLUS_SECONDS = 30.0  # after which one of the connections that nobody needed is closed
MOST_WAITING = 1000
# Errors after which the same work may succeed on another connection.
LOST = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.errors.ReadOnlySqlTransaction,  # a demoted primary
    psycopg.errors.IdleInTransactionSessionTimeout,  # this process stood still for too long
    psycopg.errors.TransactionTimeout,
)


def is_disk_full(error: BaseException) -> bool:
    """Returns True if the server has undone a transaction because its disk is full.

    It says the same when it crashes for that reason, but then the transaction may be committed.
    """
    is_undone = isinstance(error, psycopg.Error) and error.diag.severity_nonlocalized == "ERROR"
    return is_undone and isinstance(error, psycopg.errors.DiskFull)


def safe_description(error: BaseException) -> str:
    """Describes an error without quoting anybody's data.

    Connection errors are described in full. Other errors of PostgreSQL may quote a row, and the
    message of any other error may hold what somebody typed: of these, only the type is named.
    """
    name = type(error).__qualname__
    if isinstance(error, psycopg.OperationalError):
        return f"{name}: {' '.join((error.diag.message_primary or str(error)).split())}"
    if isinstance(error, psycopg.Error) and error.sqlstate:
        return f"{name}: {error.sqlstate} {error.diag.constraint_name or ''}".rstrip()
    return name


class PatientConnection(Connection[DictRow]):
    """A connection that waits for the server until the deadline; must be closed after that.

    It is not cancelled: a silent server would not notice, and a COMMIT that waits for a
    standby would report success when it is cancelled.
    """

    def __init__(self, pgconn: PGconn) -> None:
        super().__init__(pgconn)
        self.prepared: set[str] = set()
        """The names of the statements that `Statement` has prepared on it."""
        self.warnings: list[str] = []
        """The warnings of the server, until somebody clears them."""
        self.address = address_of(pgconn)
        self.opened_at = monotonic()
        self._unread = select.poll()
        self._unread.register(self.fileno(), select.POLLIN)
        self.add_notice_handler(partial(_keep_warning, self.warnings))

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        """Waits like psycopg's method, but only until the deadline."""
        left = seconds_left()
        return super().wait(gen, interval, left if timeout is None else min(left, timeout))

    def has_hung_up(self) -> bool:
        """Returns True if an idle connection was closed, by us or by the server.

        Unless it listens, it has something to read only when the server has ended it.
        """
        return self.closed or bool(self._unread.poll(0))


def _keep_warning(warnings: list[str], notice: Diagnostic) -> None:
    if notice.severity_nonlocalized == "WARNING":  # can be read only in here
        warnings.append(notice.message_primary or "")


class Database(PostgresDatastore):
    """The library's datastore for any libpq connection string.

    The library's own supports neither sslmode nor several hosts nor keepalives, waits for a
    silent server for ever and keeps dead connections in its pool.
    """

    def __init__(
        self,
        conninfo: str,
        *,
        pool_size: int = 1,
        max_pool_size: int = 10,
        find_primary: FindPrimary | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """Prepares connections to the server that `conninfo` names, a URL or key=value pairs.

        Connects when the first one is used. `find_primary` asks which of several hosts to use;
        `settings` are PostgreSQL's, for all sessions.
        """
        self._settings = {
            **EVERYWHERE,
            "idle_in_transaction_session_timeout": f"{IDLE_IN_TRANSACTION_SECONDS}s",
            "lock_timeout": f"{REQUEST_SECONDS * PATIENCE * 1000:.0f}ms",
            **(settings or {}),
        }
        super().__init__(dbname="", host="", port="", user="", password="")
        self.hosts = Hosts(conninfo, find_primary)
        """The hosts that its connections lead to."""
        self.pool: _Pool = _Pool(
            lambda: with_defaults(self.hosts.conninfo(), application_name="admitone"),
            connection_class=PatientConnection,
            kwargs={"row_factory": dict_row, "autocommit": True},
            min_size=pool_size,
            max_size=max_pool_size,
            open=False,
            configure=self.after_connect_func(),
            # Callers who gave up waiting count until the pool gets a connection.
            max_waiting=MOST_WAITING,
            reconnect_timeout=RECONNECT_SECONDS,
            max_idle=SURPLUS_SECONDS,
        )

    def after_connect_func(self) -> Callable[[Connection[Any]], None]:
        """Returns a function that sets PostgreSQL's settings on a new connection."""

        def after_connect(conn: Connection[Any]) -> None:
            self.pool.is_away = False
            configure(conn, self._settings)

        return after_connect

    def register_type_adapters(self) -> None:
        """Does nothing: we use no types of the library, and start without a server."""

    def checked_out(self) -> "_Lending":
        """Lends a connection in autocommit mode; raises psycopg's own errors.

        It is used within a deadline, which the caller sets. What is left in a transaction, or
        does not answer, is closed.
        """
        return _Lending(self)

    def take(self) -> PatientConnection:
        """Returns a connection, which has to be given back. `checked_out` does both."""
        while True:
            conn = self._wait_for_connection()
            if not conn.has_hung_up() and not self.hosts.was_left(conn.address, conn.opened_at):
                return conn
            conn.close()
            self.pool.putconn(conn)

    def _wait_for_connection(self) -> PatientConnection:
        """Returns a connection of the pool, which may turn out to be dead.

        Half of the time is enough for a server that restarts. Whoever waits for one that can't, as
        on a full disk, is told so then, and not at the deadline.
        """
        conn: PatientConnection
        try:
            conn = self.pool.getconn(seconds_left() / 2)
        except PoolTimeout as error:
            if self.pool.is_away:
                raise ServerAway(str(error)) from error
            conn = self.pool.getconn(seconds_left())
        return conn

    def leave(self, conn: PatientConnection) -> None:
        """Leaves the host of a connection whose commit got no answer, if there are others.

        What is connected to it is closed before it is used again.
        """
        self.hosts.avoid(conn.address)

    @contextmanager
    def connection(self) -> Iterator[PatientConnection]:
        """Lends a connection in autocommit mode, for work that must not be done twice.

        Raises `Unavailable` if the server can't be reached in time, or is lost
        during the work, which may then be done or not; and `DiskFull`.
        """
        try:
            with deadline(), self.checked_out() as conn:
                yield conn
        except LOST as error:
            raise (DiskFull if is_disk_full(error) else Unavailable) from error

    def run_idempotent(self, work: Callable[[PatientConnection], T]) -> T:
        """Runs `work` on a connection, and again on another one if that was lost.

        Only for work that may be done twice. Raises `Unavailable` at the deadline, or before if the
        server can't be reached, and `DiskFull` at once.
        """
        with deadline():
            for pause in pauses():
                try:
                    with self.checked_out() as conn:
                        return work(conn)
                except LOST as error:
                    if is_disk_full(error):
                        raise DiskFull from error
                    if not may_try_again(error, pause):
                        raise Unavailable from error
        raise AssertionError("pauses() never ends")

    def in_snapshot(self, work: Callable[[PatientConnection], T]) -> T:
        """Like `run_idempotent`, for reading in one snapshot of the database."""

        def read(conn: PatientConnection) -> T:
            with snapshot(conn):
                return work(conn)

        return self.run_idempotent(read)

    def fetch_all(self, query: Any, params: Any = None) -> list[DictRow]:
        """Returns the rows of a query. It may be sent twice."""
        return self.run_idempotent(lambda conn: conn.execute(query, params).fetchall())

    def fetch_one(self, query: Any, params: Any = None) -> DictRow | None:
        """Returns the first row of a query, if there is one. It may be sent twice."""
        return self.run_idempotent(lambda conn: conn.execute(query, params).fetchone())

    def fetch_objects(self, make: Callable[..., T], query: Any, params: Any = None) -> list[T]:
        """Like `fetch_all`, but calls `make` with each row, its columns as keyword arguments."""

        def read(conn: PatientConnection) -> list[T]:
            with conn.cursor(row_factory=kwargs_row(make)) as cursor:
                return cursor.execute(query, params).fetchall()

        return self.run_idempotent(read)


class _Lending:
    """Lends a connection for the block."""

    __slots__ = ("_conn", "_database")

    def __init__(self, database: Database) -> None:
        self._database = database
        self._conn: PatientConnection

    def __enter__(self) -> PatientConnection:
        self._conn = self._database.take()
        return self._conn

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, psycopg.errors.ReadOnlySqlTransaction):
            self._conn.close()  # so that the pool looks for the new primary
        self._database.pool.putconn(self._conn)


@contextmanager
def snapshot(conn: Connection[DictRow]) -> Iterator[None]:
    """Begins a read-only transaction that sees the database as it is at its first query."""
    with conn.transaction():
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield


def pauses() -> Iterator[float]:
    """Yields growing pauses in seconds, with full jitter so that rivals don't meet again."""
    longest = 0.004
    while True:
        yield random.uniform(0.001, longest)  # noqa: S311 - not a secret
        longest = min(longest * 2, 0.25)


def may_try_again(error: BaseException | None, pause: float) -> bool:
    """Sleeps and returns True. Returns False at once if the server is away, or at the deadline."""
    return not isinstance(error, ServerAway) and sleep_within_deadline(pause)


def sleep_within_deadline(seconds: float) -> bool:
    """Sleeps and returns True, or returns False at once if the deadline would pass first."""
    if seconds_left() <= seconds:
        return False
    sleep(seconds)
    return True


class _Pool(ConnectionPool[Any]):
    """A pool that lends the connection that was used last, and reconnects at a steady pace.

    The library's pool lends all in turn. But each has a process of the server, and one that has
    just worked still finds what it needs in the processor's caches. Those that nobody needs are
    closed.
    """

    is_away = False
    """True from the time when connecting has failed for a while until it succeeds."""

    def reconnect_failed(self) -> None:
        """Starts over, instead of pausing for minutes: `check()` makes the pool grow again."""
        self.is_away = True
        self.check()

    def getconn(self, timeout: float | None = None) -> PatientConnection:
        """Lends an idle connection in fewer steps than the library, which is asked if none is idle.

        Opens the pool when it is first used.
        """
        conn: PatientConnection
        if timeout is None or timeout > 0:
            with self._lock:
                if self._pool:
                    conn = self._pool.pop()
                    conn._pool = self
                    if len(self._pool) < self._nconns_min:
                        self._nconns_min = len(self._pool)
                    return conn
        self.open(wait=False)
        conn = super().getconn(timeout)
        return conn

    def putconn(self, conn: PatientConnection) -> None:
        """Takes back a connection that is fit to be lent again; leaves any other to the library.

        Also leaves it to the library if somebody waits for one, or the pool has been closed. A
        connection that is lost or still in a transaction is closed first.
        """
        is_idle = conn.pgconn.transaction_status == TransactionStatus.IDLE
        if not is_idle:
            conn.close()
        is_fit = (
            is_idle
            and conn._pool is self
            and conn._created_at > self._drained_at
            and conn._expire_at > monotonic()
        )
        with self._lock:
            if is_fit and not (self._waiting or self._closed or self._pool_full_event):
                conn._pool = None
                self._pool.append(conn)
                return
        super().putconn(conn)

    @staticmethod
    def check_connection(conn: PatientConnection) -> None:
        """Checks a connection without a query, because the server may be silent."""
        if conn.has_hung_up():
            conn.close()
            raise psycopg.OperationalError("the server has closed the connection")
