"""Asks a witness to cosign a checkpoint."""

from psycopg import Connection
from psycopg.rows import DictRow

from application.eventstore.database import Database
from application.proofs.merkle import consistency_proof
from application.proofs.witness import witness_request
from domain.errors import Invalid
from projections.evidence import security_log_proofs
from projections.evidence.checkpoint_store import SignedCheckpoint
from projections.views.transparency_log import tile_reader


def request_to_witness(
    database: Database, old_size: int, newest: SignedCheckpoint, *, of_security_log: bool = False
) -> str:
    """Returns the request for a witness that has cosigned the tree of `old_size` last.

    `newest` is the newest checkpoint of the log of events, or of the security log.

    Raises `Invalid` if the newest checkpoint is of a smaller tree.
    """
    size = newest.signed.size
    if old_size > size:
        raise Invalid({"old": [f"Must not be greater than {size}."]})

    def prove(conn: Connection[DictRow]) -> list[bytes]:
        if of_security_log:
            read_tile = security_log_proofs.tile_reader(conn, newest.signed)
        else:
            read_tile = tile_reader(conn)
        return consistency_proof(old_size, size, read_tile)

    return witness_request(old_size, database.in_snapshot(prove), newest.text)
