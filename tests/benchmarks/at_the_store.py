"""Pairs of appends at the event store: our recorder, the library's, and hand-written rows.

Callers are threads of this process. Each pair is what issuing a link and redeeming it append:
one event, then three. Ours stores the personal data of both as well. The library's recorder has
no place for them.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import timedelta
from itertools import count
from pathlib import Path
from time import perf_counter, process_time
from typing import Any
from uuid import UUID, uuid4

from eventsourcing.persistence import StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore
from psycopg.conninfo import conninfo_to_dict

from application.eventstore.database import Database
from application.eventstore.mapper import MAPPER
from application.eventstore.recorder import EventRecorder, PersonalDataRow
from domain.errors import Unavailable
from tests.application.eventstore.golden_events import EVENTS
from tests.benchmarks import usage
from tests.benchmarks.crud import service as crud
from tests.benchmarks.machine import Machine
from tests.benchmarks.options import Options
from tests.benchmarks.ratios import medians, ratio
from tests.support.examples import TOMORROW_AT_NINE
from tests.support.waiting import at_once

CALLERS = (1, 16, 64)
COMMIT_MILLISECONDS = (0, 1, 5, 20)
CONNECTIONS = 16
OURS, STOCK, CRUD = "our recorder", "stock recorder", "CRUD transactions"
SHARE_OF_SECONDS = 0.2
WARM_UP_SECONDS = 1.0
INVITEE = {"name": "Ada Lovelace", "email": "ada@example.org"}

Pair = Callable[[], object]


def measure(options: Options, machine: Machine, folder: Path) -> dict[str, Any]:
    """Returns for each commit latency and number of callers what each side did, and ratios."""
    seconds = options.seconds * SHARE_OF_SECONDS
    found: dict[str, dict[str, Any]] = {}
    with _sides(machine) as sides:
        for pair in sides.values():
            _pairs(pair, machine, max(CALLERS), WARM_UP_SECONDS)
        for delay in COMMIT_MILLISECONDS:
            with machine.slow_commits(delay):
                found[str(delay)] = {
                    str(callers): _compared(sides, machine, callers, seconds, options.rounds)
                    for callers in CALLERS
                }
    return {
        "seconds": seconds,
        "connections": CONNECTIONS,
        "commit_ms": found,
    }


def _compared(
    sides: dict[str, Pair], machine: Machine, callers: int, seconds: float, rounds: int
) -> dict[str, Any]:
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in sides}
    for number in range(rounds):
        for name in list(sides) if number % 2 == 0 else reversed(sides):
            runs[name].append(_pairs(sides[name], machine, callers, seconds))
    rates = {name: [row["pairs_per_second"] for row in rows] for name, rows in runs.items()}
    return {
        "sides": {name: medians(rows) for name, rows in runs.items()},
        "ratios": {name: ratio(rates[OURS], rates[name]) for name in (STOCK, CRUD)},
    }


def _pairs(pair: Pair, machine: Machine, callers: int, seconds: float) -> dict[str, Any]:
    ends_at = perf_counter() + seconds

    def call() -> Counter[str]:
        counts: Counter[str] = Counter()
        while perf_counter() < ends_at:
            try:
                pair()
                counts["done"] += 1
            except Unavailable:  # there are too many callers for the time that each has
                counts["refused"] += 1
        return counts

    before = usage.cpu_seconds(machine.postgres)[usage.POSTGRES]
    begun, client_before = perf_counter(), process_time()
    counts = sum(at_once([call] * callers), Counter())
    took, client = perf_counter() - begun, process_time() - client_before
    server = usage.cpu_seconds(machine.postgres)[usage.POSTGRES] - before
    done = counts["done"]
    return {
        "pairs_per_second": done / took,
        "refused": counts["refused"] / done,
        "cpu_ms": {usage.POSTGRES: 1000 * server / done, usage.CLIENTS: 1000 * client / done},
    }


@contextmanager
def _sides(machine: Machine) -> Iterator[dict[str, Pair]]:
    with ExitStack() as stack:
        database = Database(machine.new_database(), max_pool_size=CONNECTIONS)
        stack.callback(database.close)
        library = stock_recorder(machine.bare_database())
        stack.callback(library.datastore.close)
        tables = machine.bare_database()
        crud.create_tables(tables)
        pool = stack.enter_context(closing(crud.new_pool(tables, CONNECTIONS)))
        recorder = EventRecorder(database)
        minutes = count()

        def ours() -> None:
            issued, redeemed, people = new_pair()
            recorder.insert_events(issued, personal_data=people[:1])
            recorder.insert_events(redeemed, personal_data=people[1:])

        def stock() -> None:
            issued, redeemed, _ = new_pair()
            library.insert_events(issued)
            library.insert_events(redeemed)

        def rows() -> None:
            with pool.connection() as conn:
                token = crud.issue_link(conn, INVITEE["name"], None, crud.LINK_LIFE)["token"]
            start = TOMORROW_AT_NINE + timedelta(minutes=next(minutes))
            with pool.connection() as conn:
                crud.redeem_link(conn, token, start, INVITEE, None)

        yield {OURS: ours, STOCK: stock, CRUD: rows}


def new_pair() -> tuple[list[StoredEvent], list[StoredEvent], list[PersonalDataRow]]:
    """Returns what issuing and what redeeming appends, for a link that is new, and its people."""
    link_id, booking_id, day_id = uuid4(), uuid4(), uuid4()
    issued, redeemed, made, reserved = _EXAMPLES
    people = [_person(link_id, {"recipient": "Ada Lovelace"}), _person(booking_id, INVITEE)]
    return (
        [_like(issued, link_id, 1)],
        [_like(redeemed, link_id, 2), _like(made, booking_id, 1), _like(reserved, day_id, 1)],
        people,
    )


_EXAMPLES = [
    MAPPER.to_stored_event(EVENTS[topic])
    for topic in ("link.issued", "link.redeemed", "booking.made", "agenda.slot_reserved")
]


def _like(example: StoredEvent, aggregate_id: UUID, version: int) -> StoredEvent:
    return StoredEvent(aggregate_id, version, example.topic, example.state)


def _person(aggregate_id: UUID, data: dict[str, str]) -> PersonalDataRow:
    return PersonalDataRow(aggregate_id, 1, bytes(32), data)


def stock_recorder(conninfo: str) -> PostgresApplicationRecorder:
    """Returns the library's own recorder, with its tables in this database."""
    parts = conninfo_to_dict(conninfo)
    datastore = PostgresDatastore(
        dbname=str(parts["dbname"]),
        host=str(parts["host"]),
        port=str(parts["port"]),
        user=str(parts["user"]),
        password=str(parts.get("password", "")),
        pool_size=1,
        max_overflow=CONNECTIONS - 1,
    )
    recorder = PostgresApplicationRecorder(datastore)
    recorder.create_table()
    return recorder
