"""Every way in which a superuser could change the log."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import psycopg
from psycopg import Connection
from psycopg.rows import DictRow, dict_row

from application.eventstore.mapper import JSONMapper
from application.proofs.checkpoint_signer import CheckpointSigner
from projections.evidence.checkpoint_signing import sign_due
from projections.evidence.checkpoint_store import CheckpointStore
from projections.evidence.log_verification import Verdict, verify
from projections.rebuild.rebuild import Rebuild
from projections.views.transparency_log import TransparencyLog
from tests.support.examples import NOW
from tests.support.log_trigger import bypass_log_trigger

SIGNER = CheckpointSigner("book.example.org", bytes(32))

Positions = list[int]
Change = Callable[[Connection[DictRow], Random, Positions], int]
"""Changes the log at some of its positions and returns the first that changed."""


@dataclass
class SignedLog:
    """A signed log that can be changed and restored."""

    conninfo: str
    checkpoints: CheckpointStore

    @classmethod
    def of(cls, conninfo: str, folder: Path, *, now: datetime = NOW) -> "SignedLog":
        """Signs the current log and stores a copy of it."""
        signed_log = cls(conninfo, CheckpointStore(folder, SIGNER.verifier_key()))
        with signed_log.connect() as conn:
            while sign_due(conn, SIGNER, signed_log.checkpoints, now=now):
                pass
            conn.execute("DROP TABLE IF EXISTS log_aside")
            conn.execute("CREATE TABLE log_aside AS TABLE stored_events")
            conn.execute("DROP TABLE IF EXISTS tree_aside")
            conn.execute("CREATE TABLE tree_aside AS TABLE transparency_log_v1")
        return signed_log

    def connect(self) -> Connection[DictRow]:
        return psycopg.connect(self.conninfo, autocommit=True, row_factory=dict_row)

    def close(self) -> None:
        """Drops the copies."""
        with self.connect() as conn:
            conn.execute("DROP TABLE IF EXISTS log_aside, tree_aside")

    def change(self, change: Change, random: Random, *, rewrite_tree: bool = False) -> int:
        """Changes the log and, with `rewrite_tree`, builds the tree in the database anew."""
        with self.connect() as conn:
            rows = conn.execute("SELECT notification_id AS p FROM stored_events ORDER BY 1")
            positions = [row["p"] for row in rows]
            with conn.transaction():
                bypass_log_trigger(conn)
                first = change(conn, random, positions)
        if rewrite_tree:
            Rebuild(self.conninfo, [TransparencyLog()], JSONMapper()).run()
        return first

    def verify(self) -> Verdict:
        """Verifies the log as it is now."""
        return verify(self.conninfo, self.checkpoints.all(), self.checkpoints.leaves())

    def restore(self) -> None:
        """Restores the log that was signed."""
        with self.connect() as conn, conn.transaction():
            bypass_log_trigger(conn)
            conn.execute("DELETE FROM stored_events")
            conn.execute("INSERT INTO stored_events TABLE log_aside")
            conn.execute("DELETE FROM transparency_log_v1")
            conn.execute("INSERT INTO transparency_log_v1 TABLE tree_aside")


def _edit(column: str, value: Callable[[Random], Any]) -> Change:
    def change(conn: Connection[DictRow], random: Random, positions: Positions) -> int:
        place = random.choice(positions)
        statement = f"UPDATE stored_events SET {column} = %s WHERE notification_id = %s"  # noqa: S608
        conn.execute(statement.encode(), (value(random), place))
        return place

    return change


def _edit_state(conn: Connection[DictRow], random: Random, positions: Positions) -> int:
    """One value of one event's JSON."""
    place = random.choice(positions)
    row = conn.execute(
        "SELECT state FROM stored_events WHERE notification_id = %s", (place,)
    ).fetchone()
    assert row is not None
    state = json.loads(bytes(row["state"]))
    name = random.choice(sorted(state))
    state[name] = "something else"
    conn.execute(
        "UPDATE stored_events SET state = %s WHERE notification_id = %s",
        (json.dumps(state).encode(), place),
    )
    return place


def _flip_a_bit(conn: Connection[DictRow], random: Random, positions: Positions) -> int:
    place = random.choice(positions)
    conn.execute(
        """UPDATE stored_events SET state = set_bit(state, %s %% (8 * octet_length(state)),
            1 - get_bit(state, %s %% (8 * octet_length(state)))) WHERE notification_id = %s""",
        (bit := random.randrange(10_000), bit, place),
    )
    return place


def _move(conn: Connection[DictRow], random: Random, positions: Positions) -> int:
    place = random.choice(positions)
    free = positions[-1] + random.randrange(1, 100)
    conn.execute(
        "UPDATE stored_events SET notification_id = %s WHERE notification_id = %s", (free, place)
    )
    return place


def _delete(conn: Connection[DictRow], random: Random, positions: Positions) -> int:
    place = random.choice(positions)
    conn.execute("DELETE FROM stored_events WHERE notification_id = %s", (place,))
    return place


def _truncate(conn: Connection[DictRow], random: Random, positions: Positions) -> int:
    place = random.choice(positions)
    conn.execute("DELETE FROM stored_events WHERE notification_id >= %s", (place,))
    return place


def _insert(conn: Connection[DictRow], random: Random, positions: Positions) -> int:
    """In a gap; where there is none, before the first."""
    gaps = sorted(set(range(positions[0] - 5, positions[-1])) - set(positions))
    place = random.choice(gaps)
    conn.execute(
        """INSERT INTO stored_events
        SELECT %s, 1, topic, state, %s, recorded_at FROM stored_events
        WHERE notification_id = %s""",
        (uuid4(), place, random.choice(positions)),
    )
    return place


def _swap_places(conn: Connection[DictRow], random: Random, positions: Positions) -> int:
    one, other = sorted(random.sample(positions, 2))
    for before, after in ((one, -1), (other, one), (-1, other)):
        conn.execute(
            "UPDATE stored_events SET notification_id = %s WHERE notification_id = %s",
            (after, before),
        )
    return one


def _swap_states(conn: Connection[DictRow], random: Random, positions: Positions) -> int:
    """Of two events that do not say the same."""
    while True:
        one, other = sorted(random.sample(positions, 2))
        changed = conn.execute(
            """UPDATE stored_events AS row SET state = swapped.state
            FROM (SELECT * FROM stored_events WHERE notification_id IN (%(one)s, %(other)s))
                AS swapped
            WHERE row.notification_id IN (%(one)s, %(other)s)
                AND swapped.notification_id <> row.notification_id
                AND swapped.state <> row.state""",
            {"one": one, "other": other},
        ).rowcount
        if changed:
            return one


CHANGES: dict[str, Change] = {
    "another aggregate": _edit("originator_id", lambda _: uuid4()),
    "another version": _edit("originator_version", lambda random: random.randrange(1000, 2**62)),
    "another topic": _edit("topic", lambda _: "link.revoked_by_nobody"),
    "a topic too long to be one": _edit("topic", lambda _: "x" * 70_000),
    "another time of recording": _edit("recorded_at", lambda _: NOW),
    "no time of this world": _edit("recorded_at", lambda _: "infinity"),
    "another state": _edit_state,
    "one bit": _flip_a_bit,
    "an empty state": _edit("state", lambda _: b""),
    "another position": _move,
    "one event gone": _delete,
    "the end cut off": _truncate,
    "an event put in": _insert,
    "two events that changed places": _swap_places,
    "two states that changed places": _swap_states,
}
