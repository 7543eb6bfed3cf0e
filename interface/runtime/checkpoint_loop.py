"""Signs checkpoints of the log every half minute, beside the projector."""

import logging
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from threading import Event

import psycopg

from application.eventstore.connection import connect
from application.proofs.checkpoint_signer import CheckpointSigner
from domain.errors import AdmitOneError
from interface.runtime.background_thread import background_thread
from projections.evidence.checkpoint_signing import sign_all_due
from projections.evidence.checkpoint_store import CheckpointStore

log = logging.getLogger(__name__)

EVERY_SECONDS = 30.0


@contextmanager
def sign_periodically(
    conninfo: str,
    signer: CheckpointSigner,
    store: CheckpointStore,
    is_at_work: Event,
    stop: Event,
    *,
    now: Callable[[], datetime],
) -> Iterator[None]:
    """Signs new events in a thread while `is_at_work` is set, until `stop` is set."""

    def sign() -> None:
        while not stop.wait(EVERY_SECONDS):
            if not is_at_work.is_set():
                continue
            try:
                with closing(connect(conninfo, application_name="admitone checkpoints")) as conn:
                    sign_all_due(conn, signer, store, now=now(), is_stopped=stop.is_set)
            except (psycopg.Error, OSError, AdmitOneError, ValueError) as error:
                log.error("can't sign a checkpoint: %s", error)

    with background_thread("checkpoints", sign, stop):
        yield
