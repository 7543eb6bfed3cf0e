"""The simulation of cells loses nobody, moves few, and says the same each time."""

from random import Random

from tests.benchmarks.cells import BOUND, Cell, balance, sign_up, simulate


def test_every_owner_is_in_one_cell_and_cells_have_about_as_many() -> None:
    cells = sign_up(5_000, 10, Random(1))
    assert sorted(owner for cell in cells for owner in cell.owners) == list(range(5_000))
    assert max(len(cell.owners) for cell in cells) < 510


def test_a_cell_above_the_bound_gives_its_busiest_owners_away() -> None:
    loads = [5.0, 3.0, 1.0, 1.0]
    cells = [Cell({0, 1, 2}, 9.0), Cell({3}, 1.0)]
    assert balance(cells, loads, bound=6.0) == [0]
    assert [cell.load for cell in cells] == [4.0, 6.0]
    assert [cell.owners for cell in cells] == [{1, 2}, {0, 3}]


def test_an_owner_who_fits_nowhere_stays_and_is_left_alone() -> None:
    loads = [9.0, 1.0, 1.0]
    cells = [Cell({0, 1}, 10.0), Cell({2}, 1.0)]
    assert balance(cells, loads, bound=6.0) == [1]
    assert [cell.owners for cell in cells] == [{0}, {1, 2}]


def test_the_same_seed_keeps_cells_below_the_bound_with_the_same_moves() -> None:
    quarters = simulate(4_000, 4, seed=7)
    assert quarters == simulate(4_000, 4, seed=7)
    assert all(each.busiest_after <= BOUND * each.mean for each in quarters)
    assert all(each.moves < 40 for each in quarters)
