"""The front of a web worker: takes whole requests only, and gives each to the threads of its lane.

The web server hands each request to a coroutine, which gathers the body within a limit of
size and time. Only a whole request takes a thread, so a client that is slow, or gone, holds
none. Kinds of work that take long have a lane each, so they leave the threads of all others
alone.

A request that the front refuses goes through the application like any other, on a lane of its
own, so that it is answered, logged and counted in the same form.

Speaks granian's RSGI on one side and WSGI (PEP 3333) on the other.
"""

import asyncio
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import lru_cache, partial
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from granian.rsgi import ProtocolClosed, ProtocolError  # type: ignore[attr-defined]

from domain.errors import AdmitOneError
from interface.runtime.heartbeat import BEAT_SECONDS, beat
from interface.runtime.lanes import Lane, LaneFull
from interface.web.problems import (
    REFUSAL,
    RETRY_AFTER_SECONDS,
    LengthRequired,
    Overloaded,
    RequestTimeout,
)
from interface.web.public_address import path_below
from interface.web.request_context import LARGEST_BODY

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

BODY_SECONDS = 10.0
MOST_WAITING = 1000  # requests, for the threads of everybody
MOST_REFUSALS = 200  # waiting to be told so
UNREADABLE = "\xff"
"""The value of a header that is not ASCII: granian names it, but leaves out what it says. An
Idempotency-Key or an Origin that can't be read is refused, not taken for one that is missing."""
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")

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


class SlowWork(NamedTuple):
    """Requests with a lane of their own. Those that do not fit into it get `refusal`.

    `matches` decides by the method and the path, which is that below the public path.
    """

    matches: Callable[[str, str], bool]
    lane: Lane
    refusal: type[AdmitOneError] = Overloaded


class RequestFront:
    """An RSGI application that runs a WSGI application on threads of its own."""

    def __init__(
        self,
        app: "WSGIApplication",
        *,
        threads: int,
        public_path: str = "",
        slow_work: Sequence[SlowWork] = (),
        heartbeats: Path | None = None,
    ) -> None:
        """`threads` is for everything but `slow_work`, which has threads of its own.

        `public_path` is what a proxy in front may leave before the paths of the service.
        `heartbeats` is the folder in which the supervisor looks for signs of life.
        """
        self._heartbeats = heartbeats
        self._app = app
        self._public_path = public_path
        self._slow_work = slow_work
        everything = Lane("request", threads=threads, waiting=MOST_WAITING)
        self._everything_else = SlowWork(lambda method, path: True, everything)
        self._refusals = Lane("refusal", threads=1, waiting=MOST_REFUSALS)

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Starts the heartbeat, in the worker's own process."""
        if self._heartbeats is not None:
            self._beating = loop.create_task(self._beat(self._heartbeats))

    async def _beat(self, folder: Path) -> None:
        """Shows again and again that requests get through to a thread and back.

        Threads that are all busy show it as well, as long as they finish one request or another:
        a slow database must not cost a worker its life.
        """
        lane = self._everything_else.lane
        probe: set[asyncio.Task[None]] = set()
        while True:
            finished = lane.finished
            probe = probe or {asyncio.create_task(_probe(lane))}
            _, probe = await asyncio.wait(probe, timeout=BEAT_SECONDS)
            if lane.finished != finished:
                beat(folder)
                await asyncio.sleep(BEAT_SECONDS)

    async def __rsgi__(self, scope: Scope, proto: Any) -> None:
        """Answers one request."""
        try:
            body, length = await _whole_body(scope, proto)
        except (TimeoutError, LengthRequired) as error:
            refusal = error if isinstance(error, LengthRequired) else RequestTimeout()
            await self._refuse(_environ(scope, b"", 0), proto, refusal)
            return
        except (ProtocolClosed, ProtocolError, ClientGone):
            return
        environ = _environ(scope, body, length)
        work = self._work_of(scope)
        try:
            await work.lane.run(partial(_respond, self._app, environ, proto))
        except LaneFull:
            await self._refuse(environ, proto, work.refusal())

    def _work_of(self, scope: Scope) -> SlowWork:
        path = path_below(self._public_path, scope.path)
        for work in self._slow_work:
            if work.matches(scope.method, path):
                return work
        return self._everything_else

    async def _refuse(self, environ: dict[str, Any], proto: Any, refusal: AdmitOneError) -> None:
        environ[REFUSAL] = refusal
        try:
            await self._refusals.run(partial(_respond, self._app, environ, proto))
        except LaneFull:  # too many even to be told why
            proto.response_empty(503, [("retry-after", RETRY_AFTER_SECONDS)])


