"""Finds the process that has the turn to append to the log, and says why others must wait."""

from math import inf
from threading import Lock
from time import monotonic, sleep
from typing import NamedTuple

from psycopg import Connection
from psycopg.rows import DictRow, kwargs_row

from application.eventstore import advisory_locks
from application.eventstore.database import LOST, Database
from application.eventstore.deadline import deadline, seconds_left
from domain.errors import Busy, Unavailable

# An append has its turn for milliseconds, up to tens of them on a slow disk.
STUCK_SECONDS = 0.25
KNOWN_SECONDS = 1.0  # how long what was found is told to others who must wait

# Shown to every role, except for what waits and what it is called: these only to the same role.
_HOLDER = f"""
    SELECT pid, virtualtransaction AS transaction, wait_event, application_name
    FROM pg_locks LEFT JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'advisory' AND granted AND objsubid = 1
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND classid::bigint << 32 | objid::bigint = {advisory_locks.APPEND}
    """  # noqa: S608 - a constant


class TurnHeld(Unavailable):
    """Nothing can be saved at the moment, because something holds up the log. Try again shortly."""


class CommitsHang(Unavailable):
    """Nothing can be saved at the moment, because no standby confirms it. Try again shortly."""


class Holder(NamedTuple):
    """The process of the server that has the turn, and its transaction."""

    pid: int
    transaction: str
    wait_event: str | None
    application_name: str | None

    @property
    def waits_for_standby(self) -> bool:
        """Returns True if it has written everything and waits for a synchronous standby."""
        return self.wait_event == "SyncRep"


def holder(conn: Connection[DictRow]) -> Holder | None:
    """Returns who has the turn to append, or None if nobody has."""
    with conn.cursor(row_factory=kwargs_row(Holder)) as cursor:
        return cursor.execute(_HOLDER).fetchone()


class Refusals:
    """Finds out, once for all who must wait at that time, what to tell them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._finding = Lock()
        self._found: type[Unavailable] = Busy
        self._found_at = -inf

    def refusal(self) -> Unavailable:
        """Returns what to tell a writer who did not get a turn in time.

        That is `Busy` if others are served meanwhile, and if there is no time left to find out,
        but plain `Unavailable` if the server can't be reached. A host where commits hang is left.
        """
        if self._finding.acquire(timeout=seconds_left()):
            try:
                if not self._is_known() and seconds_left() > STUCK_SECONDS:
                    self._found = self._find()
                    self._found_at = monotonic()
            finally:
                self._finding.release()
        return self._found() if self._is_known() else Busy()

    def without_connection(self) -> Unavailable:
        """Returns what to tell a writer for whom no connection was left.

        If commits hang, all connections wait for them.
        """
        return self._found() if self._is_known() else Unavailable()

    def _is_known(self) -> bool:
        return monotonic() < self._found_at + KNOWN_SECONDS

    def _find(self) -> type[Unavailable]:
        try:
            with deadline(), self._database.checked_out() as conn:
                first = holder(conn)
                sleep(STUCK_SECONDS)
                second = holder(conn)
                if second is not None and second.waits_for_standby:
                    self._database.leave(conn)
        except LOST:
            return Unavailable
        if first is None or second is None or first.transaction != second.transaction:
            return Busy
        return CommitsHang if second.waits_for_standby else TurnHeld
