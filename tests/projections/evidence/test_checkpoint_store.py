"""Checkpoints are stored outside the database, and each is consistent with the one before."""

import os
import resource
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from psycopg import Connection
from psycopg.rows import DictRow

from application.eventstore.connection import connect
from application.eventstore.event_log import RecordedEvent, read
from application.proofs.checkpoint_signer import CheckpointSigner
from application.proofs.merkle import Growth
from application.proofs.verifier import leaf_bytes, leaf_hash
from interface.runtime import checkpoint_loop
from interface.runtime.checkpoint_loop import sign_periodically
from projections.evidence import checkpoint_signing, checkpoint_store, log_leaves
from projections.evidence.checkpoint_signing import HistoryChanged, sign_all_due, sign_due
from projections.evidence.checkpoint_store import (
    CheckpointDamaged,
    CheckpointStore,
    SignedCheckpoint,
    SigningElsewhere,
)
from projections.evidence.erasure_list import FOLDER
from projections.evidence.log_verification import Verdict, verify
from projections.views.transparency_log import event_of
from tests.support.desk import Desk
from tests.support.examples import NOW
from tests.support.log_trigger import writable_log
from tests.support.waiting import wait_until

SIGNER = CheckpointSigner("book.example.org", bytes(32))


@pytest.fixture
def store(tmp_path: Path) -> CheckpointStore:
    return CheckpointStore(tmp_path / "heads", SIGNER.verifier_key())


def test_checkpoints_are_private_until_their_folder_is_opened_to_others(
    desk: Desk, conn: Connection[DictRow], store: CheckpointStore, catch_up: Callable[[], None]
) -> None:
    for day, modes in enumerate(({0o700, 0o600}, {0o755, 0o644})):
        desk.new_calendar()
        catch_up()
        assert sign_due(conn, SIGNER, store, now=NOW + timedelta(days=day)) is not None
        made = [path for path in store.folder.rglob("*") if path.name != ".signer"]
        newest = [
            path for path in made if (NOW + timedelta(days=day)).date().isoformat() in str(path)
        ]
        assert len(newest) == 3
        assert {stat.S_IMODE(path.stat().st_mode) for path in newest} == modes
        store.folder.chmod(0o755)


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
    monkeypatch.setattr(checkpoint_signing, "MOST_LEAVES", 3)
    desk.redeem(desk.new_link())
    catch_up()
    while sign_due(conn, SIGNER, store, now=NOW):
        pass
    assert [checkpoint.size for checkpoint in store.all()] == [3, 6]
    assert len(list(store.leaves())) == 6


