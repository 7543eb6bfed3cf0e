"""What commands of `admitone audit` have in common."""

import getpass
from collections.abc import Iterator
from contextlib import contextmanager

from psycopg import Connection
from psycopg.rows import DictRow

from application import accesses
from application.deadline import deadline
from application.proofs import Checkpoint
from interface import keys_kept
from interface.bootstrap import Services
from interface.cli import session
from interface.heads import HeadsKept, NoHead, sign_due

LONGEST_SECONDS = 3600.0


@contextmanager
def reading(what: str) -> Iterator[tuple[Services, Connection[DictRow]]]:
    """Services and a connection, once it is written down who reads what."""
    with session.services() as services, deadline(LONGEST_SECONDS):
        accesses.record(services.database, actor=f"command:{getpass.getuser()}", what=what)
        with services.database.connection() as conn:
            yield services, conn


def signed_now(services: Services, conn: Connection[DictRow]) -> tuple[str, Checkpoint]:
    """The newest signed head, made now if the tree has grown since. Raises `NoHead`."""
    signer = keys_kept.signer(services.settings)
    kept = HeadsKept(services.settings.heads_folder, signer.verifier_key())
    while sign_due(conn, signer, kept, now=services.now()):
        pass
    text, head = kept.newest_text(), kept.newest()
    if text is None or head is None:
        raise NoHead
    return text, head
