"""A folder of checkpoints in disorder is explained and mended, and nothing in it is lost."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from psycopg import Connection
from psycopg.rows import DictRow

from projections.evidence.checkpoint_repair import (
    CheckpointsUnusable,
    Finding,
    NotAsSigned,
    repair,
    set_aside_after_return,
)
from projections.evidence.checkpoint_signing import sign_due
from projections.evidence.checkpoint_store import CheckpointDamaged, CheckpointStore
from projections.evidence.log_verification import Verdict, verify
from tests.projections.evidence.tampering import SIGNER
from tests.support.desk import Desk
from tests.support.examples import NOW
from tests.support.log_trigger import writable_log


@pytest.fixture
def store(
    tmp_path: Path, desk: Desk, conn: Connection[DictRow], catch_up: Callable[[], None]
) -> CheckpointStore:
    """Three checkpoints, of 2, 4 and 6 events."""
    store = CheckpointStore(tmp_path / "checkpoints", SIGNER.verifier_key())
    for _ in range(3):
        desk.new_link()
        catch_up()
        sign_due(conn, SIGNER, store, now=NOW)
    return store


def file(store: CheckpointStore, size: int, suffix: str) -> Path:
    return store.folder / f"{NOW:%Y-%m-%d}" / f"{size:015}{suffix}"


def in_words(findings: list[Finding]) -> list[tuple[str, str | None]]:
    return [(found.what, found.remedy) for found in findings]


def test_a_folder_in_order_stays_as_it_is(
    store: CheckpointStore, conn: Connection[DictRow]
) -> None:
    before = {path: path.stat().st_mtime_ns for path in store.folder.glob("*/*")}
    assert repair(conn, store) == []
    assert {path: path.stat().st_mtime_ns for path in store.folder.glob("*/*")} == before


def test_what_two_signers_and_a_wrong_clock_left_is_harmless(
    store: CheckpointStore,
    conn: Connection[DictRow],
    conninfo: str,
    desk: Desk,
    catch_up: Callable[[], None],
) -> None:
    """As versions before 2026-11-27 left it: leaves twice, and days in disorder."""
    leaves = list(store.leaves())
    four = file(store, 4, ".checkpoint")
    future = store.folder / f"{NOW + timedelta(days=9):%Y-%m-%d}"
    future.mkdir()
    four.rename(future / four.name)
    four.with_suffix(".leaves").rename(future / four.with_suffix(".leaves").name)
    lines = "".join(f"{position} {leaf.hex()}\n" for position, leaf in leaves[2:])
    file(store, 6, ".leaves").write_text(lines)
    assert list(store.leaves()) == leaves
    assert verify(conninfo, store.all(), store.leaves()) == Verdict(6, 6, None, None)
    assert in_words(repair(conn, store)) == [
        ("2 leaves are stored twice, which verification allows for", None)
    ]
    desk.new_link()
    catch_up()
    sign_due(conn, SIGNER, store, now=NOW - timedelta(days=1))
    found = repair(conn, store)
    assert found[0].what == "the clock was ahead when this was signed, or was set back since"
    assert all(finding.is_harmless for finding in found)
    assert verify(conninfo, store.all(), store.leaves()) == Verdict(8, 8, None, None)


@pytest.mark.parametrize("damage", ["missing", "cut off", "shortened"])
def test_leaves_are_written_again_from_a_log_that_leads_to_their_checkpoint(
    store: CheckpointStore, conn: Connection[DictRow], damage: str
) -> None:
    leaves, path = list(store.leaves()), file(store, 4, ".leaves")
    text = path.read_text()
    match damage:
        case "missing":
            path.unlink()
        case "cut off":
            path.write_text(text[:-20])
        case _:
            path.write_text("".join(text.splitlines(keepends=True)[1:]))
    assert list(store.leaves()) == leaves[:2]
    would_do = repair(conn, store, dry_run=True)
    assert list(store.leaves()) == leaves[:2]
    assert repair(conn, store) == would_do
    assert [found.remedy for found in would_do] == [
        "written again from the log, which leads to this checkpoint"
    ]
    assert list(store.leaves()) == leaves
    assert repair(conn, store) == []


def test_leaves_are_not_made_up_from_a_log_that_was_changed(
    store: CheckpointStore, conn: Connection[DictRow]
) -> None:
    file(store, 4, ".leaves").unlink()
    conn.execute(
        "UPDATE transparency_log_v1 SET hashes = set_byte(hashes, 100, get_byte(hashes, 100) # 255)"
    )
    (found,) = repair(conn, store)
    assert (found.remedy, found.is_harmless) == (None, False)
    assert not file(store, 4, ".leaves").exists()


def test_a_damaged_checkpoint_no_longer_stops_the_signer_and_is_not_deleted(
    store: CheckpointStore, conn: Connection[DictRow]
) -> None:
    newest = file(store, 6, ".checkpoint")
    damaged = newest.read_text()[:-5]
    newest.write_text(damaged)
    with pytest.raises(CheckpointDamaged):
        sign_due(conn, SIGNER, store, now=NOW)
    repair(conn, store)
    assert newest.with_name(newest.name + ".aside").read_text() == damaged
    signed = sign_due(conn, SIGNER, store, now=NOW + timedelta(hours=1))
    assert store.require_newest().signed == signed
    assert len(list(store.leaves())) == 6


def test_what_killed_signers_left_is_removed(
    store: CheckpointStore, conn: Connection[DictRow]
) -> None:
    draft = file(store, 6, ".leaves").with_name(".000000000000008.leaves.0badcafe")
    draft.write_text("1 2")
    (found,) = repair(conn, store)
    assert (found.file, found.remedy, draft.exists()) == (draft, "removed", False)


def test_two_logs_of_one_size_cannot_be_mended(
    store: CheckpointStore, conn: Connection[DictRow]
) -> None:
    other = store.folder / "2026-12-31"
    other.mkdir()
    forged = SIGNER.sign(4, bytes(32), 4, NOW)
    (other / f"{4:015}.checkpoint").write_text(forged)
    (other / f"{4:015}.leaves").write_text("")
    (found,) = repair(conn, store)
    assert (found.remedy, found.is_harmless) == (None, False)
    assert found.what.startswith("another log of the same size is signed")


@pytest.fixture
def returned(store: CheckpointStore, conn: Connection[DictRow]) -> CheckpointStore:
    """The log has lost what the newest checkpoint covers, which was damaged."""
    file(store, 6, ".checkpoint").write_text("damaged")
    with writable_log(conn):
        conn.execute(
            "DELETE FROM transparency_log_v1; DELETE FROM stored_events WHERE notification_id IN"
            " (SELECT notification_id FROM stored_events ORDER BY notification_id OFFSET 4)"
        )
    return store


def test_checkpoints_newer_than_the_log_are_set_aside_unless_it_differs_before(
    returned: CheckpointStore, conn: Connection[DictRow], conninfo: str
) -> None:
    earlier = file(returned, 6, ".checkpoint.aside")
    earlier.write_text("set aside earlier")
    done = set_aside_after_return(conn, conninfo, returned)
    assert (done.signed, done.events) == (6, 4)
    assert [path.name for path in done.files] == [
        f"{6:015}.checkpoint.aside.2",
        f"{6:015}.leaves.aside",
    ]
    assert earlier.read_text() == "set aside earlier"
    assert [each.size for each in returned.all()] == [2, 4]
    with writable_log(conn):
        conn.execute("UPDATE stored_events SET state = state || 'x'::bytea")
    with pytest.raises(NotAsSigned, match="Nothing is set aside"):
        set_aside_after_return(conn, conninfo, returned)


def test_nothing_is_set_aside_while_a_checkpoint_that_the_log_should_lead_to_is_damaged(
    returned: CheckpointStore, conn: Connection[DictRow], conninfo: str
) -> None:
    file(returned, 4, ".checkpoint").write_text("damaged")
    with pytest.raises(CheckpointsUnusable, match="Nothing is set aside"):
        set_aside_after_return(conn, conninfo, returned)
    assert file(returned, 6, ".checkpoint").exists()
