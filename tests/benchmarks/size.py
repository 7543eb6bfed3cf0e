"""A log of a given length, whole: its bytes, its rebuild, its verification, and commands on it.

One database is filled once and used for everything, so that ten million events can be measured in
half an hour. Commands are measured beside the same ones on a log of 10,000 events, round by round.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import psycopg

from application.commands.new_link import NewLink
from domain.link import LinkStatus
from projections.catalogue import CATALOGUE
from projections.views.calendar_list import CALENDARS
from projections.views.link_list import links_of
from tests.benchmarks import growth, views
from tests.benchmarks.growth import Case, compared, desks, on_empty_days
from tests.benchmarks.long_log import fill
from tests.benchmarks.machine import Machine
from tests.benchmarks.options import Options
from tests.support.desk import ALWAYS_OPEN, Desk
from tests.support.examples import NOW

GROUPS = {
    "log": ("stored_events",),
    "personal data": ("personal_data",),
    "proofs": ("transparency_",),
    "views": ("",),
}
"""The part that a table belongs to, by the first beginning of its name that fits."""
OWNERS_ASKED = 100
_PAGES: dict[str, dict[str, Any]] = {
    "first page": {"now": NOW, "limit": 50},
    "active only": {"now": NOW, "limit": 50, "status": LinkStatus.ACTIVE},
    "search": {"now": NOW, "limit": 50, "q": "person 77"},
}


def measure(options: Options, machine: Machine, folder: Path) -> dict[str, Any]:
    """Returns what a log of `options.events` takes and costs."""
    empty, long = machine.new_database(), machine.new_database()
    fill(empty, growth.FEWEST_EVENTS)
    begun = perf_counter()
    fill(long, options.events)
    filled = options.events / (perf_counter() - begun)
    _add_personal_data(long)
    begun = perf_counter()
    _, memory = views.rebuild(long, *(view.name for view in CATALOGUE))
    rebuilt = options.events / (perf_counter() - begun)
    found = {
        "events": options.events,
        "filled_events_per_second": filled,
        "rebuilt_events_per_second": rebuilt,
        "rebuild_memory_mb": memory,
        "evidence": views.proofs(long, folder),
        "bytes_an_event": _bytes(long, options.events),
    }
    with desks([empty, long], folder) as both:
        sizes = (growth.FEWEST_EVENTS, options.events)
        for name, case in {"redeem": on_empty_days, "issue": _issuing}.items():
            cases = [case(desk, size) for size, desk in zip(sizes, both, strict=True)]
            found[name] = compared(cases, machine.postgres, options.rounds)
        found["links_page_ms"] = _links_page_ms(both[1])
    return found


def _issuing(desk: Desk, size: int) -> Case:
    calendar_id = desk.new_calendar(**ALWAYS_OPEN)
    return Case(size, lambda: desk.issue(calendar_id, NewLink()))


def _add_personal_data(conninfo: str) -> None:
    """Adds a row for each link and booking, with as much text as people type."""
    with psycopg.connect(conninfo, autocommit=True) as conn:
        conn.execute(
            """INSERT INTO personal_data (originator_id, originator_version, salt, data, language)
            SELECT originator_id, originator_version, decode(md5(originator_id::text), 'hex'),
                CASE topic WHEN 'link.issued'
                    THEN jsonb_build_object('recipient', 'Person ' || notification_id, 'note', '')
                    ELSE jsonb_build_object('name', 'Person ' || notification_id,
                        'email', 'person' || notification_id || '@example.org',
                        'time_zone', 'Europe/Berlin', 'notes', '')
                END, 'en'
            FROM stored_events WHERE topic IN ('link.issued', 'booking.made')"""
        )
        conn.execute("VACUUM ANALYZE personal_data")


def _bytes(conninfo: str, events: int) -> dict[str, float]:
    """Returns the bytes an event of each group of tables, with their indexes."""
    found = dict.fromkeys(GROUPS, 0.0)
    with psycopg.connect(conninfo) as conn:
        for name, size in conn.execute(
            """SELECT relname, pg_total_relation_size(oid) FROM pg_class
            WHERE relkind = 'r' AND relnamespace::regnamespace::text
                NOT IN ('pg_catalog', 'information_schema')"""
        ):
            group = next(group for group, begins in GROUPS.items() if str(name).startswith(begins))
            found[group] += size / events
    return found


def _links_page_ms(desk: Desk) -> dict[str, float]:
    """Returns the milliseconds of the first page of links, over owners, and of a search there."""
    database = desk.services.database
    owners = database.fetch_all(
        f"SELECT DISTINCT owner_id FROM {CALENDARS.name} LIMIT {OWNERS_ASKED}"  # noqa: S608
    )

    def milliseconds(asked: dict[str, Any]) -> list[float]:
        return [
            _milliseconds(partial(links_of, database, row["owner_id"], **asked)) for row in owners
        ]

    return {name: median(milliseconds(asked)) for name, asked in _PAGES.items()}


def _milliseconds(act: Callable[[], object]) -> float:
    begun = perf_counter()
    act()
    return 1000 * (perf_counter() - begun)
