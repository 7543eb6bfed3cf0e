"""Connections to PostgreSQL that keep to the deadline and heal by themselves."""

import random
import select
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import sleep
from typing import Any, TypeVar

import psycopg
from eventsourcing.postgres import ConnectionPool, PostgresDatastore
from psycopg import Connection
from psycopg.abc import RV, PQGen
from psycopg.rows import DictRow, dict_row

from application.eventstore.conninfo import with_defaults
from application.eventstore.deadline import REQUEST_SECONDS, deadline, seconds_left
from domain.errors import Unavailable

T = TypeVar("T")

DATABASE_ERRORS = (Unavailable, psycopg.Error)
"""Everything that work with the database may raise, but for refusals of our own."""

IDLE_IN_TRANSACTION_SECONDS = 2
# The part of a deadline to wait for a lock: the server has to say that it gave up while
# somebody still listens, and nobody of ours waits on in the server afterwards.
PATIENCE = 0.9
RECONNECT_SECONDS = 0.5
MOST_WAITING = 1000
# After these the same work may succeed on another connection.
LOST = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.errors.ReadOnlySqlTransaction,  # a demoted primary
    psycopg.errors.IdleInTransactionSessionTimeout,  # this process stood still for too long
    psycopg.errors.TransactionTimeout,
)


def safe_description(error: BaseException) -> str:
    """Says what went wrong without quoting anybody's data.

    An error of the way to the database is told in full. PostgreSQL's other errors may quote a
    row, and any other error's message may hold what somebody typed: of these, only the kind.
    """
    name = type(error).__qualname__
    if isinstance(error, psycopg.OperationalError):
        return f"{name}: {' '.join((error.diag.message_primary or str(error)).split())}"
    if isinstance(error, psycopg.Error) and error.sqlstate:
        return f"{name}: {error.sqlstate} {error.diag.constraint_name or ''}".rstrip()
    return name


def connect(
    conninfo: str, *, application_name: str, autocommit: bool = True
) -> Connection[DictRow]:
    """Opens a connection outside the pool, which no deadline of a request ends.

    PostgreSQL lists it under `application_name`. Raises psycopg's own errors.
    """
    completed = with_defaults(conninfo, application_name=application_name)
    return psycopg.connect(completed, autocommit=autocommit, row_factory=dict_row)


