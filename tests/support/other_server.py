"""A server of somebody else's: it answers as a test says, and remembers what it was asked."""

import email
import ssl
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from socket import socket
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Lock, Thread
from typing import Any

Answer = Callable[[], Iterable[bytes]]


def answer(body: bytes = b"", status: str = "200 OK", **headers: str) -> bytes:
    """Returns an HTTP answer. An underscore in the name of a header stands for a hyphen."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


class OtherServer(ThreadingTCPServer):
    """Listens on an address of this machine, until it is closed."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        self.answer: Answer = lambda: [answer()]
        self.requests: list[str] = []
        self.bodies: list[bytes] = []
        self.keeps_connections = False
        self.connections = 0
        self.recording = Lock()
        self._tls = tls
        super().__init__((host, port), _Handler)

    @property
    def port(self) -> int:
        """The port on which it listens."""
        port: int = self.server_address[1]
        return port

    @property
    def authority(self) -> str:
        """Its address and port."""
        return f"{self.server_address[0]!s}:{self.port}"

    def get_request(self) -> tuple[socket, Any]:
        """Accepts a connection, with TLS if it was given a certificate."""
        accepted, client = super().get_request()
        self.connections += 1
        if self._tls is not None:
            accepted = self._tls.wrap_socket(
                accepted, server_side=True, do_handshake_on_connect=False
            )
        return accepted, client


class _Handler(StreamRequestHandler):
    server: OtherServer

    def handle(self) -> None:
        with suppress(OSError):  # the other side has gone
            # What comes through a tunnel is answered here too.
            while (request := self._answer_one()) and (
                self.server.keeps_connections or request.startswith("CONNECT ")
            ):
                pass

    def _answer_one(self) -> str:
        lines = []
        while line := self.rfile.readline().rstrip(b"\r\n"):
            lines.append(line.decode())
        if not lines:  # the other side has hung up
            return ""
        request = "\n".join(lines)
        length = email.message_from_string("\n".join(lines[1:])).get("Content-Length", "0")
        body = self.rfile.read(int(length))
        with self.server.recording:
            self.server.requests.append(request)
            self.server.bodies.append(body)
        for part in self.server.answer():
            self.wfile.write(part)
        return request

    def finish(self) -> None:
        with suppress(OSError):
            super().finish()


@contextmanager
def other_server(
    host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
) -> Iterator[OtherServer]:
    """Runs a server in a thread during the block."""
    with OtherServer(host, port, tls) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
