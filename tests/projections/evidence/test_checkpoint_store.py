"""Checkpoints are stored outside the database, and each is consistent with the one before."""

import os
from collections.abc import Callable
from pathlib import Path
from threading import Event

import pytest
from psycopg import Connection
from psycopg.rows import DictRow

from application.eventstore.event_log import read
from application.proofs.checkpoint_signer import CheckpointSigner
from application.proofs.merkle import Growth
from application.proofs.verifier import leaf_bytes, leaf_hash
from interface.runtime import checkpoint_loop
from interface.runtime.checkpoint_loop import sign_periodically
from projections.evidence import checkpoint_store
from projections.evidence.checkpoint_store import (
    CheckpointStore,
    HistoryChanged,
    sign_due,
)
from projections.views.transparency_log import event_of
from tests.support.desk import Desk
from tests.support.examples import NOW
from tests.support.waiting import wait_until

SIGNER = CheckpointSigner("book.example.org", bytes(32))


@pytest.fixture
def store(tmp_path: Path) -> CheckpointStore:
    return CheckpointStore(tmp_path / "heads", SIGNER.verifier_key())


def test_a_checkpoint_covers_every_event_and_is_stored_with_its_leaves(
    desk: Desk, conn: Connection[DictRow], store: CheckpointStore, catch_up: Callable[[], None]
) -> None:
    assert sign_due(conn, SIGNER, store, now=NOW) is None
    desk.redeem(desk.new_link())
    catch_up()
    checkpoint = sign_due(conn, SIGNER, store, now=NOW)
    assert checkpoint is not None
    events = read(conn, 0, 1000)
    leaves = [leaf_hash(leaf_bytes(*event_of(event))) for event in events]
    tree = Growth(0, [])
    tree.append(leaves)
    assert (checkpoint.size, checkpoint.root) == (len(events), tree.root())
    assert (checkpoint.position, checkpoint.time) == (events[-1].position, NOW)
    assert list(store.leaves()) == [
        (event.position, leaf) for event, leaf in zip(events, leaves, strict=True)
    ]
    assert store.all() == [checkpoint]
    assert sign_due(conn, SIGNER, store, now=NOW) is None


def test_many_new_events_get_several_checkpoints(
    desk: Desk,
    conn: Connection[DictRow],
    store: CheckpointStore,
    catch_up: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(checkpoint_store, "MOST_LEAVES", 3)
    desk.redeem(desk.new_link())
    catch_up()
    while sign_due(conn, SIGNER, store, now=NOW):
        pass
    assert [checkpoint.size for checkpoint in store.all()] == [3, 6]
    assert len(list(store.leaves())) == 6


def test_a_checkpoint_whose_writing_was_killed_is_signed_again(
    desk: Desk,
    conn: Connection[DictRow],
    store: CheckpointStore,
    catch_up: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk.new_link()
    catch_up()
    replace = os.replace

    def dies(source: Path, target: Path) -> None:
        if target.suffix == ".checkpoint":
            raise KeyboardInterrupt
        replace(source, target)

    with monkeypatch.context() as dying:
        dying.setattr(os, "replace", dies)
        with pytest.raises(KeyboardInterrupt):
            sign_due(conn, SIGNER, store, now=NOW)
    assert (store.all(), list(store.leaves())) == ([], [])
    checkpoint = sign_due(conn, SIGNER, store, now=NOW)
    assert store.all() == [checkpoint]


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE transparency_log_v1 SET hashes = set_byte(hashes, 0, 7)",
        "DELETE FROM transparency_log_v1",
    ],
)
def test_a_tree_that_is_not_consistent_with_the_last_checkpoint_is_not_signed(
    desk: Desk,
    conn: Connection[DictRow],
    store: CheckpointStore,
    catch_up: Callable[[], None],
    damage: str,
) -> None:
    desk.new_link()
    catch_up()
    checkpoint = sign_due(conn, SIGNER, store, now=NOW)
    conn.execute(damage.encode())
    with pytest.raises(HistoryChanged):
        sign_due(conn, SIGNER, store, now=NOW)
    assert store.all() == [checkpoint]


def test_checkpoints_are_signed_periodically_while_the_projector_is_at_work(
    desk: Desk,
    conninfo: str,
    store: CheckpointStore,
    catch_up: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(checkpoint_loop, "EVERY_SECONDS", 0.01)
    at_work, stop = Event(), Event()
    desk.new_link()
    catch_up()
    with sign_periodically(conninfo, SIGNER, store, at_work, stop, now=lambda: NOW):
        at_work.set()
        wait_until(lambda: len(store.all()) == 1)
        desk.new_link()
        catch_up()
        wait_until(lambda: len(store.all()) == 2)
    assert stop.is_set()
