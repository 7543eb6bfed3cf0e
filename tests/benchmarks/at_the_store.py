"""Pairs of appends at the event store: our recorder, the library's, and hand-written rows.

Callers are threads of this process. Each pair is what issuing a link and redeeming it append:
one event, then three. Ours stores the personal data of both as well. The library's recorder has
no place for them.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from time import perf_counter, process_time
from typing import Any
from uuid import UUID, uuid4

from eventsourcing.persistence import StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore
from psycopg.conninfo import conninfo_to_dict

from application.eventstore.database import Database
from application.eventstore.mapper import MAPPER
from application.eventstore.recorder import EventRecorder, PersonalDataRow
from domain.agenda import AgendaDay
from domain.booking import Booking
from domain.link import SingleUseLink
from domain.slot import Reservation
from tests.benchmarks import usage
from tests.benchmarks.crud import service as crud
from tests.benchmarks.load import free_starts
from tests.benchmarks.machine import Machine
from tests.benchmarks.options import Options
from tests.benchmarks.ratios import medians, ratio
from tests.support.examples import ACTOR, CALENDAR, IN_90_DAYS, NOW, OWNER, TOMORROW

CALLERS = (1, 16, 64)
COMMIT_MILLISECONDS = (0, 1, 5, 20)
CONNECTIONS = 16
OURS, STOCK, CRUD = "our recorder", "stock recorder", "CRUD transactions"
SHARE_OF_SECONDS = 0.2
WARM_UP_SECONDS = 1.0
COMMITMENT = "c0" * 32
INVITEE = {"name": "Ada Lovelace", "email": "ada@example.org"}
RESERVATION = Reservation(TOMORROW, timedelta(), timedelta())

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
    counts = [0] * callers
    errors: list[Exception] = []

    def call(place: int) -> None:
        try:
            while perf_counter() < ends_at:
                pair()
                counts[place] += 1
        except Exception as error:
            errors.append(error)
            raise

    before = usage.cpu_seconds(machine.postgres)[usage.POSTGRES]
    begun, client_before = perf_counter(), process_time()
    ends_at = begun + seconds
    threads = [Thread(target=call, args=(place,)) for place in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took, client = perf_counter() - begun, process_time() - client_before
    server = usage.cpu_seconds(machine.postgres)[usage.POSTGRES] - before
    if errors:
        raise errors[0]
    done = sum(counts)
    cpu = {usage.POSTGRES: 1000 * server / done, usage.CLIENTS: 1000 * client / done}
    return {"pairs_per_second": done / took, "cpu_ms": cpu}


@contextmanager
def _sides(machine: Machine) -> Iterator[dict[str, Pair]]:
    with ExitStack() as stack:
        database = Database(machine.new_database(), max_pool_size=CONNECTIONS)
        stack.callback(database.close)
        stock_recorder = _stock_recorder(machine.bare_database())
        stack.callback(stock_recorder.datastore.close)
        tables = machine.bare_database()
        crud.create_tables(tables)
        pool = stack.enter_context(closing(crud.new_pool(tables, CONNECTIONS)))
        recorder = EventRecorder(database)
        events = example_events()
        starts = free_starts()

        def ours() -> None:
            issued, redeemed, people = new_pair(events)
            recorder.insert_events(issued, personal_data=people[:1])
            recorder.insert_events(redeemed, personal_data=people[1:])

        def stock() -> None:
            issued, redeemed, _ = new_pair(events)
            stock_recorder.insert_events(issued)
            stock_recorder.insert_events(redeemed)

        def rows() -> None:
            with pool.connection() as conn:
                token = crud.issue_link(conn, INVITEE["name"], None, crud.LINK_LIFE)["token"]
            start = datetime.fromisoformat(next(starts)).astimezone(UTC)
            with pool.connection() as conn:
                crud.redeem_link(conn, token, start, INVITEE, None)

        yield {OURS: ours, STOCK: stock, CRUD: rows}


def example_events() -> list[StoredEvent]:
    """Returns the four events of a pair, as our service stores them."""
    link = SingleUseLink.issue(
        link_id=uuid4(),
        owner_id=OWNER,
        calendar_id=CALENDAR,
        expires_at=IN_90_DAYS,
        personal_data=COMMITMENT,
        actor=ACTOR,
        now=NOW,
    )
    booking_id = Booking.id_for(link.id)
    link.redeem(booking_id, TOMORROW, idempotency_key=None, actor="invitee", now=NOW)
    booking = Booking.make(
        link_id=link.id,
        owner_id=OWNER,
        calendar_id=CALENDAR,
        calendar_version=1,
        slot=TOMORROW,
        personal_data=COMMITMENT,
        actor="invitee",
        now=NOW,
    )
    day = AgendaDay.open(OWNER, TOMORROW.start.date(), actor="invitee", now=NOW)
    day.reserve(booking_id, RESERVATION, actor="invitee", now=NOW)
    *issued_and_redeemed, made, _, reserved = [
        event for each in (link, booking, day) for event in each.collect_events()
    ]
    return [MAPPER.to_stored_event(event) for event in (*issued_and_redeemed, made, reserved)]


def new_pair(
    events: Sequence[StoredEvent],
) -> tuple[list[StoredEvent], list[StoredEvent], list[PersonalDataRow]]:
    """Returns what issuing and what redeeming appends, for a link that is new, and its people."""
    link_id, booking_id, day_id = uuid4(), uuid4(), uuid4()
    ids = (link_id, link_id, booking_id, day_id)
    issued, *redeemed = [
        StoredEvent(aggregate_id, event.originator_version, event.topic, event.state)
        for aggregate_id, event in zip(ids, events, strict=True)
    ]
    people = [_person(link_id, 1, {"recipient": "Ada Lovelace"}), _person(booking_id, 1, INVITEE)]
    return [issued], redeemed, people


def _person(aggregate_id: UUID, version: int, data: dict[str, str]) -> PersonalDataRow:
    return PersonalDataRow(aggregate_id, version, bytes(32), data)


def _stock_recorder(conninfo: str) -> PostgresApplicationRecorder:
    parts = conninfo_to_dict(conninfo)
    datastore = PostgresDatastore(
        dbname=str(parts["dbname"]),
        host=str(parts["host"]),
        port=str(parts["port"]),
        user=str(parts["user"]),
        password="",
        pool_size=1,
        max_overflow=CONNECTIONS - 1,
    )
    recorder = PostgresApplicationRecorder(datastore)
    recorder.create_table()
    return recorder
