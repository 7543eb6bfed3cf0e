"""The tools over HTTP, driven by the protocol's own client against a running service."""

import contextlib
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from subprocess import PIPE, Popen
from typing import Any

import anyio
import httpx2
import pytest
from anyio.abc import ByteReceiveStream
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from interface.agents import http_server
from interface.agents.http_server import LARGEST_BODY, MOST_AT_ONCE, PATH, serve
from interface.agents.service_client import ServiceClient
from tests.interface.agents.talk import answer, printed, words
from tests.support.command_line import Command
from tests.support.service import Service

LISTING = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
JSON = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}


def served(service_url: str, talk: Callable[[str], Awaitable[None]]) -> None:
    """Serves the tools over HTTP while somebody talks to the server at an address."""

    async def serve_while_talking() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            host = f"127.0.0.1:{listener.getsockname()[1]}"
            async with anyio.create_task_group() as group:
                group.start_soon(
                    partial(serve, service_url, listener, hosts=[host], reads_only=False)
                )
                await talk(f"http://{host}{PATH}")
                group.cancel_scope.cancel()

    anyio.run(serve_while_talking)


def with_key(key: str) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(headers={"Authorization": f"Bearer {key}"}, timeout=30)


@pytest.fixture(scope="module")
def reader(service: Service) -> str:
    """A key that may read calendars, and nothing else."""
    return printed(
        service, "keys", "create", "--account", "owner@localhost", "--scope", "calendars"
    )


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_each_request_may_do_what_its_own_key_may(service: Service, reader: str, mode: Any) -> None:
    calendar_id = service.new_calendar()

    async def talk(url: str) -> None:
        async with (
            with_key(service.key) as http,
            Client(streamable_http_client(url, http_client=http), mode=mode) as owner,
            with_key(reader) as other_http,
            Client(streamable_http_client(url, http_client=other_http), mode=mode) as other,
        ):
            tools = {tool.name for tool in (await other.list_tools()).tools}
            assert {"list_calendars", "book"} <= tools
            assert "issue_link" not in tools
            wanted = {"calendar_id": calendar_id, "recipient": f"By HTTP, {mode}"}
            link = await answer(owner, "issue_link", **wanted)
            listed = await answer(owner, "list_links", search=wanted["recipient"])
            assert [each["id"] for each in listed["items"]] == [link["id"]]
            assert await answer(owner, "issue_link", **wanted) == link
            refused = await other.call_tool("revoke_link", {"link_id": link["id"]})
            assert words(refused).startswith("There is no tool revoke_link for this key.")

    served(service.url, talk)


