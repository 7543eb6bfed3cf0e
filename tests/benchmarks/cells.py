"""A simulation of many owners in independent cells: load, hot owners, and moves.

`python -m tests.benchmarks.cells` prints the table of interface/deployment/GROWTH.md, and with
`--publish` writes its figures to the published results. The same seed gives the same figures.

An owner is put into a cell when they sign up, when nobody knows how busy they will be: into one of
two that are chosen by chance, the one with fewer owners. How busy owners are is spread over orders
of magnitude, a few are organisations, and each is busier in some quarters than in others. At the
end of a quarter, the busiest owners of a cell above its bound move to the least loaded cell, until
it is below.
"""

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from math import exp, log
from random import Random

from tests.benchmarks import results_file

OWNERS = 1_000_000
CELLS = 48
QUARTERS = 8
MEDIAN_BOOKINGS = 1.5  # a week
SPREAD = 1.6  # of the logarithm, so that the mean is 3.6 times the median
SEASONS = 0.4  # of the logarithm, around an owner's usual load
ORGANISATIONS = 1e-4  # of the owners
BOOKINGS_OF_ORGANISATIONS = (2_000, 20_000)
EVENTS_A_BOOKING = 4.8
"""With the links that are not used, revocations, cancellations and changes; see `long_log`."""
BOUND = 1.2  # times the mean load of the cells


@dataclass
class Cell:
    """A cell and the owners in it, by number."""

    owners: set[int] = field(default_factory=set)
    load: float = 0.0
    """Events a week."""


@dataclass(frozen=True)
class Quarter:
    """The load of the cells at the end of a quarter, in events a week."""

    mean: float
    busiest_before: float
    busiest_after: float
    busiest_owner: float
    moves: int
    moved_load: float


def simulate(owners: int = OWNERS, cells: int = CELLS, *, seed: int = 1) -> list[Quarter]:
    """Returns what becomes of the cells, quarter by quarter."""
    random = Random(seed)
    usual = [_load(random) for _ in range(owners)]
    placed = sign_up(owners, cells, random)
    quarters = []
    for _ in range(QUARTERS):
        loads = [load * exp(random.gauss(0, SEASONS)) for load in usual]
        for cell in placed:
            cell.load = sum(loads[owner] for owner in cell.owners)
        mean = sum(cell.load for cell in placed) / cells
        before = max(cell.load for cell in placed)
        moved = balance(placed, loads, BOUND * mean)
        quarters.append(
            Quarter(
                mean=mean,
                busiest_before=before,
                busiest_after=max(cell.load for cell in placed),
                busiest_owner=max(loads),
                moves=len(moved),
                moved_load=sum(loads[owner] for owner in moved),
            )
        )
    return quarters


def sign_up(owners: int, cells: int, random: Random) -> list[Cell]:
    """Puts each owner into the one of two cells that has fewer: nobody knows their load yet."""
    placed = [Cell() for _ in range(cells)]
    for owner in range(owners):
        one, other = random.choice(placed), random.choice(placed)
        min(one, other, key=lambda cell: len(cell.owners)).owners.add(owner)
    return placed


def balance(cells: Sequence[Cell], loads: Sequence[float], bound: float) -> list[int]:
    """Moves owners out of cells above the bound, the busiest first; returns who moved.

    Nobody moves who would take the other cell above it: an owner who is busier than the bound
    allows stays, and everybody else leaves them alone.
    """
    moved = []
    for cell in sorted(cells, key=lambda each: each.load, reverse=True):
        for owner in sorted(cell.owners, key=loads.__getitem__, reverse=True):
            if cell.load <= bound:
                break
            least = min(cells, key=lambda each: each.load)
            if least is cell or least.load + loads[owner] > bound:
                continue
            cell.owners.remove(owner)
            cell.load -= loads[owner]
            least.owners.add(owner)
            least.load += loads[owner]
            moved.append(owner)
    return moved


def table(quarters: Sequence[Quarter]) -> list[str]:
    """Returns the figures as the lines of a Markdown table."""
    head = (
        "| quarter | events a week and cell | busiest cell | after moves | moves | busiest owner |"
    )
    lines = [head, "| --: | --: | --: | --: | --: | --: |"]
    for number, each in enumerate(quarters, 1):
        lines.append(
            f"| {number} | {round(each.mean, -2):,.0f}"
            f" | {each.busiest_before / each.mean:.2f} × mean"
            f" | {each.busiest_after / each.mean:.2f} × mean | {each.moves:,}"
            f" | {each.busiest_owner / each.mean:.2f} × a cell |"
        )
    return lines


def _load(random: Random) -> float:
    """Returns the events a week of an owner."""
    if random.random() < ORGANISATIONS:
        low, high = BOOKINGS_OF_ORGANISATIONS
        return EVENTS_A_BOOKING * random.uniform(low, high)
    return EVENTS_A_BOOKING * exp(random.gauss(log(MEDIAN_BOOKINGS), SPREAD))


def main() -> None:
    """Simulates, prints the table, and publishes the figures if asked to."""
    quarters = simulate()
    if "--publish" in sys.argv[1:]:
        found = {"owners": OWNERS, "cells": CELLS, "quarters": [asdict(each) for each in quarters]}
        results_file.save(results_file.PUBLISHED, {"cells": found})
    sys.stdout.write("\n".join(table(quarters)) + "\n")


if __name__ == "__main__":
    main()
