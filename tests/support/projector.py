"""A projector at work in this process."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from application.eventstore.mapper import JSONMapper
from projections.catalogue import CATALOGUE
from projections.engine.runner import Runner
from tests.support.service import wait_until


@contextmanager
def at_work(conninfo: str) -> Iterator[None]:
    """Within, a runner keeps all views up."""
    stop = Event()
    runner = Runner(conninfo, CATALOGUE, JSONMapper())
    thread = Thread(target=runner.run, args=(stop,))
    thread.start()
    try:
        wait_until(runner.is_at_work.is_set)
        yield
    finally:
        stop.set()
        thread.join()
