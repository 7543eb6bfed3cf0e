"""A projector in this process."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

import psycopg
from psycopg.rows import dict_row

from application.eventstore.mapper import JSONMapper
from projections.catalogue import CATALOGUE
from projections.engine.runner import Runner
from tests.support.waiting import wait_until

MAPPER = JSONMapper()


def apply_log(conninfo: str) -> None:
    """Applies what is in the log to all views, here and now."""
    runner = Runner(conninfo, CATALOGUE, MAPPER)
    with psycopg.connect(conninfo, autocommit=True, row_factory=dict_row) as conn:
        while runner.catch_up(conn):
            pass
    assert runner.stuck == {}


@contextmanager
def running_projector(conninfo: str) -> Iterator[None]:
    """Keeps all views up within the block."""
    stop = Event()
    runner = Runner(conninfo, CATALOGUE, MAPPER)
    thread = Thread(target=runner.run, args=(stop,))
    thread.start()
    try:
        wait_until(runner.is_at_work.is_set)
        yield
    finally:
        stop.set()
        thread.join()
