"""What the environment says about a run of the benchmarks."""

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass

MOST_ROUNDS = 16


@dataclass(frozen=True)
class Options:
    """The amount to measure. The whole takes about 40 minutes on two cores.

    BENCH_ONLY      parts to run, separated by commas: http, store, growth, views, told,
                    size
    BENCH_ROUNDS    rounds of each comparison, 3 by default, at most 16
    BENCH_SECONDS   how long each side of an HTTP comparison runs in a round, 5 by default; at the
                    store a fifth of that
    BENCH_EVENTS    the length of the longest log, 1,000,000 by default; a power of ten
    """

    only: frozenset[str]
    rounds: int
    seconds: float
    events: int

    @classmethod
    def from_environment(
        cls, parts: Collection[str], environment: Mapping[str, str] = os.environ
    ) -> "Options":
        """Reads the options for these parts. Raises `ValueError` for one that makes no sense."""
        only = frozenset(filter(None, environment.get("BENCH_ONLY", "").split(",")))
        if wrong := only - set(parts):
            raise ValueError(f"BENCH_ONLY names {sorted(wrong)}; there are {', '.join(parts)}.")
        rounds = int(environment.get("BENCH_ROUNDS", "3"))
        if not 1 <= rounds <= MOST_ROUNDS:
            raise ValueError(f"BENCH_ROUNDS must be from 1 to {MOST_ROUNDS}.")
        return cls(
            only=only or frozenset(parts),
            rounds=rounds,
            seconds=float(environment.get("BENCH_SECONDS", "5")),
            events=int(environment.get("BENCH_EVENTS", "1000000")),
        )
