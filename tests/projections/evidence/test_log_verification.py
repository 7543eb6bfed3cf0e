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


def test_an_honest_log_is_as_it_was_recorded(vault: Vault, desk: Desk) -> None:
    count = len(desk.log())
    assert len(vault.kept.all()) == 2
    assert vault.verdict() == Verdict(count, count, None, None)


def test_what_came_after_the_newest_head_is_honest_too(
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
def test_a_change_shows_even_when_the_tree_was_made_to_agree(vault: Vault, name: str) -> None:
    place = vault.change(CHANGES[name], Random(7), rewrite_tree=True)
    found = vault.verdict()
    assert (found.position, found.fault is None) == (place, False), found


def test_without_the_leaves_that_were_kept_a_head_alone_tells_between_which_positions(
    vault: Vault,
) -> None:
    first, second = vault.kept.all()
    vault.change(CHANGES["another state"], Random(7), rewrite_tree=True)
    found = verify(vault.conninfo, [first, second])
    assert found.fault is not None
    assert "was changed between the positions" in found.fault
    alone = verify(vault.conninfo, [second])
    assert alone.fault is not None


def test_a_change_of_what_no_head_covers_yet_shows_by_the_tree(
    vault: Vault, desk: Desk, catch_up: Callable[[], None]
) -> None:
    desk.new_link()
    catch_up()
    newest = desk.services.event_store.head()
    vault.change(lambda conn, random, _: CHANGES["one bit"](conn, random, [newest]), Random(1))
    assert vault.verdict().position == newest


def test_a_tree_that_was_changed_is_told_from_a_log_that_was(vault: Vault) -> None:
    with vault.connect() as conn:
        conn.execute("UPDATE transparency_log_v1 SET hashes = set_byte(hashes, 3, 0)")
    found = verify(vault.conninfo, vault.kept.all())
    assert found.fault is not None
    assert found.fault.startswith("the log is as it was signed")


def test_a_head_that_another_key_signed_is_not_believed(vault: Vault, tmp_path: Path) -> None:
    (newest,) = (tmp_path / "heads").glob(f"*/{vault.kept.all()[-1].size:015}.checkpoint")
    newest.write_text(newest.read_text().replace("position ", "position 1"))
    with pytest.raises(ProofError):
        vault.kept.all()


def test_a_long_log_is_shared_out_between_processes_and_put_together_in_order(
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
