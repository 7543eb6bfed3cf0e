"""The MCP server over HTTP ("Streamable HTTP"): each request brings its own API key.

It is a process of its own, beside the service: the protocol's library is asynchronous, while the
service answers with threads, and this one needs neither database nor keys of the installation.

Nothing is stored about a client. So each request is answered alone, by any process: there are no
sessions to fill the memory or to be taken over, and no streams that are held open. A key is checked
with the service before anything else of a request is read.
"""

import asyncio
import socket
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from threading import Lock
from typing import Any, cast

import anyio
import anyio.to_thread
import uvicorn
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecurityMiddleware, TransportSecuritySettings
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from interface.agents.server import Access, Context, server_of
from interface.agents.service_client import Refused, ServiceClient
from interface.agents.tools import tools_for

PATH = "/mcp"
LARGEST_BODY = 256 * 1024  # bytes
MOST_AT_ONCE = 100
"""So many connections at a time. If all of them wait for an answer, others are told so by a 503."""
REQUEST_SECONDS = 10.0
"""For so long a client may take to send a whole request. Then the connection is closed."""
MOST_REMEMBERED = 1000

_ACCESS = "admit_one.access"


def run(url: str, listener: socket.socket, *, hosts: Sequence[str], reads_only: bool) -> None:
    """Serves the tools of the service at `url` until the process is told to stop.

    `hosts` are the names by which clients reach it, such as that of a proxy, with their ports.
    """
    anyio.run(partial(serve, url, listener, hosts=hosts, reads_only=reads_only))


async def serve(
    url: str, listener: socket.socket, *, hosts: Sequence[str], reads_only: bool
) -> None:
    """Serves until the process is told to stop, or the task is cancelled."""
    manager = StreamableHTTPSessionManager(
        server_of(_access_of_request),
        json_response=True,
        stateless=True,
        max_request_body_size=LARGEST_BODY,
    )
    config = uvicorn.Config(
        _Entrance(url, reads_only, _hosts_allowed(hosts), manager),
        http=_Connection,
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        limit_concurrency=MOST_AT_ONCE,
        timeout_graceful_shutdown=5,
    )
    server = uvicorn.Server(config)
    with server.capture_signals():  # hands a signal on once the manager's tasks have ended
        async with manager.run():
            await server.serve([listener])


def _access_of_request(context: Context) -> Access:
    request: Any = context.request
    access: Access = request.scope[_ACCESS]
    return access


def _hosts_allowed(hosts: Sequence[str]) -> TransportSecurityMiddleware:
    """Returns the check that refuses requests from pages of other sites, whatever name they use.

    A browser says in `Host` by which name it found it, and in `Origin` whose page asks.
    """
    origins = [f"{scheme}://{host}" for host in hosts for scheme in ("http", "https")]
    return TransportSecurityMiddleware(
        TransportSecuritySettings(allowed_hosts=list(hosts), allowed_origins=origins)
    )


class _Connection(H11Protocol):
    """A connection that ends if a client does not send a whole request in time.

    The library's stays open for whoever sends nothing, and for whoever sends slowly. If there are
    too many, the one whose time is over first ends at once, so that nobody keeps others out by
    connections on which nothing is asked.
    """

    _overdue: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Gives the first request its time."""
        super().connection_made(transport)
        self._watch()
        self._make_room()

    def data_received(self, data: bytes) -> None:
        """Takes a part of a request, which may be its last or begin the next one."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Ends the watch."""
        self._end_watch()
        super().connection_lost(exc)

    def _watch(self) -> None:
        cycle = self.cycle
        if cycle is not None and not (cycle.more_body or cycle.response_complete):
            self._end_watch()  # a whole request is here, and is being answered
        elif self._overdue is None:
            self._overdue = self.loop.call_later(REQUEST_SECONDS, self.transport.close)

    def _make_room(self) -> None:
        connections = cast("set[_Connection]", self.connections)
        if len(connections) >= MOST_AT_ONCE:
            waits = {each: wait.when() for each in connections - {self} if (wait := each._wait())}
            if waits:
                first = min(waits, key=waits.__getitem__)
                first._end_watch()
                first.transport.close()

    def _wait(self) -> asyncio.TimerHandle | None:
        """Returns what ends the connection, while it is waited for its first or next request."""
        return self._overdue or self.timeout_keep_alive_task

    def _end_watch(self) -> None:
        if self._overdue is not None:
            self._overdue.cancel()
            self._overdue = None


@dataclass
class _Entrance:
    """The application: refuses what may not be answered, and finds out what each key may do."""

    url: str
    reads_only: bool
    allowed: TransportSecurityMiddleware
    manager: StreamableHTTPSessionManager
    clients: "_Clients" = field(init=False)

    def __post_init__(self) -> None:
        self.clients = _Clients(self.url)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope)
        refusal = await self._refusal(request) or await self._refusal_of_key(request)
        if refusal is not None:
            await refusal(scope, receive, send)
        else:
            await self.manager.handle_request(scope, receive, send)

    async def _refusal(self, request: Request) -> Response | None:
        if request.url.path != PATH:
            return PlainTextResponse(f"The tools are at {PATH}.", 404)
        if request.method != "POST":  # there is nothing to listen to, and no session to end
            return PlainTextResponse("Send a POST.", 405, {"Allow": "POST"})
        return await self.allowed.validate_request(request, is_post=True)

    async def _refusal_of_key(self, request: Request) -> Response | None:
        """Returns a refusal, or puts what the key may do into the scope of the request."""
        kind, _, key = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "bearer" or not key.strip():
            return _no_key("A valid API key is needed, sent as Authorization: Bearer.")
        try:
            access = await anyio.to_thread.run_sync(self._access, key.strip())
        except Refused as refusal:
            if refusal.status == 401:
                return _no_key(str(refusal))
            if refusal.status == 429:
                return PlainTextResponse(str(refusal), 429)
            # Nobody has shown a valid key yet, so this says nothing about where the service is.
            return PlainTextResponse("The service can't answer right now. Try again later.", 503)
        request.scope[_ACCESS] = access
        return None

    def _access(self, key: str) -> Access:
        service = self.clients.of(key)
        scopes = service.send("GET", "/key", attempts=1).value["scopes"]
        self.clients.remember(service)
        return Access(service, tools_for(scopes, link=None, reads_only=self.reads_only))


class _Clients:
    """The clients of the keys that were found valid, so that lists show what each has written.

    Forgetting one is harmless: its next list may be a moment old.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._by_key: OrderedDict[str, ServiceClient] = OrderedDict()
        self._lock = Lock()

    def of(self, key: str) -> ServiceClient:
        with self._lock:
            return self._by_key.get(key) or ServiceClient(self._url, key)

    def remember(self, service: ServiceClient) -> None:
        key = service.key or ""
        with self._lock:
            self._by_key.setdefault(key, service)
            self._by_key.move_to_end(key)
            if len(self._by_key) > MOST_REMEMBERED:
                self._by_key.popitem(last=False)


def _no_key(sentence: str) -> Response:
    return PlainTextResponse(sentence, 401, {"WWW-Authenticate": 'Bearer realm="Admit One"'})
