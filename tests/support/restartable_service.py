"""One data folder with its own database, and the service that runs on it now and then."""

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


class Home:
    """Starts are slow, so tests share one home, and each leaves it as it likes."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.service = start_service(data, None)

    def starting(self) -> Service:
        """The service, its process started if it had ended."""
        if self.service.process.poll() is not None:
            self.service = start_again(self.service)
        return self.service

    def running(self) -> Service:
        """The service, ready."""
        service = self.starting()
        wait_until_ready(service)
        return service

    def processes(self) -> list[Process]:
        """All that the service consists of."""
        return family(self.service.process.pid)

    def process(self, command: str) -> Process:
        """The first of the service's processes with this in its command."""
        return next(p for p in self.processes() if command in p.command)

    def kill(self) -> None:
        """Everything at once, the first process first, so that nothing is started again."""
        processes = self.processes()
        self.service.process.kill()
        for process in processes:
            process.kill()
        self.service.process.wait()

    def bookings(self) -> list[str]:
        """The ids of all bookings that were ever made, from the log."""
        with psycopg.connect(EmbeddedPostgres(self.data / "postgres").conninfo) as conn:
            made = conn.execute("SELECT id FROM log WHERE topic = 'booking.made'")
            return [str(booking_id) for (booking_id,) in made]


@contextmanager
def new_home(data: Path) -> Iterator[Home]:
    """A home in the folder, whose service is stopped in the end."""
    home = Home(data)
    try:
        yield home
    finally:
        stop_service(home.service)
    assert "Traceback" not in (data / "service.log").read_text()


def book(service: Service) -> str:
    """The id of a booking that was acknowledged just now."""
    (link,) = service.new_links(service.new_calendar(), 1)
    answer = service.redeem(link["token"], service.slots(link["token"])[0])
    assert answer.status == 201, answer
    booking_id: str = answer.body["booking_id"]
    return booking_id
