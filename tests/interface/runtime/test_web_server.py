"""The web server stops its workers, and knows which requests are slow work."""

import re
from typing import Any, cast

import pytest
from flask import Flask

from interface.bootstrap import Services
from interface.runtime import web_server
from interface.runtime.web_server import WebServer
from tests.support.examples import NOW
from tests.support.owner import Owner


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


def test_each_form_with_a_password_goes_to_the_lane_of_passwords(
    app: Flask, services: Services, owner: Owner
) -> None:
    passwords, *_ = web_server.slow_work()
    services.sessions.set_password(owner.account, "correct horse battery", now=NOW)
    signed_in = app.test_client()
    signed_in.post("/", data={"email": owner.account.email, "password": "correct horse battery"})
    for page in (app.test_client().get("/"), signed_in.get("/settings/access")):
        forms = re.findall(r'<form method="post" action="([^"]*)"(.*?)</form>', page.text, re.S)
        actions = [action for action, fields in forms if 'type="password"' in fields]
        assert [passwords.matches("POST", action) for action in actions] == [True]
    for method, path in (("GET", "/"), ("POST", "/b/token"), ("POST", "/account")):
        assert not passwords.matches(method, path)