class Database(PostgresDatastore):
    """The library's datastore for any libpq connection string.

    The library's own knows neither sslmode nor several hosts nor keepalives, waits for a
    silent server for ever and leaves dead connections for somebody to trip over.
    """

    def __init__(self, conninfo: str, *, pool_size: int = 1, max_pool_size: int = 10) -> None:
        """Connect lazily to the server that `conninfo` (a URL or key=value pairs) names."""
        super().__init__(dbname="", host="", port="", user="", password="")
        self.pool: ConnectionPool[Connection[DictRow]] = _Pool(
            with_defaults(conninfo, application_name="admitone"),
            connection_class=PatientConnection,
            kwargs={"row_factory": dict_row, "autocommit": True},
            min_size=pool_size,
            max_size=max_pool_size,
            open=False,
            configure=self.after_connect_func(),
            # The pool forgets those who gave up waiting only when a connection comes.
            max_waiting=MOST_WAITING,
            reconnect_timeout=RECONNECT_SECONDS,
        )

    def after_connect_func(self) -> Callable[[Connection[Any]], None]:
        """Times are read in UTC whatever the server's zone is, and no wait is for ever."""

        def after_connect(conn: Connection[Any]) -> None:
            conn.execute(
                """SELECT set_config('timezone', 'UTC', false),
                    set_config('idle_in_transaction_session_timeout', %s, false),
                    set_config('lock_timeout', %s, false)""",
                (f"{IDLE_IN_TRANSACTION_SECONDS}s", f"{REQUEST_SECONDS * PATIENCE * 1000:.0f}ms"),
            )

        return after_connect

    def register_type_adapters(self) -> None:
        """Nothing: our statements need no types of the library's, nor a server at the start."""

    @contextmanager
    def checked_out(self) -> Iterator[Connection[DictRow]]:
        """A connection in autocommit mode, until the deadline. Raises psycopg's own errors."""
        with deadline():
            conn = self._take()
            try:
                with conn:
                    yield conn
            except psycopg.errors.ReadOnlySqlTransaction:
                conn.close()  # so that the pool looks for the new primary
                raise
            finally:
                self.pool.putconn(conn)

    def _take(self) -> Connection[DictRow]:
        self.pool.open(wait=False)
        while has_hung_up(conn := self.pool.getconn(seconds_left())):
            conn.close()
            self.pool.putconn(conn)
        return conn

    @contextmanager
    def connection(self) -> Iterator[Connection[DictRow]]:
        """A connection in autocommit mode, for work that must not be done twice.

        Raises `Unavailable` when the server could not be had before the deadline, or was
        lost on the way: then the work may have been done or not.
        """
        try:
            with self.checked_out() as conn:
                yield conn
        except LOST as error:
            raise Unavailable from error

    def run_idempotent(self, work: Callable[[Connection[DictRow]], T]) -> T:
        """`work` on a connection; again on another if that one was lost.

        Only for work that may be done twice. Raises `Unavailable` at the deadline.
        """
        with deadline():
            for pause in pauses():
                try:
                    with self.checked_out() as conn:
                        return work(conn)
                except LOST as error:
                    if not sleep_within_deadline(pause):
                        raise Unavailable from error
        raise AssertionError("pauses() never ends")

    def in_snapshot(self, work: Callable[[Connection[DictRow]], T]) -> T:
        """Like `run_idempotent`, for reading: `work` sees the database at one moment."""

        def read(conn: Connection[DictRow]) -> T:
            with snapshot(conn):
                return work(conn)

        return self.run_idempotent(read)

    def fetch_all(self, query: Any, params: Any = None) -> list[DictRow]:
        """The rows of a query that may be asked twice."""
        return self.run_idempotent(lambda conn: conn.execute(query, params).fetchall())

    def fetch_one(self, query: Any, params: Any = None) -> DictRow | None:
        """The first row of a query that may be asked twice, if there is one."""
        return self.run_idempotent(lambda conn: conn.execute(query, params).fetchone())


@contextmanager
def snapshot(conn: Connection[DictRow]) -> Iterator[None]:
    """A transaction that only reads, and sees the database as it was when it began."""
    with conn.transaction():
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield


def pauses() -> Iterator[float]:
    """Growing pauses with full jitter, in seconds, so that rivals do not meet again."""
    longest = 0.004
    while True:
        yield random.uniform(0.001, longest)  # noqa: S311 - not a secret
        longest = min(longest * 2, 0.25)


def sleep_within_deadline(seconds: float) -> bool:
    """Sleep, unless the deadline would pass first: then False at once."""
    if seconds_left() <= seconds:
        return False
    sleep(seconds)
    return True


class PatientConnection(Connection[DictRow]):
    """Waits for the server until the deadline; whoever holds it then has to close it.

    Closes and does not cancel: a silent server would not hear of it, and a cancelled COMMIT
    that waits for a standby would report success.
    """

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        """As psycopg's, which would wait for ever."""
        left = seconds_left()
        return super().wait(gen, interval, left if timeout is None else min(left, timeout))


class _Pool(ConnectionPool[Connection[DictRow]]):
    """Tries to connect at a steady pace, where the library's would pause for minutes."""

    def reconnect_failed(self) -> None:
        """Begin anew: `check()` makes the pool grow again."""
        self.check()

    @staticmethod
    def check_connection(conn: Connection[DictRow]) -> None:
        """Look without asking the server, which may be silent."""
        if has_hung_up(conn):
            conn.close()
            raise psycopg.OperationalError("the server has hung up")


def has_hung_up(conn: Connection[DictRow]) -> bool:
    """Whether the server has said anything to an idle connection: only ever its goodbye."""
    poll = select.poll()
    poll.register(conn.fileno(), select.POLLIN)
    return bool(poll.poll(0))