def test_signing_holds_few_events_at_once(
    desk: Desk,
    conn: Connection[DictRow],
    store: CheckpointStore,
    catch_up: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held = []

    def read_and_count(*args: Any, **kwargs: Any) -> list[RecordedEvent]:
        events = read(*args, **kwargs)
        held.append(len(events))
        return events

    monkeypatch.setattr(log_leaves, "READ_AT_ONCE", 2)
    monkeypatch.setattr(log_leaves, "read", read_and_count)
    desk.redeem(desk.new_link())
    catch_up()
    checkpoint = sign_due(conn, SIGNER, store, now=NOW)
    assert checkpoint is not None
    assert checkpoint.size == len(list(store.leaves())) == len(read(conn, 0, 1000))
    assert held == [2, 2, 2]


def test_a_checkpoint_whose_writing_was_killed_is_signed_again(
    desk: Desk,
    conn: Connection[DictRow],
    store: CheckpointStore,
    catch_up: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk.new_link()
    catch_up()
    link = os.link

    def dies(source: Path, target: Path) -> None:
        if target.suffix == ".checkpoint":
            raise KeyboardInterrupt
        link(source, target)

    with monkeypatch.context() as dying:
        dying.setattr(os, "link", dies)
        with pytest.raises(KeyboardInterrupt):
            sign_due(conn, SIGNER, store, now=NOW)
    assert (store.all(), list(store.leaves())) == ([], [])
    checkpoint = sign_due(conn, SIGNER, store, now=NOW)
    assert store.all() == [checkpoint]


@pytest.mark.parametrize("off", [timedelta(days=3), timedelta(days=-3)], ids=["ahead", "behind"])
def test_a_clock_that_was_wrong_changes_nothing(
    desk: Desk,
    conn: Connection[DictRow],
    conninfo: str,
    store: CheckpointStore,
    catch_up: Callable[[], None],
    off: timedelta,
) -> None:
    for now in (NOW, NOW + off, NOW + timedelta(minutes=1), NOW + timedelta(days=1)):
        desk.new_link()
        catch_up()
        assert sign_due(conn, SIGNER, store, now=now) == store.require_newest().signed
        assert sign_due(conn, SIGNER, store, now=now) is None
    assert [checkpoint.size for checkpoint in store.all()] == [2, 4, 6, 8]
    assert verify(conninfo, store.all(), store.leaves()) == Verdict(8, 8, None, None)


def test_no_size_is_signed_twice_for_a_log_that_was_changed_in_between(
    desk: Desk, conn: Connection[DictRow], store: CheckpointStore, catch_up: Callable[[], None]
) -> None:
    for now in (NOW + timedelta(days=1), NOW):
        desk.new_link()
        catch_up()
        newest = sign_due(conn, SIGNER, store, now=now)
    conn.execute(
        "UPDATE transparency_log_v1 SET hashes = set_byte(hashes, 100, get_byte(hashes, 100) # 255)"
    )
    with pytest.raises(HistoryChanged):
        sign_due(conn, SIGNER, store, now=NOW)
    assert store.require_newest().signed == newest


class RivalStore(CheckpointStore):
    """Lets another signer try as soon as this one has read the newest checkpoint."""

    rival: Callable[[], object]

    def newest(self) -> SignedCheckpoint | None:
        newest = super().newest()
        with pytest.raises(SigningElsewhere):
            self.rival()
        return newest


def test_of_two_signers_one_waits_for_the_other(
    desk: Desk,
    conn: Connection[DictRow],
    conninfo: str,
    store: CheckpointStore,
    catch_up: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(checkpoint_store, "LOCK_SECONDS", 0.0)
    desk.new_link()
    catch_up()

    def sign_more() -> None:
        desk.new_link()
        catch_up()
        with connect(conninfo, application_name="rival") as other:
            sign_due(other, SIGNER, store, now=NOW)

    rivals = RivalStore(store.folder, SIGNER.verifier_key())
    rivals.rival = sign_more
    sign_due(conn, SIGNER, rivals, now=NOW)
    sign_all_due(conn, SIGNER, store, now=NOW)
    assert verify(conninfo, store.all(), store.leaves()) == Verdict(4, 4, None, None)


@contextmanager
def no_space_left() -> Iterator[None]:
    """Lets this process write no file longer than 150 bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (150, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_no_part_of_a_checkpoint(
    desk: Desk, conn: Connection[DictRow], store: CheckpointStore, catch_up: Callable[[], None]
) -> None:
    desk.new_link()
    catch_up()
    with no_space_left(), pytest.raises(OSError, match="too large"):
        sign_due(conn, SIGNER, store, now=NOW)
    files = {file.name for file in store.folder.glob("*/*")}
    assert files <= {"000000000000002.leaves"}
    assert sign_due(conn, SIGNER, store, now=NOW) == store.require_newest().signed


def test_signing_ends_as_soon_as_it_is_told_to_stop(
    desk: Desk,
    conn: Connection[DictRow],
    store: CheckpointStore,
    catch_up: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(checkpoint_signing, "MOST_LEAVES", 1)
    desk.new_link()
    catch_up()
    sign_all_due(conn, SIGNER, store, now=NOW, is_stopped=lambda: bool(store.all()))
    assert len(store.all()) == 1


def test_an_old_checkpoint_under_a_greater_name_is_not_believed(
    desk: Desk, conn: Connection[DictRow], store: CheckpointStore, catch_up: Callable[[], None]
) -> None:
    desk.new_link()
    catch_up()
    sign_due(conn, SIGNER, store, now=NOW)
    (file,) = store.files()
    file.with_stem(f"{99:015}").write_text(file.read_text())
    with pytest.raises(CheckpointDamaged):
        store.newest()


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


@pytest.mark.parametrize(
    ("change", "at_fault"),
    [
        ("UPDATE stored_events SET state = state || ' ' WHERE notification_id = 4", 4),
        ("UPDATE stored_events SET recorded_at = 'infinity' WHERE notification_id = 4", 4),
        ("DELETE FROM stored_events WHERE notification_id = 3", 4),
        ("DELETE FROM stored_events WHERE notification_id = 8", 8),
    ],
)
def test_an_event_that_was_changed_since_it_was_recorded_is_not_signed(
    desk: Desk,
    conn: Connection[DictRow],
    store: CheckpointStore,
    catch_up: Callable[[], None],
    change: str,
    at_fault: int,
) -> None:
    desk.new_link()
    catch_up()
    checkpoint = sign_due(conn, SIGNER, store, now=NOW)
    desk.redeem(desk.new_link())
    catch_up()
    with writable_log(conn):
        conn.execute(change.encode())
    with pytest.raises(HistoryChanged, match=f"position {at_fault}"):
        sign_due(conn, SIGNER, store, now=NOW)
    assert store.all() == [checkpoint]


def test_checkpoints_are_signed_periodically_while_the_projector_is_at_work(
    desk: Desk,
    conninfo: str,
    store: CheckpointStore,
    catch_up: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(checkpoint_loop, "FIRST_SECONDS", 0.01)
    monkeypatch.setattr(checkpoint_loop, "EVERY_SECONDS", 0.01)
    at_work, stop = Event(), Event()
    desk.new_link()
    catch_up()
    # The list of erasures can't be read. That is logged, and stops nothing else.
    damaged = store.folder / FOLDER / f"{1:015}-{0:032x}.ids"
    damaged.parent.mkdir(parents=True)
    damaged.touch()
    with sign_periodically(conninfo, SIGNER, store, at_work, stop, now=lambda: NOW):
        at_work.set()
        wait_until(lambda: len(store.all()) == 1)
        wait_until(lambda: "can't list erasures" in caplog.text)
        desk.new_link()
        catch_up()
        wait_until(lambda: len(store.all()) == 2)
    assert stop.is_set()


def test_what_is_unsigned_at_a_start_is_signed_before_the_first_pause_between_signatures(
    desk: Desk,
    conninfo: str,
    store: CheckpointStore,
    catch_up: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(checkpoint_loop, "FIRST_SECONDS", 0.01)
    monkeypatch.setattr(checkpoint_loop, "EVERY_SECONDS", 3600.0)
    at_work, stop = Event(), Event()
    desk.new_link()
    catch_up()
    with sign_periodically(conninfo, SIGNER, store, at_work, stop, now=lambda: NOW):
        at_work.set()  # as by a projector that stood by
        wait_until(lambda: len(store.all()) == 1)
