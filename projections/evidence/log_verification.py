"""Verifies that the log was never changed: hashes it anew, and compares with signed checkpoints.

Processes share the work, and each reads and hashes stretches of the log. Their results are put
together in order, so that the first position at fault can be named.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import closing
from itertools import chain, islice
from multiprocessing import get_context
from typing import NamedTuple

from psycopg import Connection
from psycopg.rows import DictRow

from application.eventstore.connection import connect
from application.eventstore.database import snapshot
from application.proofs.merkle import HASH, Growth
from application.proofs.verifier import Checkpoint
from projections.evidence.checkpoint_store import Leaf
from projections.evidence.log_leaves import leaves_of_log
from projections.views.transparency_log import leaf_hashes, tree_size

STRETCH = 50_000  # events
_RECORD = 8 + HASH
StoredLeaf = tuple[int | None, bytes]
"""A leaf as it was stored for comparison. Our own tree has no positions: None."""


class Verdict(NamedTuple):
    """The result of a verification. `signed` of the `events` are under the newest checkpoint.

    Without a `fault` all of them are as they were recorded. `position` is the first at fault.
    """

    events: int
    signed: int
    position: int | None
    fault: str | None


def verify(
    conninfo: str,
    checkpoints: Sequence[Checkpoint],
    stored_leaves: Iterable[Leaf] = (),
    *,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Verdict:
    """Hashes the whole log, and compares it with the `checkpoints`.

    Their signatures are verified already, and they rise in size. `stored_leaves` are those
    that were stored outside the database, from the first on; they serve to name the position
    at fault. `report` is called with the number of events that are hashed, and of all events.
    """
    with closing(_connect(conninfo)) as conn, snapshot(conn):
        leaves = chain.from_iterable(_hashed(conninfo, _stretches(conn), report))
        return judge(leaves, checkpoints, _expected(conn, stored_leaves))


def _connect(conninfo: str) -> Connection[DictRow]:
    return connect(conninfo, application_name="admitone audit")


def judge(
    leaves: Iterator[Leaf], checkpoints: Iterable[Checkpoint], expected: Iterator[StoredLeaf]
) -> Verdict:
    """Compares the leaves of the log with the checkpoints, and with what they should be.

    Checkpoints rise in size.
    """
    tree = Growth(0, [])
    difference: _Difference | None = None
    last = 0
    confirmed: Checkpoint | None = None
    for checkpoint in chain(checkpoints, [None]):
        wanted = None if checkpoint is None else checkpoint.size - tree.size
        while part := list(islice(leaves, STRETCH if wanted is None else min(wanted, STRETCH))):
            if difference is None:
                difference = _first_difference(tree.size, part, expected)
            tree.append([leaf_hash for _, leaf_hash in part])
            last = part[-1][0]
            if wanted is not None:
                wanted -= len(part)
        if checkpoint is None:
            break
        if tree.size < checkpoint.size or tree.root() != checkpoint.root:
            missing = None if difference else next(expected, None)
            if missing is not None and tree.size < checkpoint.size:
                difference = _missing(tree.size, missing[0] or last + 1)
            return _contradicted(tree.size, confirmed, checkpoint, difference, last)
        confirmed = checkpoint
    missing = next(expected, None) if difference is None else None
    if missing is not None:
        difference = _missing(tree.size, missing[0] or last + 1)
    signed = confirmed.size if confirmed else 0
    if difference is None:
        return Verdict(tree.size, signed, None, None)
    if difference.leaf < signed:
        fault = "the log is as it was signed, but the hash that is stored for this position is not"
        return Verdict(tree.size, signed, difference.position, fault)
    return Verdict(tree.size, signed, difference.position, difference.fault)


class _Difference(NamedTuple):
    """The first leaf, counted from 0, that is not what it should be, and what is wrong with it."""

    leaf: int
    position: int
    fault: str


def _first_difference(
    size: int, leaves: Sequence[Leaf], expected: Iterator[StoredLeaf]
) -> _Difference | None:
    """Returns the first difference among leaves that follow the first `size` ones."""
    for index, (position, leaf_hash) in enumerate(leaves, size):
        stored = next(expected, None)
        if stored is None:
            return None  # newer than everything that was stored
        stored_position, stored_hash = stored
        if stored_position is not None and stored_position < position:
            return _Difference(index, stored_position, "the event at this position is missing")
        if stored_position is not None and stored_position > position:
            return _Difference(index, position, "there was no event at this position")
        if stored_hash != leaf_hash:
            fault = "the event at this position is not what was recorded"
            return _Difference(index, position, fault)
    return None


def _missing(index: int, position: int) -> _Difference:
    return _Difference(index, position, "the log ends before this position")


def _contradicted(
    size: int,
    confirmed: Checkpoint | None,
    checkpoint: Checkpoint,
    difference: _Difference | None,
    last: int,
) -> Verdict:
    """Returns the verdict on a log that does not lead to a signed `checkpoint`."""
    signed = confirmed.size if confirmed else 0
    after = confirmed.position if confirmed else 0
    if difference is not None and difference.leaf >= signed:
        return Verdict(size, signed, difference.position, difference.fault)
    if size < checkpoint.size:
        had = f"it had {checkpoint.size} events up to position {checkpoint.position}"
        position = min(last + 1, checkpoint.position)
        return Verdict(size, signed, position, f"the log ends after position {last}, but {had}")
    fault = f"something was changed between the positions {after} and {checkpoint.position}"
    return Verdict(size, signed, after + 1, fault)


def _stretches(conn: Connection[DictRow]) -> list[tuple[int, int]]:
    """Returns the first and last positions of stretches of the log: in order, and all of it."""
    rows = conn.execute(
        """SELECT min(notification_id) AS first, max(notification_id) AS last FROM (
            SELECT notification_id, row_number() OVER (ORDER BY notification_id) - 1 AS place
            FROM stored_events) AS counted
        GROUP BY place / %s ORDER BY 1""",
        (STRETCH,),
    )
    return [(row["first"], row["last"]) for row in rows]


def _hashed(
    conninfo: str, stretches: Sequence[tuple[int, int]], report: Callable[[int, int], None]
) -> Iterator[Iterator[Leaf]]:
    """Yields the leaves of each stretch, in order; a few stretches are hashed ahead."""
    if len(stretches) == 1:
        yield _unpacked(_hash(conninfo, *stretches[0]))  # faster than starting a process
        return
    workers = os.cpu_count() or 1
    total = len(stretches) * STRETCH
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        waiting: list[Future[bytes]] = []
        ahead = iter(stretches)
        for done in range(len(stretches)):
            while len(waiting) <= workers and (stretch := next(ahead, None)) is not None:
                waiting.append(pool.submit(_hash, conninfo, *stretch))
            packed = waiting.pop(0).result()
            yield _unpacked(packed)
            report(min(total, done * STRETCH + len(packed) // _RECORD), total)


def _hash(conninfo: str, first: int, last: int) -> bytes:
    """Returns the packed leaves of a stretch. Runs in a process of its own."""
    with closing(_connect(conninfo)) as conn:
        leaves = leaves_of_log(conn, first - 1, STRETCH + 1, until=last)
        return b"".join(_packed(position, leaf_hash) for position, leaf_hash in leaves)


def _packed(position: int, leaf_hash: bytes) -> bytes:
    return position.to_bytes(8, signed=True) + leaf_hash


def _unpacked(packed: bytes) -> Iterator[Leaf]:
    for start in range(0, len(packed), _RECORD):
        yield (
            int.from_bytes(packed[start : start + 8], signed=True),
            packed[start + 8 : start + _RECORD],
        )


def _expected(conn: Connection[DictRow], stored_leaves: Iterable[Leaf]) -> Iterator[StoredLeaf]:
    """Yields what the leaves should be: as stored outside, then as our own tree has them."""
    count = 0
    for leaf in stored_leaves:
        count += 1
        yield leaf
    for leaf_hash in leaf_hashes(conn, range(count, tree_size(conn))):
        yield None, leaf_hash
