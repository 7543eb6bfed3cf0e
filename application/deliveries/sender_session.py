"""The session with the database by which the senders of a process show that they are alive."""

from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime, timedelta
from secrets import randbits
from threading import Lock
from time import monotonic
from typing import cast

from application.deliveries.claims import CLAIM, Claims
from application.eventstore import advisory_locks
from application.eventstore.connection import BY_INDEX, UNATTENDED, connect
from application.eventstore.database import PatientConnection
from application.eventstore.deadline import deadline
from application.eventstore.hosts import Hosts

DATABASE_SECONDS = 3.0
"""A sender waits this long for the database, and then connects anew: a server that is no longer the
primary may never answer."""
ABANDONED = timedelta(seconds=3)
"""The age that a claim must have before it is taken over, and so must the session of the sender
that takes it over: after an outage, all senders can return first."""
TAKE_OVER_SECONDS = 2.0
"""Seconds between two looks for claims to take over."""


class SenderSession:
    """A session that has the locks of all senders of a process. For any thread.

    While it lasts, nobody takes over what they have claimed. It takes over what senders had
    claimed whose session has ended.
    """

    def __init__(
        self, where: str | Hosts, *, now: Callable[[], datetime], claim: timedelta = CLAIM
    ) -> None:
        """`claim` is how long the claims of the senders last."""
        self._hosts = Hosts.of(where)
        self._now = now
        self._claim = claim
        self._numbers: list[int] = []
        self._channels: set[str] = set()
        self._mutex = Lock()
        self._conn: PatientConnection | None = None
        self._opened_at = 0.0
        self._is_in_doubt = False
        self._next_take_over = 0.0

    def add_sender(self, channel: str) -> int:
        """Returns the number of a new sender of this channel. To be called before `check`."""
        number = randbits(31)
        self._numbers.append(number)
        self._channels.add(channel)
        return number

    def check(self) -> None:
        """Raises psycopg's error if the session is lost. Opens it when it is first called.

        A closed connection is noticed at once, a silent one when claims are next taken over, every
        two seconds. Opens a new session if the host was left, or this one is in doubt.
        """
        with self._mutex:
            conn = self._conn
            if conn is None or self._is_in_doubt or self._hosts.has_left(conn, self._opened_at):
                conn = self._open_anew()
            if conn.has_hung_up() or monotonic() >= self._next_take_over:
                self._take_over(conn, before=self._now() + self._claim - ABANDONED)
                self._next_take_over = monotonic() + TAKE_OVER_SECONDS

    def doubt(self) -> None:
        """Lets the next check open a new session: there was an error of the database."""
        self._is_in_doubt = True

    def close(self) -> None:
        """Ends the session, and with it the locks."""
        with self._mutex:
            self._end()

    def _open_anew(self) -> PatientConnection:
        """Returns a new connection that has the locks, in place of the previous one.

        It takes the locks before the previous one is closed, because an error need not have ended
        that one: without a lock, others would take over what was sent and is not recorded yet. If
        no session can be opened, perhaps for want of room, closing the previous one makes some.
        """
        opened_at = monotonic()
        try:
            conn = self._open()
        finally:
            self._end()
        self._conn, self._opened_at, self._is_in_doubt = conn, opened_at, False
        self._next_take_over = opened_at + ABANDONED.total_seconds()
        return conn

    def _open(self) -> PatientConnection:
        """Returns a connection that has the locks, where senders of other processes see them."""
        with ExitStack() as on_failure:
            conn = cast(
                "PatientConnection",
                connect(
                    self._hosts,
                    application_name="admitone senders",
                    settings={**UNATTENDED, **BY_INDEX},
                    kind=PatientConnection,
                ),
            )
            on_failure.callback(conn.close)
            conn.execute(
                "SELECT pg_advisory_lock_shared(%s, number) FROM unnest(%s::integer[]) AS number",
                (advisory_locks.SENDER, self._numbers),
            )
            # Takes nothing over yet, but fails on a standby, where no sender would see the locks.
            self._take_over(conn, before=self._now())
            on_failure.pop_all()
        return conn

    def _take_over(self, conn: PatientConnection, *, before: datetime) -> None:
        """Makes due again what killed senders have claimed. Fails if the session is lost."""
        with deadline(DATABASE_SECONDS):
            Claims.take_over(conn, sorted(self._channels), before=before, now=self._now())

    def _end(self) -> None:
        if self._conn is not None:
            self._conn.close()
            self._conn = None
