"""Exports the log with its proofs, for auditors who check it elsewhere."""

from typing import BinaryIO

from psycopg import Connection
from psycopg.rows import DictRow

from application.eventstore.event_log import read
from application.proofs.merkle import inclusion_proofs
from application.proofs.verifier import Checkpoint, export_event, export_header
from projections.views.transparency_log import event_of, index_of, tile_reader

BATCH = 1000  # events


def write(
    conn: Connection[DictRow],
    file: BinaryIO,
    checkpoint: Checkpoint,
    *,
    first: int | None = None,
    last: int | None = None,
) -> int:
    """Writes the events at positions `first` to `last`, each with its proof for `checkpoint`.

    Events that the checkpoint does not cover are left out. Returns how many were written.
    """
    until = checkpoint.position if last is None else min(last, checkpoint.position)
    beginning = read(conn, (first or 1) - 1, 1, until=until)
    start = index_of(conn, beginning[0].position) if beginning else None
    end = conn.execute(
        "SELECT max(notification_id) AS last FROM stored_events WHERE notification_id <= %s",
        (until,),
    ).fetchone()
    stop = index_of(conn, end["last"]) if start is not None and end else None
    indices = range(start, stop + 1) if start is not None and stop is not None else range(0)
    file.write(export_header(checkpoint.origin, checkpoint.size, indices))
    proofs = inclusion_proofs(indices, checkpoint.size, tile_reader(conn))
    after, index = (first or 1) - 1, indices.start
    while index < indices.stop:
        for recorded in read(conn, after, min(BATCH, indices.stop - index)):
            file.write(export_event(index, event_of(recorded), next(proofs)))
            after, index = recorded.position, index + 1
    return len(indices)
