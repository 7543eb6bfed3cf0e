"""A TCP proxy in front of PostgreSQL that loses appends or replies on demand."""

import re
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from enum import Enum, auto
from threading import Event, Thread
from time import sleep

import psycopg
from psycopg.conninfo import make_conninfo

# PostgreSQL's protocol: an append is prepared once in a connection, under a name that is bound
# every time. What comes after the binding tells the server to begin.
_PREPARED = re.compile(rb"P....([^\0]+)\0[^\0]*FROM append_events\(", re.DOTALL)
_BEGIN_NOW = 10  # bytes
_READY_FOR_QUERY = b"Z\0\0\0\x05"  # the last message of an answer
_LOOK_BACK = 4096  # bytes


class Loss(Enum):
    """The ways in which an append can be lost."""

    NOTHING = auto()
    REQUEST = auto()  # the connection dies before the server has all of it
    REPLY = auto()  # the server commits, and then the connection dies
    REST = auto()  # the rest of it never comes, and the connection stays open


class Proxy:
    """Listens on 127.0.0.1 and forwards to the server of `conninfo`."""

    def __init__(self, conninfo: str) -> None:
        with psycopg.connect(conninfo) as conn:
            self._server = conn.info.host, conn.info.port
        self._listener = socket.create_server(("127.0.0.1", 0))
        host, port = self._listener.getsockname()
        self.conninfo = make_conninfo(
            conninfo,
            host=host,
            hostaddr=host,
            port=port,
            sslmode="disable",
            gssencmode="disable",
        )
        self.losses: Iterator[Loss] = iter(())
        self.rest_is_missing = Event()
        self.refused = 0
        self.delay = 0.0  # seconds, of everything in either direction
        self._refusing = False
        self._passing = Event()
        self._passing.set()
        self._lines: list[_Line] = []
        self._thread = Thread(target=self._accept)
        self._thread.start()

    def lose(self, losses: Iterable[Loss]) -> None:
        """Sets what happens to the next appends, one after the other."""
        self.losses = iter(losses)

    def cut(self) -> None:
        """Ends every connection."""
        for line in self._lines:
            line.cut()

    def refuse(self) -> None:
        """Ends every new connection at once, like a port where nothing listens."""
        self._refusing = True

    def accept(self) -> None:
        """Accepts connections again."""
        self._refusing = False

    @contextmanager
    def silence(self) -> Iterator[None]:
        """Lets nothing through in either direction within the block, without an error."""
        self._passing.clear()
        try:
            yield
        finally:
            self._passing.set()

    def close(self) -> None:
        """Ends every connection and frees the port."""
        self._passing.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        self.cut()
        for line in self._lines:
            line.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._passing.wait()
            if self._refusing:
                client.close()
                self.refused += 1
                continue
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                server = _connected(*self._server)
            except OSError:
                client.close()  # the server is down
                continue
            self._lines.append(_Line(self, client, server))

    def pass_on(self, data: bytes, target: socket.socket) -> None:
        """Sends data after the delay, once the proxy is not silent."""
        if self.delay:
            sleep(self.delay)
        self._passing.wait()
        target.sendall(data)


class _Line:
    """The connection of one client."""

    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy = proxy
        self._client = client
        self._server = server
        self._reply_is_lost = False
        self._threads = [Thread(target=self._carry_out), Thread(target=self._carry_back)]
        for thread in self._threads:
            thread.start()

    def cut(self) -> None:
        """Ends the connection on both sides."""
        for side in (self._client, self._server):
            with suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Frees the sockets and threads of a connection that was cut."""
        for thread in self._threads:
            thread.join()
        self._client.close()
        self._server.close()

    def _carry_out(self) -> None:
        seen = b""
        names: set[bytes] = set()
        for data in _read(self._client):
            seen = seen[-_LOOK_BACK:] + data
            names.update(re.escape(name) for name in _PREPARED.findall(seen))
            append = rb"B....\0(%s)\0" % b"|".join(names)
            loss = Loss.NOTHING
            if names and re.search(append, seen, re.DOTALL):
                seen = b""
                loss = next(self._proxy.losses, Loss.NOTHING)
                self._reply_is_lost = loss is Loss.REPLY
            if loss in (Loss.REQUEST, Loss.REST):
                data = data[:-_BEGIN_NOW]
            try:
                self._proxy.pass_on(data, self._server)
            except OSError:
                break
            if loss is Loss.REQUEST:
                break
            if loss is Loss.REST:
                self._proxy.rest_is_missing.set()
                return
        self.cut()

    def _carry_back(self) -> None:
        seen = b""
        for data in _read(self._server):
            if not self._reply_is_lost:
                try:
                    self._proxy.pass_on(data, self._client)
                except OSError:
                    break
                continue
            seen = seen[-_LOOK_BACK:] + data
            if _READY_FOR_QUERY in seen:
                break
        self.cut()


def _connected(host: str, port: int) -> socket.socket:
    if not host.startswith("/"):
        server = socket.create_connection((host, port))
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return server
    server = socket.socket(socket.AF_UNIX)
    try:
        server.connect(f"{host}/.s.PGSQL.{port}")
    except OSError:
        server.close()
        raise
    return server


def _read(source: socket.socket) -> Iterator[bytes]:
    """Yields what is received until the end of the connection."""
    with suppress(OSError):
        while data := source.recv(65536):
            yield data
