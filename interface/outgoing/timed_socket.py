"""A connection of which everything together has to end in time, and in size.

A socket's own time-out begins again with every byte, so a server could keep a request for ever.
And `http.client` and `smtplib` believe what the other side says of lengths, and read on as long as
headers, chunks or lines go on: within its time, a server could fill all memory.
"""

import io
import select
import socket
import ssl
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from threading import Thread
from time import monotonic
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

T = TypeVar("T")

MOST_BYTES = 8 * 1024 * 1024
"""So much may arrive within a deadline, in whatever form: more than any answer that is read."""
_CONNECT_SECONDS = 5.0  # for one of several addresses of a host


class TooMuch(OSError):
    """More arrives than any answer that is read."""

    def __init__(self) -> None:
        super().__init__("the answer is too large")


class Deadline:
    """The moment by which something has to end."""

    def __init__(self, seconds: float) -> None:
        self._ends_at = monotonic() + seconds

    def seconds_left(self) -> float:
        """Returns the seconds that are left. Raises `TimeoutError` if none are."""
        left = self._ends_at - monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def wait_for(self, work: Callable[[], T]) -> T:
        """Returns the result of `work`, which can't be interrupted. Raises `TimeoutError`.

        After that, it still runs to its end, in a thread.
        """
        result: Future[T] = Future()

        def run() -> None:
            try:
                result.set_result(work())
            except OSError as error:
                result.set_exception(error)

        Thread(target=run, daemon=True).start()
        return result.result(self.seconds_left())


class TimedSocket:
    """A connected socket as `http.client` uses one, whose reads and writes end by a deadline.

    Until then, at most `MOST_BYTES` can be read from it; `TooMuch` is raised for more.
    """

    def __init__(self, connected: socket.socket, deadline: Deadline) -> None:
        self._socket = connected
        self.limit(deadline)

    def limit(self, deadline: Deadline) -> None:
        """Lets all further reads and writes end by another deadline, and counts anew."""
        self._deadline = deadline
        self._bytes_left = MOST_BYTES

    def seconds_left(self) -> float:
        """Returns the seconds that are left. Raises `TimeoutError` if none are."""
        return self._deadline.seconds_left()

    @classmethod
    def connected(cls, addresses: Sequence[str], port: int, deadline: Deadline) -> "TimedSocket":
        """Connects to the first of these IP addresses that answers. Raises `OSError`."""
        error: OSError = ConnectionError()
        for address in addresses:
            seconds = min(deadline.seconds_left(), _CONNECT_SECONDS)
            try:
                connected = socket.create_connection((address, port), seconds)
                # The second piece of a message must not wait until the other side has confirmed the
                # first, which it may do only after 40 ms.
                connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return cls(connected, deadline)
            except OSError as refusal:
                error = refusal
        raise error

    def encrypt(self, context: ssl.SSLContext, host: str) -> None:
        """Begins TLS with this host. Raises `OSError`, also for a wrong certificate."""
        self._socket.settimeout(self.seconds_left())
        self._socket = context.wrap_socket(self._socket, server_hostname=host)

    def has_news(self) -> bool:
        """Returns True if something has arrived that was not read, or the other side has hung up.

        Between two requests, nothing should arrive.
        """
        return bool(select.select([self._socket], [], [], 0)[0])

    def sendall(self, data: bytes) -> None:
        """Sends all of the data."""
        rest = memoryview(data)
        while rest:
            self._socket.settimeout(self.seconds_left())
            rest = rest[self._socket.send(rest) :]

    def makefile(self, mode: str) -> io.BufferedReader:
        """Returns a file from which can be read what arrives."""
        assert mode == "rb"  # noqa: S101 - the only mode that http.client asks for
        return io.BufferedReader(_Arriving(self._socket, self.seconds_left, self._count))

    def _count(self, size: int) -> None:
        self._bytes_left -= size
        if self._bytes_left < 0:
            raise TooMuch

    def close(self) -> None:
        """Closes the connection, once all files made from it are closed too."""
        self._socket.close()


class _Arriving(io.RawIOBase):
    """The bytes that arrive at a socket. Each read ends by the deadline, and is counted."""

    def __init__(
        self,
        connected: socket.socket,
        seconds_left: Callable[[], float],
        count: Callable[[int], None],
    ) -> None:
        self._socket = connected
        self._arriving = connected.makefile("rb", buffering=0)
        self._seconds_left = seconds_left
        self._count = count

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int | None:
        self._socket.settimeout(self._seconds_left())
        size = self._arriving.readinto(buffer)
        self._count(size or 0)
        return size

    def close(self) -> None:
        self._arriving.close()
        super().close()
