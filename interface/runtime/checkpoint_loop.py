"""Signs checkpoints of the log every half minute, beside the projector."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from threading import Event, Thread

import psycopg
from psycopg.rows import dict_row

from application.eventstore.conninfo import with_defaults
from application.proofs.checkpoint_signer import CheckpointSigner
from domain.errors import AdmitOneError
from projections.evidence.checkpoint_store import CheckpointStore, sign_all_due

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
    """Runs a thread that signs new events while `is_at_work` is set, until `stop` is set."""
    completed = with_defaults(conninfo, application_name="admitone checkpoints")

    def sign() -> None:
        while not stop.wait(EVERY_SECONDS):
            if not is_at_work.is_set():
                continue
            try:
                with psycopg.connect(completed, autocommit=True, row_factory=dict_row) as conn:
                    sign_all_due(conn, signer, store, now=now())
            except (psycopg.Error, OSError, AdmitOneError, ValueError) as error:
                log.error("no checkpoint signed: %s", error)

    thread = Thread(target=sign, name="checkpoints")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
