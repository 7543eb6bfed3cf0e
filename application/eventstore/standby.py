"""Reads from a standby what may be a few seconds old; decisions are never made from it.

A standby that is behind by more than the bound, or does not answer, is passed over, and the primary
is read instead. How far it is behind is known from positions in the write-ahead log, which holds
everything, views and erasures included: once a second the primary is asked how far it has written,
and the standby how far it has replayed.
"""

import logging
from collections import deque
from collections.abc import Callable
from threading import Lock
from time import monotonic
from typing import TypeVar

from application.eventstore.conninfo import to_standby
from application.eventstore.database import (
    DATABASE_ERRORS,
    Database,
    PatientConnection,
)
from application.eventstore.deadline import deadline
from application.eventstore.outage_log import OutageLog

T = TypeVar("T")

log = logging.getLogger(__name__)

MOST_SECONDS_BEHIND = 5.0
CHECK_SECONDS = 1.0
ANSWER_SECONDS = 1.0
"""Seconds within which the standby must answer, before the primary is asked."""
PASSED_OVER_SECONDS = 10.0
"""Seconds for which it is not asked again after it failed.

Longer than a request, so that none reads there after the primary.
"""

KEPT_POSITIONS = 16
"""Positions of the primary that are remembered. Older ones than the bound say nothing more."""

# Positions say something about each other within one history: of one server, on one timeline.
_WRITTEN = """
    SELECT (pg_current_wal_flush_lsn() - '0/0')::bigint AS position,
        (SELECT system_identifier FROM pg_control_system()) || '/'
            || left(pg_walfile_name(pg_current_wal_lsn()), 8) AS history"""
_REPLAYED = """
    SELECT pg_is_in_recovery() AS is_standby,
        (pg_last_wal_replay_lsn() - '0/0')::bigint AS position,
        (SELECT system_identifier FROM pg_control_system()) || '/'
            || lpad(upper(to_hex((SELECT timeline_id FROM pg_control_checkpoint()))), 8, '0')
            AS history"""


class Standby(Database):
    """A standby with the primary behind it: whatever can't be read there is read here."""

    def __init__(self, conninfo: str, primary: Database, *, max_pool_size: int = 10) -> None:
        super().__init__(to_standby(conninfo), max_pool_size=max_pool_size)
        self._primary = primary
        self._checking = Lock()
        self._checked_at = float("-inf")
        self._passed_over_at = float("-inf")
        self._is_fresh_until = float("-inf")
        self._written: deque[tuple[float, int]] = deque(maxlen=KEPT_POSITIONS)
        """Positions of the primary, each with the time at which it was read."""
        self._history = ""
        """The server that the primary is, and its timeline."""
        self._obstacle: str | None = None
        self._outage = OutageLog(log, "the standby is passed over", "the standby answers again")

    def choose(self) -> Database:
        """Returns the database for all reads of a request: this one, or the primary."""
        return self if self.obstacle() is None else self._primary

    def obstacle(self) -> str | None:
        """Returns why the standby is passed over, as a sentence; None if it is used.

        Checks once a second. While another thread is checking, what was found before holds.
        """
        if self._checking.acquire(blocking=False):
            try:
                if monotonic() > self._checked_at + CHECK_SECONDS and not self._is_passed_over():
                    self._check()
                    self._checked_at = monotonic()
            finally:
                self._checking.release()
        if self._is_passed_over() or monotonic() < self._is_fresh_until:
            return self._obstacle
        return self._obstacle or f"It is more than {MOST_SECONDS_BEHIND:.0f} s behind."

    def run_idempotent(self, work: Callable[[PatientConnection], T]) -> T:
        """Runs `work` here or, if the standby does not answer, on the primary."""
        if not self._is_passed_over():
            try:
                return self._run_here(work)
            except DATABASE_ERRORS as error:
                self._pass_over(error)
        return self._primary.run_idempotent(work)

    def _run_here(self, work: Callable[[PatientConnection], T]) -> T:
        with deadline(ANSWER_SECONDS), self.checked_out() as conn:
            return work(conn)

    def _is_passed_over(self) -> bool:
        return monotonic() < self._passed_over_at + PASSED_OVER_SECONDS

    def _pass_over(self, error: BaseException) -> None:
        self._passed_over_at = monotonic()
        self._is_fresh_until = float("-inf")
        self._obstacle = "It does not answer."
        self._outage.failed(error)

    def _check(self) -> None:
        """Finds out for how long what the standby shows is fresh enough."""
        asked_at = monotonic()
        try:
            with deadline(ANSWER_SECONDS):
                written = self._primary.fetch_one(_WRITTEN)
        except DATABASE_ERRORS:  # nothing can be said; what is known goes on to hold for a while
            return
        if written is None:
            return
        if written["history"] != self._history:
            self._history = written["history"]
            self._written.clear()
        self._written.append((asked_at, written["position"]))
        try:
            replayed = self._run_here(lambda conn: conn.execute(_REPLAYED).fetchone())
        except DATABASE_ERRORS as error:
            self._pass_over(error)
            return
        if replayed is None or not replayed["is_standby"]:
            self._is_fresh_until = float("-inf")
            self._obstacle = "It is not a standby."
            return
        if replayed["history"] != self._history:
            # After a failover that is so until the standby's next checkpoint.
            self._is_fresh_until = float("-inf")
            self._obstacle = "It does not follow this primary yet, or follows another one."
            return
        self._outage.succeeded()
        shown_at = None
        while self._written and self._written[0][1] <= replayed["position"]:
            shown_at, _ = self._written.popleft()
        if shown_at is not None:
            self._is_fresh_until = shown_at + MOST_SECONDS_BEHIND
        self._obstacle = None
