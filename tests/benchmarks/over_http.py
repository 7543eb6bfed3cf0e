"""Pairs of issuing and redeeming over HTTP: ours beside the hand-written service.

Each is measured as it runs, writing two mails a pair into a folder, and once more while nobody is
told: ours with a sender that stands still, the hand-written one without its mails. What it costs
to send mails and webhook messages is measured by `told`.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.benchmarks import lag, load, usage
from tests.benchmarks.machine import Machine
from tests.benchmarks.options import Options
from tests.benchmarks.ratios import medians, percentile, ratio
from tests.benchmarks.sides import (
    CRUD,
    CRUD_TOLD,
    CRUD_WSGI,
    OURS,
    UNTOLD,
    Side,
    crud_side,
    in_rounds,
    our_side,
    untold,
)
from tests.benchmarks.usage import Kinds
from tests.support.service import running_service

CLIENTS = (1, 16, 64)
WARM_UP_SECONDS = 2.0
OTHERS = (CRUD_TOLD, CRUD, CRUD_WSGI)
COMPARED: dict[str, Callable[[dict[str, Any]], float]] = {
    "pairs_per_second": lambda run: run["pairs_per_second"],
    "service_cpu_ms": lambda run: run["service_cpu_ms"],
    "redeem_p99_ms": lambda run: run["redeem_ms"]["p99"],
}


def measure(options: Options, machine: Machine, folder: Path) -> dict[str, Any]:
    """Returns for each number of clients what each side did, and ratios of ours to the others."""
    with _running(machine, folder) as sides:
        for side in sides:
            load.run(side.target, clients=max(CLIENTS), seconds=WARM_UP_SECONDS)
            side.rest()
        runs = in_rounds(
            sides,
            CLIENTS,
            options.rounds,
            lambda side, clients: pairs(side, machine.postgres, clients, options.seconds),
        )
        ours = sides[0]
        with lag.watched(ours.conninfo) as watch:
            load.run(ours.target, clients=max(CLIENTS), seconds=options.seconds)
        memory = {
            side.name: usage.megabytes({**side.kinds, **machine.postgres_of(side.conninfo)})
            for side in sides
        }
    return {
        "seconds": options.seconds,
        "clients": {str(clients): _compared(found) for clients, found in runs.items()},
        "lag": watch.milliseconds(),
        "memory_mb": memory,
    }


def pairs(side: Side, postgres: Kinds, clients: int, seconds: float) -> dict[str, Any]:
    """Returns one run: pairs a second, milliseconds of answers, and CPU milliseconds a pair.

    The CPU time is all that was spent until the views show everything. Ends when the
    side has nothing to do: senders, which come last, would still be at work in the next run.
    """
    kinds = {**side.kinds, **postgres}
    before = usage.cpu_seconds(kinds)
    done = load.run(side.target, clients=clients, seconds=seconds)
    side.show()
    after = usage.cpu_seconds(kinds)
    side.rest()
    cpu = {kind: 1000 * (after[kind] - before[kind]) / done.pairs for kind in kinds}
    clients_cpu = 1000 * done.cpu_seconds / done.pairs
    return {
        "pairs_per_second": done.pairs / done.seconds,
        "refused": done.refused.total() / done.pairs,
        "issue_ms": _percentiles(done.issued),
        "redeem_ms": _percentiles(done.redeemed),
        "cpu_ms": {**cpu, usage.CLIENTS: clients_cpu},
        "service_cpu_ms": sum(cpu.values()),
    }


@contextmanager
def _running(machine: Machine, folder: Path) -> Iterator[Sequence[Side]]:
    with ExitStack() as stack:
        conninfo = machine.new_database()
        service = stack.enter_context(running_service(folder, conninfo))
        yield (
            our_side(service, conninfo),
            stack.enter_context(_untold_side(machine, folder / "untold")),
            *(
                stack.enter_context(crud_side(name, machine.bare_database(), folder))
                for name in OTHERS
            ),
        )


@contextmanager
def _untold_side(machine: Machine, folder: Path) -> Iterator[Side]:
    folder.mkdir()
    conninfo = machine.new_database()
    with (
        running_service(folder, conninfo) as service,
        untold(our_side(service, conninfo), service.process.pid) as side,
    ):
        yield side


def _percentiles(seconds: Sequence[float]) -> dict[str, float]:
    return {f"p{each}": 1000 * percentile(seconds, each) for each in (50, 99)}


def _compared(runs: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Returns the medians of each side, and the ratios of both of ours to each of the others."""
    return {
        "sides": {name: medians(rows) for name, rows in runs.items()},
        "ratios": {
            ours: {other: _ratios(runs[ours], runs[other]) for other in OTHERS}
            for ours in (OURS, UNTOLD)
        },
    }


def _ratios(ours: list[dict[str, Any]], others: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        what: ratio([value(row) for row in ours], [value(row) for row in others])
        for what, value in COMPARED.items()
    }
