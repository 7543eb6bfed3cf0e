"""The web server stops its workers: it asks again, and in the end it kills them."""

from typing import Any, cast

import pytest

from interface.runtime import web_server
from interface.runtime.web_server import WebServer


class Worker:
    """A worker that ends at the given request to stop, or only when it is killed."""

    def __init__(self, stops_at: int | None) -> None:
        self.stops_at = stops_at
        self.requests = 0
        self.killed = False

    def is_alive(self) -> bool:
        return not self.killed and self.requests != self.stops_at

    def terminate(self) -> None:
        if self.is_alive():
            self.requests += 1

    def kill(self) -> None:
        self.killed = True


def stop(*workers: Worker) -> None:
    """Lets a server stop these workers."""
    server = WebServer("interface.wsgi:create_app")
    server.wrks[:] = cast(Any, workers)
    server._stop_workers()
    assert not any(worker.is_alive() for worker in workers)


def test_a_worker_that_missed_a_signal_gets_another() -> None:
    once, twice = Worker(stops_at=1), Worker(stops_at=2)
    stop(once, twice)
    assert not once.killed
    assert not twice.killed


def test_a_worker_that_does_not_stop_in_time_is_killed(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(web_server, "KILL_SECONDS", 0)
    stop(stubborn := Worker(stops_at=None))
    assert stubborn.killed
    assert caplog.messages == ["Killing web workers that did not stop in 0 seconds."]
