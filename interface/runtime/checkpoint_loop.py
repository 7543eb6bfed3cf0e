"""Signs checkpoints of the log, and lists erasures, every half minute beside the projector."""

import logging
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from threading import Event

import psycopg
from psycopg import Connection
from psycopg.rows import DictRow

from application.eventstore.connection import connect
from application.eventstore.hosts import Hosts
from application.proofs.checkpoint_signer import CheckpointSigner
from domain.errors import AdmitOneError, Unavailable
from interface.runtime.background_thread import background_thread
from projections.evidence import evidence_checks
from projections.evidence.checkpoint_signing import HistoryChanged, sign_all_due
from projections.evidence.checkpoint_store import CheckpointStore
from projections.evidence.erasure_list import ErasureList
from projections.evidence.evidence_checks import SIGNATURE, Finding
from projections.evidence.security_log_proofs import SecurityLogSigner

log = logging.getLogger(__name__)

EVERY_SECONDS = 30.0
FIRST_SECONDS = 3.0  # what was recorded while nobody signed is not left unsigned any longer


@contextmanager
def sign_periodically(
    where: str | Hosts,
    signer: CheckpointSigner,
    store: CheckpointStore,
    is_at_work: Event,
    stop: Event,
    *,
    now: Callable[[], datetime],
) -> Iterator[None]:
    """Signs new events in a thread while `is_at_work` is set, until `stop` is set.

    For the first time soon after it is set.
    """

    security_log = SecurityLogSigner(signer, store)

    def sign() -> None:
        pause = FIRST_SECONDS
        while not stop.wait(pause):
            if not is_at_work.is_set():
                continue
            pause = EVERY_SECONDS
            try:
                with closing(connect(where, application_name="admitone checkpoints")) as conn:
                    _sign(conn, signer, store, now=now(), stop=stop)
                    _sign_security_log(conn, security_log, now=now())
                    _list_erasures(conn, store)
            except psycopg.Error as error:
                log.error("can't sign a checkpoint: %s", error)

    with background_thread("checkpoints", sign, stop):
        yield


def _sign(
    conn: Connection[DictRow],
    signer: CheckpointSigner,
    store: CheckpointStore,
    *,
    now: datetime,
    stop: Event,
) -> None:
    """Signs what is due, and stores how that went for the pages and the metrics."""
    try:
        sign_all_due(conn, signer, store, now=now, is_stopped=stop.is_set)
        newest = store.newest()
        evidence_checks.record(conn, SIGNATURE, Finding(newest.signed.size if newest else 0))
    except (OSError, Unavailable, psycopg.Error) as error:
        log.error("can't sign a checkpoint: %s", error)
        evidence_checks.record_failure(conn, SIGNATURE)
    except (AdmitOneError, ValueError) as error:  # the log or the folder is not as it was
        log.error("no checkpoint is signed: %s", error)
        position = error.position if isinstance(error, HistoryChanged) else None
        evidence_checks.record(conn, SIGNATURE, Finding(0, str(error), position))


def _list_erasures(conn: Connection[DictRow], store: CheckpointStore) -> None:
    """Lists new erasures where a return of the database to an earlier moment does not reach."""
    try:
        ErasureList(store.folder).add_new(conn)
    except (OSError, AdmitOneError, ValueError, psycopg.Error) as error:
        log.error("can't list erasures beside the checkpoints: %s", error)


def _sign_security_log(
    conn: Connection[DictRow], signer: SecurityLogSigner, *, now: datetime
) -> None:
    """Signs what is due. The patrol finds out, and stores, whether the log was changed."""
    try:
        while signer.sign_due(conn, now=now):
            pass
    except (OSError, AdmitOneError, ValueError, psycopg.Error) as error:
        log.error("can't sign a checkpoint of the security log: %s", error)
