"""A service on its own database that tests stop, kill and start again."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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

    def stop(self) -> None:
        """Stops the service once it is ready, unless it has ended already."""
        if self.service.process.poll() is None:
            stop_service(self.running())

    def processes(self) -> list[Process]:
        """Returns all processes of the service."""
        return family(self.service.process.pid)

    def process(self, name: str) -> Process:
        """Returns the first of the processes with this name."""
        return next(process for process in self.processes() if process.name == name)


@contextmanager
def restartable_service(data: Path) -> Iterator[RestartableService]:
    """Starts a service in the folder, and stops it in the end."""
    restartable = RestartableService(data)
    try:
        yield restartable
    finally:
        stop_service(restartable.service)
    assert "Traceback" not in (data / "service.log").read_text()
