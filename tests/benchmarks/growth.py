"""Whether redeeming gets slower with the length of the log, a calendar's age, or a full day.

Each case is measured beside the empty one, round by round. What is measured is the command in this
process, without HTTP: its time, and the CPU time of this process and PostgreSQL together.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from domain.agenda import AgendaDay
from domain.calendar import Calendar
from domain.slot import Reservation, Slot
from interface.bootstrap import build
from interface.settings import Settings
from tests.benchmarks import usage
from tests.benchmarks.long_log import fill, repeat
from tests.benchmarks.machine import Machine
from tests.benchmarks.options import Options
from tests.benchmarks.ratios import medians, ratio
from tests.benchmarks.usage import Kinds
from tests.support.desk import ALWAYS_OPEN, Desk, terms
from tests.support.examples import ACTOR, NOW, OWNER, SECRET

FEWEST_EVENTS = 10_000
MOST_FILLED = 1_000_000  # a longer log repeats the events of one of this length
VERSIONS = (1, 10, 100, 1000)
BOOKINGS = (0, 10, 100, 1000)
REDEEMED = 20  # links in a round of each case
MOST_REDEEMED = 340  # in all rounds, on days within a year
A_MINUTE, NO_TIME = timedelta(minutes=1), timedelta()
FULL_DAY = datetime(2026, 12, 1, tzinfo=NOW.tzinfo)
OVERRIDES = 100  # dates in the terms of a calendar that was changed often: some 5 kB a version


class Case(NamedTuple):
    """A size of what grows, and the operation that is measured at that size."""

    size: int
    act: Callable[[], object]


def measure(options: Options, machine: Machine, folder: Path) -> dict[str, Any]:
    """Returns for each kind of growth what redeeming costs at each size, and ratios to the least.

    The log grows by a factor of ten at a time, up to `options.events`.
    """
    found: dict[str, Any] = {}
    with _desk(machine.new_database(), folder) as desk:
        for name, cases in (
            ("calendar versions", [_versions(desk, size) for size in VERSIONS]),
            ("bookings a day", [_bookings(desk, size) for size in BOOKINGS]),
        ):
            found[name] = compared(cases, machine.postgres, options.rounds)
    found["events"] = _events(options, machine, folder)
    return {"of": found}


def _events(options: Options, machine: Machine, folder: Path) -> dict[str, Any]:
    sizes = [FEWEST_EVENTS]
    while sizes[-1] * 10 <= options.events:
        sizes.append(sizes[-1] * 10)
    logs = {size: machine.new_database() for size in sizes}
    for size, conninfo in logs.items():
        fill(conninfo, min(size, MOST_FILLED))
        if size > MOST_FILLED:
            repeat(conninfo, size // MOST_FILLED)
    with desks(list(logs.values()), folder) as of_logs:
        cases = [on_empty_days(desk, size) for size, desk in zip(logs, of_logs, strict=True)]
        return compared(cases, machine.postgres, options.rounds)


def on_empty_days(desk: Desk, size: int) -> Case:
    """Returns the case of redeeming links on a day of their own each."""
    calendar_id = desk.new_calendar(**ALWAYS_OPEN, booking_window_days=365)
    return Case(size, _redeeming(desk, calendar_id, _one_each_day()))


def _versions(desk: Desk, size: int) -> Case:
    """Returns the case of a calendar that has been changed until it has so many versions."""
    calendar = Calendar.create(owner_id=uuid4(), terms=_long_terms(1), actor=ACTOR, now=NOW)
    for version in range(1, size):
        calendar.change(_long_terms(version + 1), version=version, actor=ACTOR, now=NOW)
    desk.services.event_store.record(calendar)
    of_owner = Desk(desk.services, owner_id=calendar.owner_id)
    return Case(size, _redeeming(of_owner, calendar.id, _one_each_day()))


def _bookings(desk: Desk, size: int) -> Case:
    """Returns the case of a day on which so many times of a minute are reserved."""
    owner_id = uuid4()
    of_owner = Desk(desk.services, owner_id=owner_id)
    calendar_id = of_owner.new_calendar(
        **ALWAYS_OPEN, duration_minutes=1, start_increment_minutes=1, booking_window_days=365
    )
    if size:
        day = AgendaDay.open(owner_id, FULL_DAY.date(), actor=ACTOR, now=NOW)
        for minute in range(size):
            slot = Slot(FULL_DAY + minute * A_MINUTE, FULL_DAY + (minute + 1) * A_MINUTE)
            day.reserve(uuid4(), Reservation(slot, NO_TIME, NO_TIME), actor=ACTOR, now=NOW)
        desk.services.event_store.record(day)
    later = (FULL_DAY + minute * A_MINUTE for minute in range(size, 1440))
    return Case(size, _redeeming(of_owner, calendar_id, later if size else _one_each_day()))


def _long_terms(version: int) -> Any:
    first = FULL_DAY.date()
    dates = [(first + timedelta(days=400 + number)).isoformat() for number in range(OVERRIDES)]
    return terms(
        **ALWAYS_OPEN | {"availability": _with_overrides(dates)},
        booking_window_days=365,
        description=f"Version {version}",
    )


def _with_overrides(dates: Sequence[str]) -> Any:
    always: Any = ALWAYS_OPEN["availability"]
    return type(always)(always.weekly, dict.fromkeys(dates, (("09:00", "12:00"),)))


def _one_each_day() -> Iterator[datetime]:
    return (FULL_DAY + timedelta(days=day) for day in range(MOST_REDEEMED))


def _redeeming(desk: Desk, calendar_id: UUID, starts: Iterator[datetime]) -> Callable[[], object]:
    """Returns what redeems a link that was issued before."""
    links = iter(desk.new_links(calendar_id, MOST_REDEEMED))
    return lambda: desk.redeem(next(links), next(starts))


def compared(cases: Sequence[Case], postgres: Kinds, rounds: int) -> dict[str, Any]:
    """Returns for each size the costs in the median, and their ratio to the first one's."""
    for case in cases:
        case.act()
    runs: dict[int, list[dict[str, float]]] = {case.size: [] for case in cases}
    for number in range(rounds):
        for case in cases if number % 2 == 0 else reversed(cases):
            runs[case.size].append(_cost(case, postgres))
    least = [row["cpu_ms"] for row in runs[cases[0].size]]
    return {
        str(size): {
            **medians(rows),
            "ratio": ratio([row["cpu_ms"] for row in rows], least),
        }
        for size, rows in runs.items()
    }


def _cost(case: Case, postgres: Kinds) -> dict[str, float]:
    taken = []
    before = usage.cpu_seconds(postgres)[usage.POSTGRES]
    cpu = process_time()
    for _ in range(REDEEMED):
        begun = perf_counter()
        case.act()
        taken.append(perf_counter() - begun)
    cpu = process_time() - cpu
    cpu += usage.cpu_seconds(postgres)[usage.POSTGRES] - before
    return {"p50_ms": 1000 * median(taken), "cpu_ms": 1000 * cpu / REDEEMED}


@contextmanager
def _desk(conninfo: str, folder: Path) -> Iterator[Desk]:
    with desks([conninfo], folder) as (desk,):
        yield desk


@contextmanager
def desks(conninfos: Sequence[str], folder: Path) -> Iterator[list[Desk]]:
    """Builds services on each database, at the time of the examples."""
    settings = Settings(data=folder, secret_keys=(SECRET,), public_url="https://book.example.org")
    with ExitStack() as stack:
        made = []
        for conninfo in conninfos:
            services = build(settings, conninfo, now=lambda: NOW)
            stack.callback(services.close)
            made.append(Desk(services, owner_id=OWNER))
        yield made
