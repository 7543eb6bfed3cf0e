"""Patrols the log, the personal data and the views, beside the projector.

A patrol takes a tenth of a processor, and all patrols together half a percent of one, but they
come at least as often as `ADMITONE_PATROL_HOURS` says. So a short log is checked every half minute.
When the server has counted changed rows in the log, which nobody but a forger makes, the next
patrol begins at once and does not rest.
"""

import logging
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from threading import Event
from time import monotonic

import psycopg
from psycopg import Connection
from psycopg.rows import DictRow

from application.eventstore.connection import connect
from application.eventstore.hosts import Hosts
from application.eventstore.mapper import JSONMapper
from application.eventstore.outage_log import OutageLog
from domain.errors import AdmitOneError
from interface.runtime.background_thread import background_thread
from projections.catalogue import CATALOGUE
from projections.evidence import evidence_checks
from projections.evidence.checkpoint_store import CheckpointStore
from projections.evidence.patrol import patrol, rows_changed

log = logging.getLogger(__name__)

LOOK_SECONDS = 10.0
SHORTEST_SECONDS = 25.0  # from one patrol to the next
REST_PER_WORK = 9.0  # within a patrol
PAUSE_PER_WORK = 199.0  # between patrols


class _Stopped(Exception):
    """The process ends, and the patrol with it."""


@contextmanager
def patrol_periodically(
    where: str | Hosts, store: CheckpointStore, hours: int, is_at_work: Event, stop: Event
) -> Iterator[None]:
    """Patrols in a thread while `is_at_work` is set, until `stop` is set."""
    work = partial(_keep_watching, Hosts.of(where), _Watch(store, hours, stop), is_at_work, stop)
    with background_thread("patrol", work, stop):
        yield


def _keep_watching(hosts: Hosts, watch: "_Watch", is_at_work: Event, stop: Event) -> None:
    outage = OutageLog(log, "can't patrol", "patrolling again")
    while not stop.wait(LOOK_SECONDS):
        if not is_at_work.is_set():
            continue
        try:
            with closing(connect(hosts, application_name="admitone patrol")) as conn:
                watch.look(conn)
            outage.succeeded()
        except _Stopped:
            return
        except psycopg.Error as error:
            outage.failed(error)


class _Watch:
    """Patrols when it is time, or when rows of the log were changed."""

    def __init__(self, store: CheckpointStore, hours: int, stop: Event) -> None:
        self._store, self._longest_seconds, self._stop = store, hours * 3600.0, stop
        self._due_at, self._changed = 0.0, -1
        self._worked = 0.0

    def look(self, conn: Connection[DictRow]) -> None:
        changed = rows_changed(conn)
        is_urgent = changed != self._changed != -1
        if not is_urgent and monotonic() < self._due_at:
            return
        self._changed, self._worked = changed, 0.0
        self._patrol(conn, is_urgent)
        pause = max(SHORTEST_SECONDS, self._worked * PAUSE_PER_WORK)
        self._due_at = monotonic() + min(self._longest_seconds, pause)

    def _patrol(self, conn: Connection[DictRow], is_urgent: bool) -> None:
        def rest(worked: float) -> None:
            self._worked += worked
            if self._stop.wait(0.0 if is_urgent else worked * REST_PER_WORK):
                raise _Stopped

        checks = patrol(conn, self._store, CATALOGUE, JSONMapper(), rest=rest)
        try:
            for name, finding in checks:
                evidence_checks.record(conn, name, finding)
                if finding.fault is not None:
                    log.error("%s", in_words(name, finding))
        except (OSError, AdmitOneError, ValueError) as error:
            log.error("can't check the log: %s", error)
            evidence_checks.record_failure(conn, evidence_checks.LOG)


def in_words(name: str, finding: evidence_checks.Finding) -> str:
    """Returns a line for the log of the process."""
    place = "" if finding.position is None else f"position {finding.position}: "
    return f"NOT AS RECORDED ({name.replace('_', ' ')}): {place}{finding.fault}"
