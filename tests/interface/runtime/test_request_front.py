"""A thread works on whole requests only, and slow work leaves the threads of all others alone."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from granian.rsgi import ProtocolError  # type: ignore[attr-defined]

from interface.runtime import request_front
from interface.runtime.lanes import Lane
from interface.runtime.request_front import UNREADABLE, RequestFront, SlowWork
from interface.web.problems import REFUSAL, TooManySignIns
from interface.web.request_context import LARGEST_BODY

Chunk = bytes | float
"""What a client sends: bytes, or nothing for so many seconds."""


@dataclass
class FakeScope:
    """A request as the web server hands it over."""

    method: str = "POST"
    path: str = "/b/token"
    query_string: str = "tz=UTC"
    scheme: str = "http"
    http_version: str = "1.1"
    client: str = "[2001:db8::1]:4321"
    server: str = "127.0.0.1:8000"
    headers: Any = field(default_factory=lambda: FakeHeaders([("host", "example.org")]))


class FakeHeaders:
    """Headers with lower-case names, which may occur twice."""

    def __init__(self, items: list[tuple[str, str]], unreadable: tuple[str, ...] = ()) -> None:
        self._items = items
        self._unreadable = unreadable

    def keys(self) -> list[str]:
        return [*dict(self._items), *self._unreadable]

    def items(self) -> list[tuple[str, str]]:
        return self._items

    def get(self, name: str, default: str | None = None) -> str | None:
        return dict(self._items).get(name, default)


@dataclass
class FakeProtocol:
    """The client's side: what it sends, and what it got."""

    chunks: Iterable[Chunk] = ()
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    async def __call__(self) -> bytes:
        return b"".join([chunk async for chunk in self])

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self.chunks:
            if isinstance(chunk, float):
                await asyncio.sleep(chunk)
            else:
                yield chunk

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.status, self.headers, self.body = status, dict(headers), body

    def response_empty(self, status: int, headers: list[tuple[str, str]]) -> None:
        self.response_bytes(status, headers, b"")


