"""What compliance staff have: a story to read, and heads of the log that are signed."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg.rows import dict_row

from application.proofs.verifier import Checkpoint
from interface import key_store
from interface.bootstrap import Services
from projections.evidence.checkpoint_store import CheckpointStore, sign_due


@dataclass(frozen=True)
class Story:
    """A link that was used, for the day after `examples.NOW`: positions 1 to 6, its ids."""

    link: str
    booking: str
    calendar: str
    owner: str


def sign_head(services: Services, conninfo: str) -> Checkpoint:
    """Sign what is in the tree. Views have to have caught up."""
    signer = key_store.checkpoint_signer(services.settings)
    kept = CheckpointStore(services.settings.checkpoints_folder, signer.verifier_key())
    with psycopg.connect(conninfo, autocommit=True, row_factory=dict_row) as conn:
        head = sign_due(conn, signer, kept, now=services.now())
    assert head is not None
    return head


def noted(services: Services) -> list[tuple[str, str]]:
    """Actor and what of all accesses, the first one first."""
    rows = services.database.fetch_all("SELECT actor, what FROM audit_accesses ORDER BY id")
    return [(row["actor"], row["what"]) for row in rows]


@contextmanager
def no_access_can_be_noted(services: Services) -> Iterator[None]:
    """Within, the table of accesses takes no row."""
    with services.database.connection() as conn:
        conn.execute("ALTER TABLE audit_accesses ADD CONSTRAINT none CHECK (false) NOT VALID")
    try:
        yield
    finally:
        with services.database.connection() as conn:
            conn.execute("ALTER TABLE audit_accesses DROP CONSTRAINT none")
