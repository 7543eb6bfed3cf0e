"""How long it takes from the writing of an event, with its commit, until every view shows it."""

from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread
from time import sleep
from typing import Any

import psycopg

from tests.benchmarks.ratios import percentile

SECONDS_BETWEEN_LOOKS = 0.001
# With the server's time: this process may have to wait before it gets the answer.
_SHOWN = """
    SELECT min(position), extract(epoch FROM clock_timestamp())::float8 FROM projection_positions"""
_WRITTEN = """
    SELECT notification_id, extract(epoch FROM recorded_at)::float8 FROM stored_events
    WHERE notification_id > %s AND notification_id <= %s"""
_HEAD = "SELECT coalesce(max(notification_id), 0) FROM stored_events"


@dataclass
class Watch:
    """At which times all views had reached which positions, and how long events waited for it."""

    times: list[float] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def milliseconds(self) -> dict[str, float]:
        """Returns the waits of all events that were written meanwhile."""
        return {f"p{each}_ms": 1000 * percentile(self.seconds, each) for each in (50, 99)}


@contextmanager
def watched(conninfo: str) -> Iterator[Watch]:
    """Watches the views on this machine during the block, and then until they show everything."""
    watch, written_all = Watch(), Event()
    with psycopg.connect(conninfo, autocommit=True) as conn:
        before = _number(conn, _HEAD)

        def look() -> None:
            while not (written_all.is_set() and watch.positions[-1] >= _number(conn, _HEAD)):
                [(position, seen_at)] = conn.execute(_SHOWN)
                watch.positions.append(position)
                watch.times.append(seen_at)
                sleep(SECONDS_BETWEEN_LOOKS)

        looking = Thread(target=look)
        looking.start()
        try:
            yield watch
        finally:
            written_all.set()
            looking.join()
        for position, written_at in conn.execute(_WRITTEN, (before, watch.positions[-1])):
            shown_at = watch.times[bisect_left(watch.positions, position)]
            watch.seconds.append(shown_at - written_at)


def _number(conn: psycopg.Connection[tuple[Any, ...]], query: str) -> int:
    row = conn.execute(query.encode()).fetchone()
    assert row is not None
    number: int = row[0]
    return number
