"""Waits, while a process starts, for a database that does not accept connections yet.

After a power cut everything starts at once, and the database seldom comes first.
"""

import logging
from collections.abc import Callable
from threading import Event
from time import monotonic

import psycopg
from psycopg import pq

from application.eventstore.connection import connect
from application.eventstore.conninfo import with_defaults

APPLICATION = "admitone start"
PAUSE_SECONDS = 0.25  # between two attempts
NOTICE_SECONDS = 10.0  # between two messages about what it waits for
# SQLSTATEs of a server that shuts down, crashes, starts, or lacks connections or room on its disk,
# and of a lost connection.
_PASSING = ("57P01", "57P02", "57P03", "53", "08")

log = logging.getLogger(__name__)


def once_reachable(
    conninfo: str, work: Callable[[], object], *, seconds: float, stop: Event
) -> None:
    """Does `work`, which needs the database at `conninfo`.

    Repeats it, for so many seconds, while the server starts, shuts down or can't be reached. So
    `work` may begin several times. Raises psycopg's error if the server lets nobody in for another
    reason, such as a wrong password, or if the time is over. Raises `SystemExit` once `stop` is
    set.
    """
    ends_at = monotonic() + seconds
    notice_at = 0.0
    while True:
        try:
            work()
        except psycopg.OperationalError as error:
            if monotonic() >= ends_at or not _may_pass(error, conninfo):
                raise
            if monotonic() >= notice_at:
                log.warning(
                    "waiting up to %.0f s for the database: %s",
                    ends_at - monotonic(),
                    reason(error),
                )
                notice_at = monotonic() + NOTICE_SECONDS
        else:
            if notice_at:
                log.info("the database answers")
            return
        if stop.wait(PAUSE_SECONDS):
            raise SystemExit(0)


def reason(error: psycopg.Error) -> str:
    """Returns why the database can't be used, in one line. It holds no password."""
    return " ".join((error.diag.message_primary or str(error)).split())


def _may_pass(error: psycopg.OperationalError, conninfo: str) -> bool:
    if error.sqlstate is not None:
        return error.sqlstate.startswith(_PASSING)
    return not _refuses_for_good(conninfo)


def _refuses_for_good(conninfo: str) -> bool:
    """Returns True if the server is up and yet lets nobody in.

    Asks twice, because it may have come up between the first two questions.
    """
    return all(not _connects(conninfo) and _is_up(conninfo) for _ in range(2))


def _connects(conninfo: str) -> bool:
    try:
        connect(conninfo, application_name=APPLICATION).close()
    except psycopg.OperationalError:
        return False
    return True


def _is_up(conninfo: str) -> bool:
    """Returns False if nothing answers, or a server that does not accept connections now."""
    completed = with_defaults(conninfo, application_name=APPLICATION)
    return pq.PGconn.ping(completed.encode()) not in (pq.Ping.REJECT, pq.Ping.NO_RESPONSE)
