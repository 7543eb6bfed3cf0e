"""A mail server that keeps what it gets and refuses what a test tells it to."""

from asyncio import run_coroutine_threadsafe, sleep
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from ssl import SSLContext
from typing import Any, cast

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session

from interface.smtp_address import SmtpServer
from tests.support.service import free_port

HOST = "127.0.0.1"
USER, PASSWORD = "ada", "a pass:word"


@dataclass
class MailServer:
    """The handler of the server. `refusals` answers as many recipients before mails are taken.

    It is `hesitating` for that many seconds before it takes a mail, and again before it says so.
    With `pipelining`, it says that it takes several commands at once.
    """

    port: int
    hesitating: float = 0.0
    mails: list[EmailMessage] = field(default_factory=list)
    envelopes: list[tuple[str, list[str]]] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    sessions: set[int] = field(default_factory=set)
    pipelining: bool = False
    connections: list[Any] = field(default_factory=list, repr=False)

    @property
    def address(self) -> SmtpServer:
        """The server as settings name it."""
        return SmtpServer(HOST, self.port)

    async def handle_EHLO(  # noqa: N802 - a name of aiosmtpd
        self,
        server: Any,
        session: Session,
        envelope: Envelope,
        hostname: str,
        responses: list[str],
    ) -> list[str]:
        """Greets, and says what it can do."""
        session.host_name = hostname
        self.connections.append(server)
        if self.pipelining:
            responses.insert(1, "250-PIPELINING")
        return responses

    async def handle_RCPT(  # noqa: N802 - a name of aiosmtpd
        self, server: Any, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Accepts a recipient, or answers with the next refusal."""
        if self.refusals:
            return self.refusals.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802
        self, server: Any, session: Session, envelope: Envelope
    ) -> str:
        """Keeps a mail."""
        await sleep(self.hesitating)
        content = cast("bytes", envelope.content)
        self.mails.append(message_from_bytes(content, EmailMessage, policy=policy.default))
        self.envelopes.append((str(envelope.mail_from), list(envelope.rcpt_tos)))
        self.sessions.add(id(session))
        await sleep(self.hesitating)
        return f"250 OK, queued as {len(self.mails)}"

    def hang_up(self) -> None:
        """Closes all connections, and returns when they are closed."""

        async def close() -> None:
            for connection in self.connections:
                connection.transport.abort()
            await sleep(0.01)

        run_coroutine_threadsafe(close(), self.connections[0].loop).result()

    def by_id(self) -> dict[str, list[EmailMessage]]:
        """Returns the mails by their ids."""
        found: dict[str, list[EmailMessage]] = {}
        for mail in self.mails:
            found.setdefault(mail["Message-ID"], []).append(mail)
        return found


def _authenticated(
    server: Any, session: Session, envelope: Envelope, mechanism: str, data: Any
) -> AuthResult:
    right = LoginPassword(USER.encode(), PASSWORD.encode())
    return AuthResult(success=data == right, handled=False)


@contextmanager
def running_mail_server(
    *,
    tls: SSLContext | None = None,
    with_login: bool = False,
    implicit: bool = False,
    hesitating: float = 0.0,
) -> Iterator[MailServer]:
    """Runs a server on a port of its own; with a login it insists on STARTTLS and a password.

    `implicit` means TLS from the first byte.
    """
    server = MailServer(free_port(), hesitating)
    options: dict[str, Any] = {"ssl_context" if implicit else "tls_context": tls}
    if with_login:
        options |= {"auth_required": True, "authenticator": _authenticated}
    controller = Controller(
        server,
        hostname=HOST,
        port=server.port,
        require_starttls=with_login,
        enable_SMTPUTF8=False,
        **options,
    )
    controller.start()
    try:
        yield server
    finally:
        controller.stop()
