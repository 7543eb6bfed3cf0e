"""The front of a web worker: takes whole requests only, and shares its threads out.

The web server hands each request to a coroutine, which gathers the body within a limit of
size and time. Only a whole request takes a thread, so a client that is slow, or gone, holds
none. Kinds of work that take long have a share of the threads each; when it is used up, a few
requests wait, and all further ones are answered 503 at once.

Speaks granian's RSGI on one side and WSGI (PEP 3333) on the other.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

from granian.rsgi import ProtocolClosed  # type: ignore[attr-defined]

from interface.runtime.heartbeat import BEAT_SECONDS, beat
from interface.web import problems
from interface.web.public_address import path_below
from interface.wsgi import LARGEST_BODY

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

BODY_SECONDS = 10.0
RETRY_AFTER_SECONDS = "2"

ResponseHeaders = list[tuple[str, str]]


class Scope(Protocol):
    """A request without its body, as RSGI has it. `path` is decoded, `query_string` is not."""

    method: str
    path: str
    query_string: str
    scheme: str
    http_version: str
    client: str
    server: str
    headers: Any


class ClientGone(Exception):
    """The client went away before its request was whole."""


class TooMany(Exception):
    """A share of the threads is used up, and enough requests wait for it."""


class Share:
    """The threads that one kind of work may take, and how many requests may wait for one."""

    def __init__(self, matches: Callable[[str, str], bool], *, threads: int, waiting: int) -> None:
        """`matches` decides by the method and the path, which is that below the public path."""
        self.matches = matches
        self._threads = asyncio.Semaphore(threads)
        self._most_waiting = waiting
        self._waiting = 0

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[None]:
        """Takes a thread of the share, now or in turn. Raises `TooMany` instead of queueing."""
        if self._threads.locked() and self._waiting >= self._most_waiting:
            raise TooMany
        self._waiting += 1
        try:
            await self._threads.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._threads.release()


class RequestFront:
    """An RSGI application that runs a WSGI application on threads of its own."""

    def __init__(
        self,
        app: "WSGIApplication",
        *,
        threads: int,
        public_path: str = "",
        shares: Sequence[Share] = (),
        heartbeats: Path | None = None,
    ) -> None:
        """`public_path` is what a proxy in front may leave before the paths of the service.

        A request belongs to the first of the `shares` that it matches, if to any.

        `heartbeats` is the folder in which the supervisor looks for signs of life.
        """
        self._heartbeats = heartbeats
        self._app = app
        self._public_path = public_path
        self._shares = shares
        self._answered = 0
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="request")

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Starts the heartbeat, in the worker's own process."""
        if self._heartbeats is not None:
            self._beating = loop.create_task(self._beat(self._heartbeats))

    async def _beat(self, folder: Path) -> None:
        """Shows again and again that requests get through to a thread and back.

        Threads that are all busy show it as well, as long as they finish one request or another:
        a slow database must not cost a worker its life.
        """
        loop = asyncio.get_running_loop()
        probe = loop.run_in_executor(self._threads, int)
        while True:
            answered = self._answered
            done, _ = await asyncio.wait({probe}, timeout=BEAT_SECONDS)
            if done:
                probe = loop.run_in_executor(self._threads, int)
            if done or self._answered != answered:
                beat(folder)
                await asyncio.sleep(BEAT_SECONDS)

    async def __rsgi__(self, scope: Scope, proto: Any) -> None:
        """Answers one request."""
        path = path_below(self._public_path, scope.path)
        try:
            body, length = await _whole_body(scope, proto)
        except TimeoutError:
            _refuse(path, proto, 408, "request-timeout", "The request took too long to arrive.")
            return
        except (ProtocolClosed, ClientGone):
            return
        share = next((each for each in self._shares if each.matches(scope.method, path)), None)
        environ = _environ(scope, body, length)
        if share is None:
            await self._answer(environ, proto)
            return
        try:
            async with share.taken():
                await self._answer(environ, proto)
        except TooMany:
            _refuse(path, proto, 503, "busy", "Too many of these requests at this moment.")

    async def _answer(self, environ: dict[str, Any], proto: Any) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._threads, _respond, self._app, environ, proto)
        finally:
            self._answered += 1


async def _whole_body(scope: Scope, proto: Any) -> tuple[bytes, int]:
    """Returns the body and its length. Raises `TimeoutError` if it did not come in time.

    Raises `ClientGone` if it ended early: the server ends the body of a client that vanishes
    like a whole one.

    Of a body that is too large only the length is returned: the application refuses it by that.
    """
    declared = scope.headers.get("content-length")
    if declared is None and scope.headers.get("transfer-encoding") is None:
        return b"", 0
    if declared is not None and int(declared) > LARGEST_BODY:
        return b"", int(declared)
    chunks: list[bytes] = []
    length = 0
    async with asyncio.timeout(BODY_SECONDS):
        async for chunk in proto:
            length += len(chunk)
            if length > LARGEST_BODY:
                return b"", length
            chunks.append(chunk)
    if declared is not None and length < int(declared):
        raise ClientGone
    return b"".join(chunks), length


def _environ(scope: Scope, body: bytes, length: int) -> dict[str, Any]:
    """Returns the WSGI environment of a request."""
    host, _, port = scope.server.rpartition(":")
    client, _, _ = scope.client.rpartition(":")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": scope.path.encode().decode("latin-1"),
        "QUERY_STRING": scope.query_string,
        "RAW_URI": quote(scope.path),
        "SERVER_NAME": host,
        "SERVER_PORT": port,
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "REMOTE_ADDR": client.strip("[]"),
        "CONTENT_LENGTH": str(length),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.input": BytesIO(body),
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in scope.headers.items():
        if name == "content-type":
            environ["CONTENT_TYPE"] = value
        elif name not in ("content-length", "transfer-encoding") and "_" not in name:
            key = f"HTTP_{name.upper().replace('-', '_')}"
            separator = "; " if name == "cookie" else ","
            environ[key] = f"{environ[key]}{separator}{value}" if key in environ else value
    return environ


def _respond(app: "WSGIApplication", environ: dict[str, Any], proto: Any) -> None:
    """Runs the application, and sends what it answers in one piece."""
    started: list[tuple[str, ResponseHeaders]] = []

    def start_response(
        status: str, headers: ResponseHeaders, exc_info: object = None
    ) -> Callable[[bytes], object]:
        started.append((status, headers))
        return parts.append

    parts: list[bytes] = []
    result: Iterable[bytes] = app(environ, start_response)
    try:
        parts.extend(result)
    finally:
        if hasattr(result, "close"):
            result.close()
    status, headers = started[-1]
    proto.response_bytes(int(status[:3]), headers, b"".join(parts))


def _refuse(path: str, proto: Any, status: int, slug: str, sentence: str) -> None:
    """Answers without a thread, in the form that the caller reads."""
    headers = [("cache-control", "no-store")]
    if status == 503:
        headers.append(("retry-after", RETRY_AFTER_SECONDS))
    else:
        headers.append(("connection", "close"))
    if path.startswith("/api/"):
        headers.append(("content-type", problems.MEDIA_TYPE))
        proto.response_str(status, headers, json.dumps(problems.document(status, slug, sentence)))
    else:
        headers.append(("content-type", "text/plain; charset=utf-8"))
        proto.response_str(status, headers, f"{sentence}\n")
