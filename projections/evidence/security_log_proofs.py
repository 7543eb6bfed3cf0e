"""The tree over the security log: its checkpoints, and the export that they prove.

Everything is as for the log of events, in the same formats and with the same key, under the name of
that log followed by `/security`: the same file verifies it, and the same program witnesses it. The
tree is not stored. It is small, and whoever signs keeps its edge in memory.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import BinaryIO

from psycopg import Connection
from psycopg.rows import DictRow

from application.eventstore.database import snapshot
from application.people import security_log
from application.people.personal_data import commitment
from application.proofs.checkpoint_signer import CheckpointSigner
from application.proofs.merkle import Growth, ReadTile, inclusion_proofs
from application.proofs.verifier import Checkpoint, export_event, export_header
from projections.evidence.checkpoint_signing import MOST_LEAVES, HistoryChanged
from projections.evidence.checkpoint_store import CheckpointStore, Leaf
from projections.evidence.evidence_checks import Finding
from projections.evidence.log_verification import judge

BATCH = 1000  # entries


class SecurityLogSigner:
    """Signs checkpoints of the security log. It remembers the tree that it has signed."""

    def __init__(self, signer: CheckpointSigner, store: CheckpointStore) -> None:
        """Takes the signer and the checkpoints of the log of events, beside which these are."""
        self._signer, self.store = signer.of_security_log(), store.of_security_log()
        self._signed = Growth(0, [])

    def sign_due(self, conn: Connection[DictRow], *, now: datetime) -> Checkpoint | None:
        """Signs the log and stores the checkpoint, if the log has grown since the last one.

        Returns None if nothing is left to sign. Raises `HistoryChanged` if the log does not lead to
        the last checkpoint, and otherwise like `checkpoint_signing.sign_due`.
        """
        with self.store.signing(), snapshot(conn):
            newest = self.store.newest()
            last = newest.signed if newest else None
            self._know(conn, last)
            leaves = list(leaves_after(conn, last.position if last else 0, most=MOST_LEAVES))
            if not leaves:
                return None
            grown = self._signed.copy()
            grown.append([leaf_hash for _, leaf_hash in leaves])
            signed = Checkpoint(self._signer.name, grown.size, grown.root(), leaves[-1][0], now)
            text = self._signer.sign(signed.size, signed.root, signed.position, signed.time)
            self.store.add(text, signed, leaves)
            self._signed = grown
            return signed

    def _know(self, conn: Connection[DictRow], last: Checkpoint | None) -> None:
        """Makes what is remembered the tree of the last checkpoint, which is read if need be."""
        size = last.size if last else 0
        if self._signed.size != size:
            self._signed = Growth(0, [])
            known = leaves_after(conn, 0, until=last.position if last else 0)
            self._signed.append(leaf_hash for _, leaf_hash in known)
        if last is not None and (self._signed.size, self._signed.root()) != (size, last.root):
            self._signed = Growth(0, [])
            raise HistoryChanged


def leaves_after(
    conn: Connection[DictRow], after: int, *, until: int | None = None, most: int | None = None
) -> Iterator[Leaf]:
    """Yields position and leaf hash of each entry after a position, in order."""
    left = most
    while entries := security_log.read(conn, after, BATCH if left is None else min(BATCH, left)):
        for entry in entries:
            if until is not None and entry.position > until:
                return
            yield entry.position, entry.leaf()
        after = entries[-1].position
        left = None if left is None else left - len(entries)


def tile_reader(conn: Connection[DictRow], checkpoint: Checkpoint) -> ReadTile:
    """Returns a function that reads the tiles of the tree under a checkpoint."""
    hashes = [leaf_hash for _, leaf_hash in leaves_after(conn, 0, until=checkpoint.position)]
    tiles = Growth(0, []).append(hashes)
    return lambda *place: tiles[place]


def write_export(conn: Connection[DictRow], file: BinaryIO, checkpoint: Checkpoint) -> int:
    """Writes all entries under the checkpoint, each with its proof; returns how many.

    Addresses are left out.
    """
    indices = range(checkpoint.size)
    file.write(export_header(checkpoint.origin, checkpoint.size, indices))
    proofs = inclusion_proofs(indices, checkpoint.size, tile_reader(conn, checkpoint))
    after = index = 0
    while index < checkpoint.size:
        for entry in security_log.read(conn, after, min(BATCH, checkpoint.size - index)):
            file.write(export_event(index, entry.event(), next(proofs)))
            after, index = entry.position, index + 1
    return index


def verify(conn: Connection[DictRow], store: CheckpointStore) -> Finding:
    """Compares the whole log with its checkpoints, and the stored addresses with the entries.

    Raises `ProofError` or `OSError` if the checkpoints can't be used.
    """
    verdict = judge(leaves_after(conn, 0), store.each(), store.leaves())
    if verdict.fault is not None:
        return Finding(verdict.events, verdict.fault, verdict.position)
    rows = conn.execute(
        """SELECT position, commitment, salt, data
        FROM security_addresses JOIN security_log USING (position) ORDER BY position"""
    )
    for row in rows:
        if row["commitment"] != commitment(row["salt"], row["data"]):
            fault = "the addresses of this entry are not what was recorded"
            return Finding(verdict.events, fault, row["position"])
    return Finding(verdict.events)
