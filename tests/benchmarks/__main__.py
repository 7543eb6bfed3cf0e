"""`make bench`: how fast the service is, measured beside baselines in the same run.

Machines differ and are noisy: the ratios count. `options` lists what the environment sets.
With `--publish`, the figures become those of the README.
"""

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.benchmarks import (
    at_the_store,
    growth,
    over_http,
    report,
    results_file,
    size,
    told,
    views,
)
from tests.benchmarks.machine import Machine, running_machine
from tests.benchmarks.options import Options

UNPUBLISHED = results_file.ROOT / "var" / "bench"

Part = Callable[[Options, Machine, Path], dict[str, Any]]
PARTS: dict[str, Part] = {
    "http": over_http.measure,
    "store": at_the_store.measure,
    "growth": growth.measure,
    "views": views.measure,
    "told": told.measure,
    "size": size.measure,
}


def main() -> None:
    """Measures the parts that are asked for, prints tables, and writes the results to a file."""
    # What was started is stopped, however this ends; a frozen process would not notice by itself.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        options = Options.from_environment(PARTS)
    except ValueError as error:
        sys.exit(str(error))
    publish = "--publish" in sys.argv[1:]
    folder = results_file.PUBLISHED if publish else UNPUBLISHED
    for name in PARTS:
        if name in options.only:
            part = {name: measured(name, options)}
            results_file.save(folder, part)
            for line in report.whole(part):
                sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
    if publish:
        results_file.update_readme()
    sys.stdout.write(f"\nThe figures and a chart are in {folder}.\n")


def measured(name: str, options: Options) -> dict[str, Any]:
    """Measures one part on a new PostgreSQL server; says on which machine that was."""
    with TemporaryDirectory() as place:
        folder = Path(place)
        with running_machine(folder) as machine:
            return {
                "on": machine.described(),
                "rounds": options.rounds,
                **PARTS[name](options, machine, folder),
            }


if __name__ == "__main__":
    main()
