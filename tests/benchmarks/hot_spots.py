"""`python -m tests.benchmarks.hot_spots`: where the CPU time of a pair goes in a web process.

Runs the web application in this process, without the server in front. The profiler measures the CPU
clock: by the wall clock, waiting for PostgreSQL would look expensive. It slows everything down,
small functions the most, so its milliseconds are shares, not costs.
"""

import cProfile
import pstats
import sys
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time
from typing import Any

from interface.wsgi import create_app
from tests.benchmarks.in_one_process import log_to_nowhere, our_pairs, our_services, place_of
from tests.benchmarks.machine import running_machine
from tests.benchmarks.report import table

PAIRS = 300
LINES = 45


def main() -> None:
    """Prints the milliseconds a pair takes, and the functions that take most of it."""
    with (
        TemporaryDirectory() as place,
        running_machine(Path(place)) as machine,
        our_services(Path(place), machine.new_database()) as services,
        log_to_nowhere(),
    ):
        pairs = our_pairs(services, create_app(services))
        pairs.run(PAIRS)  # prepared statements, caches
        begun = process_time()
        pairs.run(PAIRS)
        plain = 1000 * (process_time() - begun) / PAIRS
        profile = cProfile.Profile(process_time)
        profile.runcall(pairs.run, PAIRS)
    sys.stdout.write(f"{plain:.2f} ms of CPU a pair, without the profiler. {PAIRS} pairs:\n")
    statistics = pstats.Stats(profile)
    sys.stdout.write("\n".join([*table(["in", "ms a pair", "share"], _by_library(statistics)), ""]))
    for order in ("cumulative", "tottime"):
        statistics.sort_stats(order).print_stats(LINES)


def _by_library(statistics: Any) -> list[list[object]]:
    """Returns the time inside the functions of each library, with the built-in ones they call."""
    seconds: Counter[str] = Counter()
    for (file, _, _), (_, _, own, _, callers) in statistics.stats.items():
        if file == "~":
            for (caller, _, _), (_, _, own_there, _) in callers.items():
                seconds[_library(caller)] += own_there
        else:
            seconds[_library(file)] += own
    total = seconds.total()
    return [
        [name, f"{1000 * taken / PAIRS:.2f}", f"{100 * taken / total:.0f} %"]
        for name, taken in seconds.most_common()
    ]


def _library(file: str) -> str:
    return place_of(file).partition("/")[0]


if __name__ == "__main__":
    main()
