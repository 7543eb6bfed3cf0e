"""The patrol: goes over the whole log, the personal data and the views, a little at a time.

It runs in short transactions, so that it holds back neither writers nor the database's own
housekeeping, and calls `rest` after each with the seconds that it has worked.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import takewhile
from time import monotonic

import psycopg
from psycopg import Connection
from psycopg.rows import DictRow

from application.eventstore import event_log
from application.eventstore.mapper import JSONMapper
from application.proofs.verifier import Checkpoint, ProofError
from projections.engine import parking
from projections.engine.projection import Projection
from projections.evidence import evidence_checks
from projections.evidence.checkpoint_store import CheckpointDamaged, CheckpointStore, Leaf
from projections.evidence.evidence_checks import Finding
from projections.evidence.log_leaves import leaves_of_log
from projections.evidence.log_verification import judge
from projections.evidence.security_log_proofs import leaves_after
from projections.rebuild import spot_check

Rest = Callable[[float], None]
BATCH = 500  # events or rows
SAMPLE = 50  # links and calendars of each view


def patrol(
    conn: Connection[DictRow],
    store: CheckpointStore,
    projections: Sequence[Projection],
    mapper: JSONMapper,
    *,
    rest: Rest,
) -> Iterator[tuple[str, Finding]]:
    """Makes all checks, one after the other, and yields the name of each with what it found."""
    yield evidence_checks.LOG, check_log(conn, store, rest)
    yield evidence_checks.SECURITY_LOG, check_security_log(conn, store.of_security_log(), rest)
    yield evidence_checks.PERSONAL_DATA, check_personal_data(conn, rest)
    yield evidence_checks.VIEWS, check_views(conn, projections, mapper, rest)


def check_log(conn: Connection[DictRow], store: CheckpointStore, rest: Rest) -> Finding:
    """Compares the log with all signed checkpoints. What is not signed yet is left out."""
    try:
        newest = store.newest()
        if newest is None:
            return Finding(0)
        until = newest.signed
        checkpoints = takewhile(
            lambda signed: signed.size <= until.size, _resting(store.each(), rest)
        )
        verdict = judge(_leaves(conn, until, rest), checkpoints, store.leaves())
    except (ProofError, CheckpointDamaged):
        return Finding(0, "a stored checkpoint is not as it was signed")
    return Finding(verdict.events, verdict.fault, verdict.position)


def check_security_log(conn: Connection[DictRow], store: CheckpointStore, rest: Rest) -> Finding:
    """Compares the security log with all its signed checkpoints, like `check_log`."""
    try:
        newest = store.newest()
        if newest is None:
            return Finding(0)
        began = monotonic()
        leaves = leaves_after(conn, 0, until=newest.signed.position)
        signed = takewhile(lambda signed: signed.size <= newest.signed.size, store.each())
        verdict = judge(leaves, signed, store.leaves())
        rest(monotonic() - began)
    except (ProofError, CheckpointDamaged):
        return Finding(0, "a stored checkpoint is not as it was signed")
    return Finding(verdict.events, verdict.fault, verdict.position)


def _resting(checkpoints: Iterator[Checkpoint], rest: Rest) -> Iterator[Checkpoint]:
    began = monotonic()
    for number, checkpoint in enumerate(checkpoints, 1):
        if number % BATCH == 0:
            rest(monotonic() - began)
            began = monotonic()
        yield checkpoint


def _leaves(conn: Connection[DictRow], until: Checkpoint, rest: Rest) -> Iterator[Leaf]:
    after = event_log.before_first(conn)
    while True:
        began = monotonic()
        leaves = leaves_of_log(conn, after, BATCH, until=until.position)
        if not leaves:
            return
        rest(monotonic() - began)
        yield from leaves
        after = leaves[-1][0]


_EXCHANGED = """
    SELECT count(*) AS checked, min(notification_id) FILTER (
        WHERE convert_from(state, 'UTF8')::json ->> 'personal_data' IS DISTINCT FROM commitment
    ) AS position
    FROM stored_events JOIN personal_data_commitments USING (originator_id, originator_version)
    WHERE notification_id > %s AND notification_id <= %s"""


def check_personal_data(conn: Connection[DictRow], rest: Rest = lambda _: None) -> Finding:
    """Compares what people typed, as it is stored, with the commitments in the log.

    What was erased can't be compared, and is no fault.
    """
    after, checked = 0, 0
    head = event_log.head(conn)
    while after < head:
        began = monotonic()
        try:
            row = conn.execute(_EXCHANGED, (after, after + BATCH)).fetchone()
        except psycopg.DataError:
            row = None  # an event that is no JSON: the check of the log names it
        if row is not None:
            checked += row["checked"]
            if row["position"] is not None:
                fault = "what is stored of what people typed with this event is not what they typed"
                return Finding(checked, fault, row["position"])
        after += BATCH
        rest(monotonic() - began)
    return Finding(checked)


def check_views(
    conn: Connection[DictRow], projections: Sequence[Projection], mapper: JSONMapper, rest: Rest
) -> Finding:
    """Compares a random sample of each view with the rows that the log makes.

    A view with parked events lacks what they say, which is known and no fault: it is left out.
    """
    rows, faults = 0, []
    for projection in projections:
        if projection.handlers and not parking.blocked(conn, projection.name):
            began = monotonic()
            result = spot_check.verify(conn, projection, mapper, SAMPLE)
            rows += result.rows
            if result.differing:
                faults.append(f"{projection.name}: rows in a sample are not what the log makes")
            rest(monotonic() - began)
    return Finding(rows, "; ".join(faults) or None)


def rows_changed(conn: Connection[DictRow]) -> int:
    """Returns how many rows of the log the server has seen changed or deleted: none, ever.

    It is only a hint. Whoever may change rows may also keep the server from counting.
    """
    row = conn.execute(
        """SELECT coalesce(n_tup_upd + n_tup_del, 0) AS changed FROM pg_stat_user_tables
        WHERE relid = 'stored_events'::regclass"""
    ).fetchone()
    return int(row["changed"]) if row else 0
