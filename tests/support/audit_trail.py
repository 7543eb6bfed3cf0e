"""What auditors work with: the history of a link, signed checkpoints, and recorded accesses."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg.rows import dict_row

from application.proofs.verifier import Checkpoint
from interface import key_store
from interface.bootstrap import Services
from projections.evidence.checkpoint_signing import sign_due


@dataclass(frozen=True)
class BookedLink:
    """The ids of a link that was used for tomorrow. Its events have the positions 1 to 6."""

    link: str
    booking: str
    calendar: str
    owner: str


def sign_checkpoint(services: Services, conninfo: str) -> Checkpoint:
    """Signs a checkpoint of the whole log. Views have to have caught up."""
    signer = key_store.checkpoint_signer(services.settings)
    store = services.checkpoint_store()
    with psycopg.connect(conninfo, autocommit=True, row_factory=dict_row) as conn:
        checkpoint = sign_due(conn, signer, store, now=services.now())
    assert checkpoint is not None
    return checkpoint


def recorded_accesses(services: Services) -> list[tuple[str, str]]:
    """Returns who read what of the audit, the oldest access first."""
    rows = services.database.fetch_all("SELECT actor, what FROM audit_accesses ORDER BY id")
    return [(row["actor"], row["what"]) for row in rows]


@contextmanager
def accesses_cannot_be_recorded(services: Services) -> Iterator[None]:
    """Lets the table of accesses refuse every row within the block."""
    with services.database.connection() as conn:
        conn.execute("ALTER TABLE audit_accesses ADD CONSTRAINT none CHECK (false) NOT VALID")
    try:
        yield
    finally:
        with services.database.connection() as conn:
            conn.execute("ALTER TABLE audit_accesses DROP CONSTRAINT none")
