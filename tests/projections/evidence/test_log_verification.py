"""Verification finds every change of the log, and never reports an unchanged one."""

from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from application.proofs.verifier import ProofError
from projections.evidence import log_verification
from projections.evidence.log_verification import Verdict, verify
from tests.projections.evidence.tampering import CHANGES, SignedLog
from tests.support.desk import Desk
from tests.support.every_event import everything_happens

SEEDS = range(3)
each_change = pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)


@pytest.fixture
def signed_log(
    desk: Desk, conninfo: str, tmp_path: Path, catch_up: Callable[[], None]
) -> Iterator[SignedLog]:
    """A log with every kind of event and with gaps, covered by two checkpoints."""
    everything_happens(desk)
    leave_a_gap(desk)
    catch_up()
    SignedLog.of(conninfo, tmp_path / "checkpoints")
    desk.forget(desk.book(desk.new_link()))
    leave_a_gap(desk)
    desk.new_link()
    catch_up()
    signed = SignedLog.of(conninfo, tmp_path / "checkpoints")
    yield signed
    signed.close()


def leave_a_gap(desk: Desk) -> None:
    """Leaves the gap of a refused append in the positions."""
    with desk.services.database.connection() as conn:
        conn.execute("SELECT nextval('stored_events_notification_id_seq')")


def test_an_unchanged_log_is_verified(signed_log: SignedLog, desk: Desk) -> None:
    count = len(desk.log())
    assert len(signed_log.checkpoints.all()) == 2
    assert signed_log.verify() == Verdict(count, count, None, None)


def test_events_after_the_newest_checkpoint_are_verified_too(
    signed_log: SignedLog, desk: Desk, catch_up: Callable[[], None]
) -> None:
    signed = len(desk.log())
    desk.new_link()
    assert signed_log.verify() == Verdict(signed + 2, signed, None, None)
    catch_up()
    assert signed_log.verify() == Verdict(signed + 2, signed, None, None)


@each_change
def test_every_change_is_found_and_the_first_position_at_fault_is_named(
    signed_log: SignedLog, change: Callable[..., int]
) -> None:
    for seed in SEEDS:
        place = signed_log.change(change, Random(seed))
        found = signed_log.verify()
        assert (found.position, found.fault is None) == (place, False), (seed, found)
        signed_log.restore()
    assert signed_log.verify().fault is None


@pytest.mark.parametrize("name", ["another state", "one event gone", "an event put in"])
def test_a_change_is_found_even_when_the_tree_was_rebuilt_to_agree(
    signed_log: SignedLog, name: str
) -> None:
    place = signed_log.change(CHANGES[name], Random(7), rewrite_tree=True)
    found = signed_log.verify()
    assert (found.position, found.fault is None) == (place, False), found


def test_without_stored_leaves_checkpoints_narrow_a_change_down_to_a_range(
    signed_log: SignedLog,
) -> None:
    first, second = signed_log.checkpoints.all()
    signed_log.change(CHANGES["another state"], Random(7), rewrite_tree=True)
    found = verify(signed_log.conninfo, [first, second])
    assert found.fault is not None
    assert "was changed between the positions" in found.fault
    alone = verify(signed_log.conninfo, [second])
    assert alone.fault is not None


def test_a_change_of_an_event_without_a_checkpoint_is_found_by_the_tree(
    signed_log: SignedLog, desk: Desk, catch_up: Callable[[], None]
) -> None:
    desk.new_link()
    catch_up()
    newest = desk.services.event_store.head()
    signed_log.change(lambda conn, random, _: CHANGES["one bit"](conn, random, [newest]), Random(1))
    assert signed_log.verify().position == newest


def test_a_changed_tree_is_distinguished_from_a_changed_log(signed_log: SignedLog) -> None:
    with signed_log.connect() as conn:
        conn.execute(
            "UPDATE transparency_log_v1 SET hashes = set_byte(hashes, 3, 255 - get_byte(hashes, 3))"
        )
    found = verify(signed_log.conninfo, signed_log.checkpoints.all())
    assert found.fault is not None
    assert found.fault.startswith("the log is as it was signed")


def test_a_checkpoint_that_was_changed_is_refused(signed_log: SignedLog, tmp_path: Path) -> None:
    size = signed_log.checkpoints.all()[-1].size
    (newest,) = (tmp_path / "checkpoints").glob(f"*/{size:015}.checkpoint")
    newest.write_text(newest.read_text().replace("position ", "position 1"))
    with pytest.raises(ProofError):
        signed_log.checkpoints.all()


def test_a_long_log_is_verified_by_several_processes_with_the_same_result(
    signed_log: SignedLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = signed_log.verify()
    told: list[tuple[int, int]] = []
    monkeypatch.setattr(log_verification, "STRETCH", 20)
    found = verify(
        signed_log.conninfo,
        signed_log.checkpoints.all(),
        signed_log.checkpoints.leaves(),
        report=lambda done, total: told.append((done, total)),
    )
    assert found == whole
    assert len(told) > 1
    assert told == sorted(told)
