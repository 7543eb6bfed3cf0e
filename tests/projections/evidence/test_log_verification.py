"""Whatever is done to the log shows, and what is honest never does."""

from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from application.proofs.verifier import ProofError
from projections.evidence import log_verification
from projections.evidence.log_verification import Verdict, verify
from tests.projections.evidence.tampering import CHANGES, Vault
from tests.support.desk import Desk
from tests.support.every_event import everything_happens

SEEDS = range(3)
each_change = pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)


@pytest.fixture
def vault(
    desk: Desk, conninfo: str, tmp_path: Path, catch_up: Callable[[], None]
) -> Iterator[Vault]:
    """The log of the story, with gaps, under a few heads."""
    everything_happens(desk)
    leave_a_gap(desk)
    catch_up()
    Vault.of(conninfo, tmp_path / "heads")
    desk.forget(desk.book(desk.new_link()))
    leave_a_gap(desk)
    desk.new_link()
    catch_up()
    signed = Vault.of(conninfo, tmp_path / "heads")
    yield signed
    signed.close()


def leave_a_gap(desk: Desk) -> None:
    """As an append leaves it that was refused."""
    with desk.services.database.connection() as conn:
        conn.execute("SELECT nextval('stored_events_notification_id_seq')")


def test_an_unchanged_log_is_verified(vault: Vault, desk: Desk) -> None:
    count = len(desk.log())
    assert len(vault.kept.all()) == 2
    assert vault.verdict() == Verdict(count, count, None, None)


def test_events_after_the_newest_checkpoint_are_verified_too(
    vault: Vault, desk: Desk, catch_up: Callable[[], None]
) -> None:
    signed = len(desk.log())
    desk.new_link()
    assert vault.verdict() == Verdict(signed + 2, signed, None, None)
    catch_up()
    assert vault.verdict() == Verdict(signed + 2, signed, None, None)


@each_change
def test_every_change_is_found_and_the_first_position_at_fault_is_named(
    vault: Vault, change: Callable[..., int]
) -> None:
    for seed in SEEDS:
        place = vault.change(change, Random(seed))
        found = vault.verdict()
        assert (found.position, found.fault is None) == (place, False), (seed, found)
        vault.restore()
    assert vault.verdict().fault is None


@pytest.mark.parametrize("name", ["another state", "one event gone", "an event put in"])
def test_a_change_is_found_even_when_the_tree_was_rebuilt_to_agree(vault: Vault, name: str) -> None:
    place = vault.change(CHANGES[name], Random(7), rewrite_tree=True)
    found = vault.verdict()
    assert (found.position, found.fault is None) == (place, False), found


def test_without_stored_leaves_checkpoints_narrow_a_change_down_to_a_range(
    vault: Vault,
) -> None:
    first, second = vault.kept.all()
    vault.change(CHANGES["another state"], Random(7), rewrite_tree=True)
    found = verify(vault.conninfo, [first, second])
    assert found.fault is not None
    assert "was changed between the positions" in found.fault
    alone = verify(vault.conninfo, [second])
    assert alone.fault is not None


def test_a_change_of_an_event_without_a_checkpoint_is_found_by_the_tree(
    vault: Vault, desk: Desk, catch_up: Callable[[], None]
) -> None:
    desk.new_link()
    catch_up()
    newest = desk.services.event_store.head()
    vault.change(lambda conn, random, _: CHANGES["one bit"](conn, random, [newest]), Random(1))
    assert vault.verdict().position == newest


def test_a_changed_tree_is_distinguished_from_a_changed_log(vault: Vault) -> None:
    with vault.connect() as conn:
        conn.execute("UPDATE transparency_log_v1 SET hashes = set_byte(hashes, 3, 0)")
    found = verify(vault.conninfo, vault.kept.all())
    assert found.fault is not None
    assert found.fault.startswith("the log is as it was signed")


def test_a_checkpoint_that_was_changed_is_refused(vault: Vault, tmp_path: Path) -> None:
    (newest,) = (tmp_path / "heads").glob(f"*/{vault.kept.all()[-1].size:015}.checkpoint")
    newest.write_text(newest.read_text().replace("position ", "position 1"))
    with pytest.raises(ProofError):
        vault.kept.all()


def test_a_long_log_is_verified_by_several_processes_with_the_same_result(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = vault.verdict()
    told: list[tuple[int, int]] = []
    monkeypatch.setattr(log_verification, "STRETCH", 20)
    found = verify(
        vault.conninfo,
        vault.kept.all(),
        vault.kept.leaves(),
        report=lambda done, total: told.append((done, total)),
    )
    assert found == whole
    assert len(told) > 1
    assert told == sorted(told)
