"""A thread works on whole requests only, and no kind of work takes all threads."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from threading import Event
from typing import Any

import pytest

from interface.runtime import request_front
from interface.runtime.request_front import RequestFront, Share
from interface.wsgi import LARGEST_BODY

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

    def __init__(self, items: list[tuple[str, str]]) -> None:
        self._items = items

    def items(self) -> list[tuple[str, str]]:
        return self._items

    def get(self, name: str) -> str | None:
        return dict(self._items).get(name)


@dataclass
class FakeProtocol:
    """The client's side: what it sends, and what it got."""

    chunks: Iterable[Chunk] = ()
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self.chunks:
            if isinstance(chunk, float):
                await asyncio.sleep(chunk)
            else:
                yield chunk

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.status, self.headers, self.body = status, dict(headers), body

    def response_str(self, status: int, headers: list[tuple[str, str]], body: str) -> None:
        self.response_bytes(status, headers, body.encode())


def echo(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """Answers with what it was asked."""
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


@pytest.mark.parametrize("path", ["/api/v1/links", "/book/api/v1/links", "/links", "/book/links"])
def test_a_body_that_does_not_come_in_time_is_answered_408_without_a_thread(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_front, "BODY_SECONDS", 0.05)
    scope, protocol = sent(b"a", 60.0, content_length="1000")
    scope.path = path
    front = RequestFront(pytest.fail, threads=1, public_path="/book")  # type: ignore[arg-type]
    answer(front, scope, protocol)
    assert protocol.status == 408
    assert protocol.headers["connection"] == "close"
    assert protocol.headers["content-type"].startswith(
        "application/problem+json" if "/api/" in path else "text/plain"
    )


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


def test_a_share_that_is_used_up_refuses_at_once_and_leaves_threads_to_others() -> None:
    is_over = Event()

    def slow(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        if environ["PATH_INFO"] == "/slow":
            assert is_over.wait(30)
        start_response("200 OK", [])
        return [b""]

    async def attack() -> None:
        front = RequestFront(
            slow,
            threads=3,
            shares=[Share(lambda method, path: path == "/slow", threads=2, waiting=1)],
        )
        protocols = [FakeProtocol() for _ in range(5)]
        scopes = [FakeScope("GET", "/slow") for _ in protocols]
        calls = [
            asyncio.create_task(front.__rsgi__(scope, protocol))
            for scope, protocol in zip(scopes, protocols, strict=True)
        ]
        await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.sleep(0.05)
        assert [protocol.status for protocol in protocols] == [0, 0, 0, 503, 503]
        assert protocols[3].headers["retry-after"] == "2"
        honest = FakeProtocol()
        await front.__rsgi__(FakeScope("GET", "/b/token"), honest)
        assert honest.status == 200
        is_over.set()
        await asyncio.gather(*calls)
        assert [protocol.status for protocol in protocols] == [200, 200, 200, 503, 503]

    asyncio.run(attack())
