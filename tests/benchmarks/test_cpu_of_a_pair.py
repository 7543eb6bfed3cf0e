"""Issuing and redeeming a link costs a bounded multiple of what a hand-written service needs.

Only CPU time is judged, as a ratio between services that run beside each other: it hardly depends
on the machine, nor on what else that does. `make bench` measures the rest.
"""

import os
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from tests.benchmarks import load, usage
from tests.benchmarks.over_http import pairs
from tests.benchmarks.sides import CRUD, crud_side, our_side
from tests.benchmarks.usage import Kinds
from tests.support.service import Service

CLIENTS = 8
SECONDS = 0.4
ROUNDS = 3
MOST = {"web processes": 1.9, "all processes": 2.8}
"""The CPU time of ours / of the hand-written service. To be lowered whenever ours gets faster."""


@pytest.fixture
def postgres(server: str) -> Kinds:
    """The processes of the PostgreSQL server, unless it is one that the run was given."""
    return {} if "ADMITONE_TEST_DATABASE_URL" in os.environ else usage.postgres(server)


def test_a_pair_costs_a_bounded_multiple_of_the_cpu_of_hand_written_rows(
    service: Service, postgres: Kinds, new_database: Callable[[], str], tmp_path: Path
) -> None:
    ours = our_side(service, service.environment["ADMITONE_DATABASE_URL"])
    with crud_side(CRUD, new_database(), tmp_path) as crud:
        for side in (ours, crud):
            load.run(side.target, clients=CLIENTS, seconds=SECONDS)
            side.rest()
        rounds = [
            [pairs(side, postgres, CLIENTS, SECONDS) for side in (ours, crud)]
            for _ in range(ROUNDS)
        ]
    ratios = {
        "web processes": median(_of_web(one) / _of_web(other) for one, other in rounds),
        "all processes": median(_of_all(one) / _of_all(other) for one, other in rounds),
    }
    assert {what: ratio for what, ratio in ratios.items() if ratio > MOST[what]} == {}


def _of_web(run: dict[str, Any]) -> float:
    milliseconds: float = run["cpu_ms"][usage.WEB]
    return milliseconds


def _of_all(run: dict[str, Any]) -> float:
    milliseconds: float = run["service_cpu_ms"]
    return milliseconds