def echo(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """Answers with what it was asked, or with the name of its refusal."""
    if REFUSAL in environ:
        refusal = type(environ[REFUSAL]).__name__
        statuses = {"RequestTimeout": "408 ...", "LengthRequired": "411 ..."}
        start_response(statuses.get(refusal, "503 ..."), [])
        return [refusal.encode()]
    start_response("200 OK", [("Content-Type", "application/json")])
    shown = {name: value for name, value in environ.items() if isinstance(value, str)}
    body = environ["wsgi.input"].read()
    return [json.dumps(shown | {"body": body.decode()}).encode()]


def answer(front: RequestFront, scope: FakeScope, protocol: FakeProtocol) -> FakeProtocol:
    asyncio.run(front.__rsgi__(scope, protocol))
    return protocol


def sent(*chunks: Chunk, **headers: str) -> tuple[FakeScope, FakeProtocol]:
    items = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return FakeScope(headers=FakeHeaders(items)), FakeProtocol(chunks)


@pytest.mark.parametrize("headers", [{"content_length": "10"}, {"transfer_encoding": "chunked"}])
def test_a_body_is_gathered_before_the_application_sees_it(headers: dict[str, str]) -> None:
    scope, protocol = sent(b"hello", 0.001, b"world", **headers)
    got = json.loads(answer(RequestFront(echo, threads=1), scope, protocol).body)
    assert (got["body"], got["CONTENT_LENGTH"]) == ("helloworld", "10")


def test_the_application_never_sees_a_body_that_ended_early() -> None:
    scope, protocol = sent(b"hello", content_length="10")
    assert answer(RequestFront(pytest.fail, threads=1), scope, protocol).status == 0  # type: ignore[arg-type]


def test_the_application_never_sees_a_body_whose_connection_broke() -> None:
    class Broken(FakeProtocol):
        async def __call__(self) -> bytes:
            raise ProtocolError

    scope, _ = sent(content_length="10")
    assert answer(RequestFront(pytest.fail, threads=1), scope, Broken()).status == 0  # type: ignore[arg-type]


def test_a_body_that_does_not_come_in_time_is_refused_and_its_connection_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(request_front, "BODY_SECONDS", 0.05)
    scope, protocol = sent(b"a", 60.0, content_length="1000")
    answer(RequestFront(echo, threads=1), scope, protocol)
    assert (protocol.status, protocol.body) == (408, b"RequestTimeout")
    assert protocol.headers["connection"] == "close"


def test_a_form_without_its_length_is_refused_because_it_may_have_been_cut_off() -> None:
    form = "application/x-www-form-urlencoded; charset=utf-8"
    scope, protocol = sent(b"name=A", transfer_encoding="chunked", content_type=form)
    answer(RequestFront(echo, threads=1), scope, protocol)
    assert (protocol.status, protocol.body) == (411, b"LengthRequired")


@pytest.mark.parametrize("headers", [{"content_length": str(10**9)}, {"transfer_encoding": "x"}])
def test_of_a_body_that_is_too_large_the_application_sees_only_the_length(
    headers: dict[str, str],
) -> None:
    chunks = [b"x" * 1024] * 1024
    scope, protocol = sent(*chunks, **headers)
    got = json.loads(answer(RequestFront(echo, threads=1), scope, protocol).body)
    assert got["body"] == ""
    assert int(got["CONTENT_LENGTH"]) > LARGEST_BODY


def test_the_environment_is_that_of_pep_3333() -> None:
    items = [("host", "example.org"), ("cookie", "a=1"), ("cookie", "b=2"), ("x_forged", "1")]
    scope = FakeScope(method="GET", path="/b/é x", headers=FakeHeaders(items))
    got = json.loads(answer(RequestFront(echo, threads=1), scope, FakeProtocol()).body)
    assert got["PATH_INFO"].encode("latin-1").decode() == "/b/é x"
    assert got["HTTP_COOKIE"] == "a=1; b=2"
    assert got["REMOTE_ADDR"] == "2001:db8::1"
    assert (got["SERVER_NAME"], got["SERVER_PORT"]) == ("127.0.0.1", "8000")
    assert "HTTP_X_FORGED" not in got  # would pass for X-Forged


def test_a_header_that_cannot_be_read_is_not_taken_for_one_that_is_missing() -> None:
    headers = FakeHeaders([("host", "example.org")], ("idempotency-key", "cookie", "x_forged"))
    scope = FakeScope(method="GET", headers=headers)
    got = json.loads(answer(RequestFront(echo, threads=1), scope, FakeProtocol()).body)
    assert got["HTTP_IDEMPOTENCY_KEY"] == UNREADABLE
    assert (got["HTTP_HOST"], "HTTP_COOKIE" in got) == ("example.org", False)
    assert "HTTP_X_FORGED" not in got


class Held:
    """An application that answers /slow only after `is_over` is set."""

    def __init__(self) -> None:
        self.has_begun, self.is_over = Event(), Event()

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Answers in a while."""
        if environ["PATH_INFO"].endswith("/slow") and REFUSAL not in environ:
            self.has_begun.set()
            assert self.is_over.wait(30)
        return echo(environ, start_response)


async def begin(
    front: RequestFront, path: str, count: int, *, refused: int
) -> tuple[list[asyncio.Task[None]], list[FakeProtocol]]:
    """Sends so many requests and waits until so many are refused."""
    protocols = [FakeProtocol() for _ in range(count)]
    tasks = [
        asyncio.create_task(front.__rsgi__(FakeScope("GET", path), protocol))
        for protocol in protocols
    ]
    while sum(task.done() for task in tasks) < refused:
        await asyncio.wait(
            [task for task in tasks if not task.done()], return_when=asyncio.FIRST_COMPLETED
        )
    return tasks, protocols


@pytest.mark.parametrize("path", ["/slow", "/book/slow"])
def test_slow_work_beyond_its_lane_is_refused_at_once_and_others_are_served(path: str) -> None:
    app = Held()

    async def attack() -> None:
        lane = Lane("slow", threads=2, waiting=1)
        slow = SlowWork(lambda method, path: path == "/slow", lane, TooManySignIns)
        front = RequestFront(app, threads=1, public_path="/book", slow_work=[slow])
        tasks, protocols = await begin(front, path, 5, refused=2)
        assert [protocol.status for protocol in protocols] == [0, 0, 0, 503, 503]
        assert protocols[3].body == b"TooManySignIns"
        honest = FakeProtocol()
        await front.__rsgi__(FakeScope("GET", "/b/token"), honest)
        assert honest.status == 200
        app.is_over.set()
        await asyncio.gather(*tasks)
        assert [protocol.status for protocol in protocols] == [200, 200, 200, 503, 503]

    asyncio.run(attack())


def test_too_many_requests_of_any_kind_are_refused_as_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(request_front, "MOST_WAITING", 1)
    app = Held()

    async def attack() -> None:
        tasks, protocols = await begin(RequestFront(app, threads=1), "/slow", 3, refused=1)
        assert [protocol.status for protocol in protocols] == [0, 0, 503]
        assert protocols[2].body == b"Overloaded"
        app.is_over.set()
        await asyncio.gather(*tasks)

    asyncio.run(attack())


def test_an_error_of_the_application_costs_no_thread() -> None:
    def broken(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        if environ["PATH_INFO"] == "/broken":
            raise ZeroDivisionError
        return echo(environ, start_response)

    async def ask() -> int:
        front = RequestFront(broken, threads=1)
        with pytest.raises(ZeroDivisionError):
            await front.__rsgi__(FakeScope("GET", "/broken"), FakeProtocol())
        protocol = FakeProtocol()
        await front.__rsgi__(FakeScope("GET", "/b/token"), protocol)
        return protocol.status

    assert asyncio.run(ask()) == 200


async def turns() -> None:
    """Gives every task of the event loop twenty turns."""
    for _ in range(20):
        await asyncio.sleep(0.01)


def test_a_worker_beats_while_its_threads_finish_requests_and_not_while_they_hang(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(request_front, "BEAT_SECONDS", 0.01)
    beats: list[Path] = []
    monkeypatch.setattr(request_front, "beat", beats.append)
    app = Held()

    async def watch() -> None:
        front = RequestFront(app, threads=1, heartbeats=tmp_path)
        front.__rsgi_init__(asyncio.get_running_loop())
        while not beats:
            await asyncio.sleep(0.01)
        hanging = asyncio.create_task(front.__rsgi__(FakeScope("GET", "/slow"), FakeProtocol()))
        while not app.has_begun.is_set():
            await asyncio.sleep(0.01)
        await turns()  # a probe that went before it may still be noticed
        beats.clear()
        await turns()
        assert beats == []
        app.is_over.set()
        await hanging
        while not beats:
            await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(watch(), 30))