async def _probe(lane: Lane) -> None:
    with suppress(LaneFull):
        await lane.run(_nothing)


def _nothing() -> None:
    """Takes a thread, and gives it back."""


async def _whole_body(scope: Scope, proto: Any) -> tuple[bytes, int]:
    """Returns the body and its length. Raises `TimeoutError` if it did not come in time.

    The server ends the body of a client that vanishes like a whole one. If that shows in the
    length, this raises `ClientGone`. A JSON document that was cut off is none. But a form that
    was cut off is a form, so one that comes without its length raises `LengthRequired`.

    Of a body that is too large only the length is returned: the application refuses it by that.
    """
    declared = scope.headers.get("content-length")
    if declared is None and scope.headers.get("transfer-encoding") is None:
        return b"", 0
    if declared is None and scope.headers.get("content-type", "").lower().startswith(FORMS):
        raise LengthRequired
    if declared is not None and int(declared) > LARGEST_BODY:
        return b"", int(declared)
    async with asyncio.timeout(BODY_SECONDS):
        if declared is not None:  # which the server does not let the client exceed
            body: bytes = await proto()
            if len(body) < int(declared):
                raise ClientGone
            return body, len(body)
        chunks: list[bytes] = []
        length = 0
        async for chunk in proto:
            length += len(chunk)
            if length > LARGEST_BODY:
                return b"", length
            chunks.append(chunk)
    return b"".join(chunks), length


_OF_EVERY_REQUEST = {
    "SCRIPT_NAME": "",
    "wsgi.version": (1, 0),
    "wsgi.input_terminated": True,
    "wsgi.multithread": True,
    "wsgi.multiprocess": True,
    "wsgi.run_once": False,
}


def _environ(scope: Scope, body: bytes, length: int) -> dict[str, Any]:
    """Returns the WSGI environment of a request."""
    host, _, port = scope.server.rpartition(":")
    client, _, _ = scope.client.rpartition(":")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope.method,
        "PATH_INFO": scope.path.encode().decode("latin-1"),
        "QUERY_STRING": scope.query_string,
        "SERVER_NAME": host,
        "SERVER_PORT": port,
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "REMOTE_ADDR": client.strip("[]"),
        "CONTENT_LENGTH": str(length),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.input": BytesIO(body),
        "wsgi.errors": sys.stderr,
        **_OF_EVERY_REQUEST,
    }
    for name, value in scope.headers.items():
        key = _key(name)
        if key is None:
            continue
        if key in environ:
            separator = "; " if name == "cookie" else ","
            value = f"{environ[key]}{separator}{value}"
        environ[key] = value
    for name in scope.headers.keys():  # noqa: SIM118 - no mapping: it can't be iterated
        key = _key(name)
        # A cookie that can't be read is as good as none.
        if key is not None and key not in environ and name != "cookie":
            environ[key] = UNREADABLE
    return environ


@lru_cache(maxsize=512)
def _key(name: str) -> str | None:
    """Returns the key of a header in the environment. None: the application must not see it.

    The front has taken the body and says its length itself. A name with _ would pass for the
    same one with -.
    """
    if name == "content-type":
        return "CONTENT_TYPE"
    if name in ("content-length", "transfer-encoding") or "_" in name:
        return None
    return f"HTTP_{name.upper().replace('-', '_')}"


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
    if status[:3] in ("408", "411"):  # the rest of the body may still come
        headers = [*headers, ("connection", "close")]
    proto.response_bytes(int(status[:3]), headers, b"".join(parts))
