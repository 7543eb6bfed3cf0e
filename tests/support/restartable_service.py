"""A service on its own database that tests stop, kill and start again."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from interface.runtime.embedded_postgres import EmbeddedPostgres
from tests.support.processes import Process, family
from tests.support.service import (
    Service,
    start_again,
    start_service,
    stop_service,
    wait_until_ready,
)


class RestartableService:
    """A data folder, and the service that runs on it.

    Starts are slow, so tests share one of these. Each may leave the service running or not.
    """

    def __init__(self, data: Path) -> None:
        self.data = data
        self.service = start_service(data, None)

    def starting(self) -> Service:
        """Starts the process unless it runs, and returns the service, which may not be ready."""
        if self.service.process.poll() is not None:
            self.service = start_again(self.service)
        return self.service

    def running(self) -> Service:
        """Returns the service once it is ready."""
        service = self.starting()
        wait_until_ready(service)
        return service

    def processes(self) -> list[Process]:
        """Returns all processes of the service."""
        return family(self.service.process.pid)

    def process(self, name: str) -> Process:
        """Returns the first of the processes with this name."""
        return next(process for process in self.processes() if process.name == name)

    def kill(self) -> None:
        """Kills all processes, the supervisor first, so that none is started again."""
        processes = self.processes()
        self.service.process.kill()
        for process in processes:
            process.kill()
        self.service.process.wait()

    def bookings(self) -> list[str]:
        """Returns the ids of all bookings in the log."""
        with psycopg.connect(EmbeddedPostgres(self.data / "postgres").conninfo) as conn:
            made = conn.execute("SELECT id FROM log WHERE topic = 'booking.made'")
            return [str(booking_id) for (booking_id,) in made]


@contextmanager
def restartable_service(data: Path) -> Iterator[RestartableService]:
    """Starts a service in the folder, and stops it in the end."""
    restartable = RestartableService(data)
    try:
        yield restartable
    finally:
        stop_service(restartable.service)
    assert "Traceback" not in (data / "service.log").read_text()