def test_what_comes_without_a_key_from_another_site_or_too_large_is_refused(
    service: Service,
) -> None:
    async def talk(url: str) -> None:
        async with with_key(service.key) as http:

            async def status(method: str = "POST", at: str = url, **headers: str) -> int:
                response = await http.request(method, at, headers=JSON | headers, json=LISTING)
                return response.status_code

            for authorization in ("", "Basic b3duZXI6", "Bearer ao_0_0"):
                response = await http.post(
                    url, headers=JSON | {"Authorization": authorization}, json=LISTING
                )
                assert response.status_code == 401
                assert response.headers["WWW-Authenticate"].startswith("Bearer")
            assert await status() == 200
            assert await status(Origin="https://elsewhere.example.org") == 403
            assert await status(Host="rebound.example.org") == 421
            assert await status(at=url + "/other") == 404
            for method in ("GET", "DELETE", "PUT"):
                assert await status(method) == 405
            large = LISTING | {"params": {"x": "x" * LARGEST_BODY}}
            assert (await http.post(url, headers=JSON, json=large)).status_code == 413

            async def parts() -> Any:
                for _ in range(LARGEST_BODY // 4096 + 1):
                    yield b" " * 4096

            assert (await http.post(url, headers=JSON, content=parts())).status_code == 413

    served(service.url, talk)


def test_without_a_valid_key_nobody_is_told_where_the_service_is() -> None:
    async def talk(url: str) -> None:
        async with with_key("ao_0_0") as http:
            response = await http.post(url, headers=JSON, json=LISTING)
            assert response.status_code == 503
            assert response.text == "The service can't answer right now. Try again later."

    served("http://127.0.0.1:1", talk)


def test_whoever_sends_no_whole_request_is_sent_away(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_server, "REQUEST_SECONDS", 0.2)
    head = b"POST /mcp HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n"

    async def talk(url: str) -> None:
        port = int(url.split(":")[2].partition("/")[0])
        for sent in (b"", b"POST /mcp HT", head + b"{"):
            async with await anyio.connect_tcp("127.0.0.1", port) as stream:
                if sent:
                    await stream.send(sent)
                await read_to_the_end(stream)
        monkeypatch.undo()
        async with with_key(service.key) as http:
            assert (await http.post(url, headers=JSON, json=LISTING)).status_code == 200

    served(service.url, talk)


@pytest.mark.parametrize("sent", [b"POST /mcp HT", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"])
def test_connections_on_which_nothing_is_asked_keep_nobody_out(
    service: Service, sent: bytes
) -> None:
    async def talk(url: str) -> None:
        port = int(url.split(":")[2].partition("/")[0])
        async with contextlib.AsyncExitStack() as silent, with_key(service.key) as http:
            for _ in range(MOST_AT_ONCE):
                stream = await anyio.connect_tcp("127.0.0.1", port)
                await silent.enter_async_context(stream)
                await stream.send(sent)
            for _ in range(3):
                assert (await http.post(url, headers=JSON, json=LISTING)).status_code == 200

    served(service.url, talk)


async def read_to_the_end(stream: ByteReceiveStream) -> None:
    """Reads whatever comes, until the other side has closed the connection."""
    with anyio.fail_after(20), contextlib.suppress(anyio.EndOfStream, anyio.BrokenResourceError):
        while True:
            await stream.receive()


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGTERM, -signal.SIGTERM), (signal.SIGINT, 130)]
)
def test_the_command_says_where_assistants_reach_it_and_ends_when_it_is_told_to(
    service: Service, reader: str, number: signal.Signals, status: int
) -> None:
    command = [sys.executable, "-m", "interface.cli", "mcp", "--http", "--bind", "127.0.0.1:0"]
    environment = {"ADMITONE_MCP_URL": service.url, "PYTHONPATH": ":".join(sys.path)}
    with Popen(command, env=environment, stderr=PIPE, text=True) as process:
        assert process.stderr is not None
        url = process.stderr.readline().split()[-1].rstrip(".")
        headers = JSON | {"Authorization": f"Bearer {reader}"}
        assert httpx2.post(url, headers=headers, json=LISTING, timeout=30).status_code == 200
        process.send_signal(number)
        assert process.stderr.read() == ""
    assert process.returncode == status


def test_options_win_over_the_environment(run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[str | None] = []

    def run_server(client: ServiceClient, *, link: str | None, reads_only: bool) -> None:
        started.append(link)

    monkeypatch.setattr("interface.agents.server.run", run_server)
    monkeypatch.setenv("ADMITONE_KEY", "ao_0_0")
    url = ("--url", "http://127.0.0.1:1")
    assert run("mcp", *url, "--link", "one").status == 0
    assert run("mcp", *url).status == 0
    assert started == ["one", None]
    assert "Can't listen" in run("mcp", *url, "--http", "--bind", "192.0.2.1:0").err


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--http", "--key", "ao_0_0"], "With --http, each request brings its key"),
        (["--http", "--bind", "8765"], "--bind needs an address and a port, such as"),
        (["--http", "--bind", "192.0.2.1:0"], "Can't listen on 192.0.2.1:0"),
        ([], "Give either a key or a link."),
    ],
)
def test_what_the_command_can_not_do_it_says_in_words(
    run: Command, options: list[str], sentence: str
) -> None:
    done = run("mcp", "--url", "http://127.0.0.1:1", *options)
    assert done.status != 0
    assert sentence in done.err
