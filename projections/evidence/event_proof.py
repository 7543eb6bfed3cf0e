"""Proves that an event is in the log that a checkpoint covers."""

from dataclasses import dataclass

from psycopg import Connection
from psycopg.rows import DictRow

from application.eventstore.database import Database
from application.eventstore.event_log import read_at
from application.proofs.merkle import inclusion_proof
from application.proofs.verifier import Checkpoint
from domain.errors import NotFound
from projections.views.transparency_log import index_of, leaf_of, tile_reader


class NotUnderCheckpoint(NotFound):
    """The newest checkpoint does not cover an event at that position (yet)."""


@dataclass(frozen=True)
class EventProof:
    """An inclusion proof (RFC 9162): the leaf, and the way from it to the root of the tree."""

    index: int
    leaf_hash: bytes
    path: list[bytes]


def prove_event(database: Database, position: int, checkpoint: Checkpoint) -> EventProof:
    """Returns the proof of the event at a position. Raises `NotUnderCheckpoint`."""

    def prove(conn: Connection[DictRow]) -> EventProof:
        index = index_of(conn, position)
        if index is None or index >= checkpoint.size:
            raise NotUnderCheckpoint
        (recorded,) = read_at(conn, [position])
        path = inclusion_proof(index, checkpoint.size, tile_reader(conn))
        return EventProof(index, leaf_of(recorded), path)

    if position > checkpoint.position:
        raise NotUnderCheckpoint
    return database.in_snapshot(prove)
