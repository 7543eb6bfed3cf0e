"""Pairs of issuing and redeeming while everybody concerned is told of them, and while nobody is.

Two services run beside each other. One sends mails to a mail server, and a message about each
event to a webhook: two mails and three messages a pair. Of the other one, the sender stands
still, and there is no webhook. All of it shares the machine, the receivers too.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, LiteralString

import psycopg

from application.webhooks.webhooks import WebhookEvent
from tests.benchmarks import load, usage
from tests.benchmarks.machine import Machine
from tests.benchmarks.options import Options
from tests.benchmarks.over_http import WARM_UP_SECONDS
from tests.benchmarks.ratios import medians, ratio
from tests.benchmarks.receivers import Receivers, running_receivers
from tests.benchmarks.sides import Side, in_rounds, our_side, untold
from tests.benchmarks.usage import SENDER, Kinds
from tests.support.http_desk import created
from tests.support.service import running_service

TOLD, UNTOLD = "told", "untold"
COMPARED = ("pairs_per_second", "service_cpu_ms")
LAG = ("p50", "p99", "last")
CLIENTS = (1, 16)
_UNTIL_TOLD: LiteralString = """
    SELECT percentile_cont(ARRAY[0.5, 0.99, 1]) WITHIN GROUP (
        ORDER BY extract(epoch FROM sent_at - due_at)::float8)
    FROM deliveries WHERE state = 'sent' AND due_at >= %s"""


def measure(options: Options, machine: Machine, folder: Path) -> dict[str, Any]:
    """Returns what each side did, and the ratios of the one that tells to the other."""
    with running_receivers() as receivers, running_sides(machine, folder, receivers) as sides:
        for side in sides:
            warm_up = min(WARM_UP_SECONDS, options.seconds)
            load.run(side.target, clients=max(CLIENTS), seconds=warm_up)
            side.rest()
        runs = in_rounds(
            sides,
            CLIENTS,
            options.rounds,
            lambda side, clients: pairs(side, machine.postgres, clients, options.seconds),
        )
    return {
        "seconds": options.seconds,
        "clients": {str(clients): _compared(found) for clients, found in runs.items()},
    }


def pairs(side: Side, postgres: Kinds, clients: int, seconds: float) -> dict[str, Any]:
    """Returns one run: pairs a second, and CPU milliseconds a pair until everybody is told.

    `until_told` are the seconds from an event until somebody has accepted what tells of it.
    """
    kinds = {**side.kinds, **postgres}
    with psycopg.connect(side.conninfo, autocommit=True) as conn:
        (begun,) = conn.execute("SELECT now()").fetchone() or ()
        before = usage.cpu_seconds(kinds)
        done = load.run(side.target, clients=clients, seconds=seconds)
        side.rest()
        after = usage.cpu_seconds(kinds)
        (lag,) = conn.execute(_UNTIL_TOLD, (begun,)).fetchone() or ()
    cpu = {kind: 1000 * (after[kind] - before[kind]) / done.pairs for kind in kinds}
    found = {
        "pairs_per_second": done.pairs / done.seconds,
        "cpu_ms": {**cpu, usage.CLIENTS: 1000 * done.cpu_seconds / done.pairs},
        "service_cpu_ms": sum(cpu.values()),
    }
    return found | ({"until_told": dict(zip(LAG, lag, strict=True))} if lag else {})


@contextmanager
def running_sides(machine: Machine, folder: Path, receivers: Receivers) -> Iterator[Sequence[Side]]:
    """Runs both services on databases of their own."""
    with ExitStack() as stack:
        yield [
            stack.enter_context(_running_side(name, machine, folder / name, receivers))
            for name in (TOLD, UNTOLD)
        ]


@contextmanager
def _running_side(
    name: str, machine: Machine, folder: Path, receivers: Receivers
) -> Iterator[Side]:
    folder.mkdir()
    conninfo = machine.new_database()
    settings = {
        "ADMITONE_SMTP_URL": receivers.smtp_url,
        "ADMITONE_OUTGOING_NETWORKS": "127.0.0.0/8",
    }
    with running_service(folder, conninfo, **settings) as service:
        supervisor = service.process.pid
        side = replace(our_side(service, conninfo), name=name, kinds=usage.ours(supervisor, SENDER))
        if name == TOLD:
            events = [event.value for event in WebhookEvent]
            created(service.post("/webhooks", {"url": receivers.webhook_url, "events": events}))
            yield side
        else:
            with untold(side, supervisor) as standing:
                yield replace(standing, name=name)


def _compared(runs: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Returns the medians of each side, and the ratios of the one that tells to the other."""
    return {
        "sides": {name: medians(rows) for name, rows in runs.items()},
        "ratios": {
            what: ratio([row[what] for row in runs[TOLD]], [row[what] for row in runs[UNTOLD]])
            for what in COMPARED
        },
    }
