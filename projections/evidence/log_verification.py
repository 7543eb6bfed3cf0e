"""Was the log changed? Every hash is computed anew from it and held against signed heads.

Processes share the work: each reads and hashes a stretch of the log. What they find is put
together in order, so that the first position at fault can be named.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import closing
from itertools import chain, islice
from multiprocessing import get_context
from typing import NamedTuple

import psycopg
from psycopg import Connection
from psycopg.rows import DictRow, dict_row

from application.eventstore.conninfo import with_defaults
from application.eventstore.event_log import read, read_at
from application.proofs.merkle import HASH, WIDTH, Growth
from application.proofs.verifier import Checkpoint
from projections.views.transparency_log import leaf_of, tile_reader, tree_size

STRETCH = 50_000  # events
_RECORD = 8 + HASH
NO_LEAF = bytes(HASH)  # of what no event can be

Leaf = tuple[int | None, bytes]
"""A position, None where it is not known, and the leaf hash of its event."""


class Verdict(NamedTuple):
    """What was found. `signed` of the `events` are under the newest head.

    Without a fault all of them are as they were recorded. `position` is the first at fault.
    """

    events: int
    signed: int
    position: int | None
    fault: str | None


def verify(
    conninfo: str,
    heads: Sequence[Checkpoint],
    kept_leaves: Iterable[tuple[int, bytes]] = (),
    *,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Verdict:
    """Hash the whole log and compare it with the `heads`, whose signatures are checked already.

    `heads` rise in size. `kept_leaves` are positions and leaf hashes that were kept outside the
    database, from the first on; they serve to name the position. `report` is told how many
    events are done, of how many.
    """
    completed = with_defaults(conninfo, application_name="admitone audit")
    with (
        closing(psycopg.connect(completed, autocommit=True, row_factory=dict_row)) as conn,
        conn.transaction(),
    ):
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        stretches = _stretches(conn)
        found = chain.from_iterable(_hashed(completed, stretches, report))
        return _judge(found, heads, _expected(conn, kept_leaves))


def _judge(
    found: Iterator[tuple[int, bytes]], heads: Sequence[Checkpoint], expected: Iterator[Leaf]
) -> Verdict:
    tree = Growth(0, [])
    differs: _Difference | None = None
    last = 0
    good: Checkpoint | None = None
    for head in (*heads, None):
        wanted = None if head is None else head.size - tree.size
        while leaves := list(islice(found, STRETCH if wanted is None else min(wanted, STRETCH))):
            if differs is None:
                differs = _first_difference(tree.size, leaves, expected)
            tree.append([leaf for _, leaf in leaves])
            last = leaves[-1][0]
            if wanted is not None:
                wanted -= len(leaves)
        if head is None:
            break
        if tree.size < head.size or tree.root() != head.root:
            missing = None if differs else next(expected, None)
            if missing is not None and tree.size < head.size:
                differs = _missing(tree.size, missing[0] or last + 1)
            return _broken(tree.size, good, head, differs, last)
        good = head
    missing = next(expected, None) if differs is None else None
    if missing is not None:
        differs = _missing(tree.size, missing[0] or last + 1)
    signed = good.size if good else 0
    if differs is None:
        return Verdict(tree.size, signed, None, None)
    if differs.leaf < signed:
        fault = f"the log is as it was signed, but what was kept of it is not: {differs.what}"
        return Verdict(tree.size, signed, differs.position, fault)
    return Verdict(tree.size, signed, differs.position, differs.what)


class _Difference(NamedTuple):
    """The first leaf, counted from 0, that is not what it should be."""

    leaf: int
    position: int
    what: str


def _first_difference(
    size: int, leaves: Sequence[tuple[int, bytes]], expected: Iterator[Leaf]
) -> _Difference | None:
    """Among leaves that follow the first `size`."""
    for index, (position, leaf) in enumerate(leaves, size):
        was = next(expected, None)
        if was is None:
            return None  # newer than all that is known
        was_position, was_leaf = was
        if was_position is not None and was_position < position:
            return _Difference(index, was_position, "the event at this position is missing")
        if was_position is not None and was_position > position:
            return _Difference(index, position, "there was no event at this position")
        if was_leaf != leaf:
            what = "the event at this position is not what was recorded"
            return _Difference(index, position, what)
    return None


def _missing(index: int, position: int) -> _Difference:
    return _Difference(index, position, "the log ends before this position")


def _broken(
    size: int,
    good: Checkpoint | None,
    head: Checkpoint,
    differs: _Difference | None,
    last: int,
) -> Verdict:
    """The log does not lead to a head that was signed."""
    signed = good.size if good else 0
    after = good.position if good else 0
    if differs is not None and differs.leaf >= signed:
        return Verdict(size, signed, differs.position, differs.what)
    if size < head.size:
        fault = f"the log ends after position {last}: it had {head.size} events up to position"
        return Verdict(size, signed, min(last + 1, head.position), f"{fault} {head.position}")
    fault = f"something was changed between the positions {after} and {head.position}"
    return Verdict(size, signed, after + 1, fault)


def _stretches(conn: Connection[DictRow]) -> list[tuple[int, int]]:
    """First and last position of stretches of the log, in order; the whole of it."""
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
) -> Iterator[Iterator[tuple[int, bytes]]]:
    """Positions and leaf hashes, stretch by stretch, a few of them ahead of who asks."""
    if len(stretches) == 1:
        yield _unpacked(_hash(conninfo, *stretches[0]))  # sooner done than a process begun
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
    """In a process of its own: each event's position and leaf hash, one after the other."""
    with closing(psycopg.connect(conninfo, autocommit=True, row_factory=dict_row)) as conn:
        conn.execute("SET timezone = 'UTC'")
        try:
            rows = read(conn, first - 1, STRETCH + 1, until=last)
            return b"".join(_packed(row.position, leaf_of(row)) for row in rows)
        except (psycopg.DataError, OverflowError):
            return b"".join(_one_by_one(conn, first, last))


def _one_by_one(conn: Connection[DictRow], first: int, last: int) -> Iterator[bytes]:
    """As `_hash`, where something is that the service never writes."""
    for found in conn.execute(
        """SELECT notification_id FROM stored_events
        WHERE notification_id BETWEEN %s AND %s ORDER BY notification_id""",
        (first, last),
    ).fetchall():
        try:
            (row,) = read_at(conn, [found["notification_id"]])
            yield _packed(row.position, leaf_of(row))
        except (psycopg.DataError, OverflowError):
            yield _packed(found["notification_id"], NO_LEAF)


def _packed(position: int, leaf_hash: bytes) -> bytes:
    return position.to_bytes(8, signed=True) + leaf_hash


def _unpacked(packed: bytes) -> Iterator[tuple[int, bytes]]:
    for start in range(0, len(packed), _RECORD):
        yield (
            int.from_bytes(packed[start : start + 8], signed=True),
            packed[start + 8 : start + _RECORD],
        )


def _expected(
    conn: Connection[DictRow], kept_leaves: Iterable[tuple[int, bytes]]
) -> Iterator[Leaf]:
    """What the leaves should be: as kept outside first, then as the database's own tree has it."""
    count = 0
    for leaf in kept_leaves:
        count += 1
        yield leaf
    size, read_tile = tree_size(conn), tile_reader(conn)
    while count < size:
        tile = read_tile(0, count // WIDTH)
        hashes = [tile[start : start + HASH] for start in range(0, len(tile), HASH)]
        beyond = hashes[count % WIDTH :]
        if not beyond:
            return
        for leaf_hash in beyond:
            count += 1
            yield None, leaf_hash
