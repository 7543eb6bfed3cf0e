"""Speaks with a mail server: connects within its limits, logs in, and hands mails over."""

import re
import smtplib
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from application.deliveries.channel import Failed, Refused
from interface.mail.mail import Mail
from interface.outgoing.timed_socket import Deadline, TimedSocket
from interface.smtp_address import SmtpServer

ANSWER_SECONDS = 10.0  # for each single answer of the server
WHOLE_SECONDS = 30.0  # for all of a connection's beginning, and for all of a mail
_MAIL, _RCPT, _DATA = "mail", "rcpt", "data"
_GO_ON = 354
_PERIOD = re.compile(rb"^\.", re.MULTILINE)

Note = Callable[[str], object]


class SmtpConnection:
    """A connection to a mail server, made at the first mail and kept open for the next ones."""

    def __init__(
        self,
        server: SmtpServer,
        host: str,
        *,
        ca_file: Path | None = None,
        note: Note | None = None,
    ) -> None:
        """`host` is the name by which this machine greets. `note` gets each line that is said.

        `ca_file` holds certificates to trust beside the system's.
        """
        self._server = server
        self._ca_file = ca_file
        self._host = host
        self._note = note
        self._smtp: _Dialogue | None = None

    def send(self, mail: Mail) -> str:
        """Hands a mail over and returns the server's answer.

        Raises `Refused` if the server will never take it, and `Failed` for everything else.
        """
        try:
            if self._smtp is not None and not self._smtp.is_alive():
                self.close()
            if self._smtp is None:
                self._smtp = _connected(self._server, self._host, self._ca_file, self._note)
            self._smtp.limit()
            return _hand_over(self._smtp, mail)
        except (Refused, Failed):
            self.close()
            raise
        except smtplib.SMTPResponseException as error:
            self.close()
            raise Failed(_answer(error.smtp_code, error.smtp_error)) from error
        except (smtplib.SMTPException, OSError) as error:
            self.close()
            raise Failed(_reason(self._server, error)) from error

    def close(self) -> None:
        """Ends the connection, if there is one."""
        smtp, self._smtp = self._smtp, None
        if smtp is not None:
            with suppress(smtplib.SMTPException, OSError):
                smtp.limit()
                smtp.quit()
            smtp.close()


class _Patience(Deadline):
    """The moment by which a mail has to be handed over, and the time for each answer until then."""

    def seconds_left(self) -> float:
        """Returns the seconds for the next answer. Raises `TimeoutError` if none are left."""
        return min(super().seconds_left(), ANSWER_SECONDS)


class _Dialogue(smtplib.SMTP):
    """A connection whose dialogue can be noted, without passwords and mails.

    It ends in time, however slowly the server goes on talking.
    """

    def __init__(
        self, server: SmtpServer, host: str, note: Note | None, tls: ssl.SSLContext | None = None
    ) -> None:
        """With `tls`, speaks TLS from the first byte."""
        self._note = note
        self._is_secret = False
        self._tls = tls
        super().__init__(server.host, server.port, local_hostname=host, timeout=ANSWER_SECONDS)

    def _get_socket(self, host: str, port: int, timeout: float) -> Any:
        patience = _Patience(WHOLE_SECONDS)
        connected = TimedSocket.connected([host], port, patience)
        if self._tls is not None:
            try:
                connected.encrypt(self._tls, host)
            except OSError:
                connected.close()
                raise
        return connected

    def limit(self) -> None:
        """Lets all that is said from now on end in time."""
        if self.sock is not None:
            self._timed_socket.limit(_Patience(WHOLE_SECONDS))

    def is_alive(self) -> bool:
        """Returns False if the server has closed the connection, or said that it will."""
        return self.sock is not None and not self._timed_socket.has_news()

    def start_encryption(self, context: ssl.SSLContext) -> None:
        """Goes on over TLS. Raises `SMTPNotSupportedError` if the server can't."""
        self.starttls(context=cast("ssl.SSLContext", _Encrypting(context)))

    @property
    def _timed_socket(self) -> TimedSocket:
        return cast("TimedSocket", self.sock)

    def putcmd(self, cmd: str, args: str = "") -> None:
        """Sends a command and notes it."""
        self.put_all([(cmd, args)])

    def put_all(self, commands: Sequence[tuple[str, str]]) -> None:
        """Sends commands with their arguments at once and notes them.

        Raises `ValueError` if one has a line break.
        """
        lines = [" ".join(filter(None, command)) for command in commands]
        if any("\r" in line or "\n" in line for line in lines):
            raise ValueError("a command has a line break")
        if self._note is not None:
            for line in lines:
                self._note(f"> {'(hidden)' if self._is_secret else line}")
        self.send("".join(f"{line}\r\n" for line in lines))

    def getreply(self) -> tuple[int, bytes]:
        """Returns the server's answer and notes it."""
        code, text = super().getreply()
        if self._note is not None:
            self._note(f"< {_answer(code, text)}")
        return code, text

    def login(self, user: str, password: str, **options: Any) -> tuple[int, bytes]:
        """Logs in; what is sent meanwhile is noted as hidden."""
        self._is_secret = True
        try:
            return super().login(user, password, **options)
        finally:
            self._is_secret = False


class _Encrypting:
    """Encrypts a `TimedSocket` where `smtplib` asks for a context to encrypt a socket."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context

    def wrap_socket(self, connected: TimedSocket, server_hostname: str) -> TimedSocket:
        """Begins TLS with this host. Raises `OSError`, also for a wrong certificate."""
        connected.encrypt(self._context, server_hostname)
        return connected


def _connected(server: SmtpServer, host: str, ca_file: Path | None, note: Note | None) -> _Dialogue:
    """Connects and logs in, over TLS as the settings ask."""
    tls = _tls(ca_file, verified=True) if server.implicit_tls else None
    smtp = _Dialogue(server, host, note, tls)
    try:
        smtp.ehlo_or_helo_if_needed()
        if not server.implicit_tls and (server.user or smtp.has_extn("starttls")):
            smtp.start_encryption(_tls(ca_file, verified=bool(server.user)))
            smtp.ehlo_or_helo_if_needed()
        if server.user:
            smtp.login(server.user, server.password)
    except (smtplib.SMTPException, OSError):
        smtp.close()
        raise
    return smtp


def _tls(ca_file: Path | None, *, verified: bool) -> ssl.SSLContext:
    """Returns how to speak TLS. Where no password is at stake, any certificate beats none."""
    context = ssl.create_default_context()
    if ca_file is not None:
        context.load_verify_locations(ca_file)
    if not verified:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _hand_over(smtp: _Dialogue, mail: Mail) -> str:
    """Hands a mail over and returns the server's answer.

    Most servers take all commands at once (RFC 2920), which saves the way there and back for each.
    """
    options: list[str] = []
    if mail.has_international_address:
        if not smtp.has_extn("smtputf8"):
            raise Refused("The mail server does not take addresses with letters beyond ASCII.")
        options = ["SMTPUTF8", "BODY=8BITMIME"]
        smtp.command_encoding = "utf-8"
    commands = [
        (_MAIL, " ".join([f"FROM:<{mail.sender}>", *options])),
        (_RCPT, f"TO:<{mail.recipient}>"),
        (_DATA, ""),
    ]
    is_pipelining = smtp.has_extn("pipelining")
    if is_pipelining:
        smtp.put_all(commands)
    for name, arguments in commands:
        if not is_pipelining:
            smtp.putcmd(name, arguments)
        code, text = smtp.getreply()
        if code != _GO_ON and not (name != _DATA and 200 <= code < 300):
            # Of the sender and the server itself, only this installation is to blame.
            raise (Refused if name == _RCPT and code >= 500 else Failed)(_answer(code, text))
    smtp.send(_PERIOD.sub(b"..", mail.content) + b".\r\n")
    code, text = smtp.getreply()
    if not 200 <= code < 300:
        raise (Refused if code >= 500 else Failed)(_answer(code, text))
    return _answer(code, text)


def _answer(code: int, text: bytes | str) -> str:
    """Returns an answer of a mail server as one line."""
    plain = text if isinstance(text, str) else text.decode("utf-8", "replace")
    return " ".join("".join(c if c.isprintable() else " " for c in f"{code} {plain}").split())


def _reason(server: SmtpServer, error: Exception) -> str:
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    kind = type(error).__name__
    return f"{server.host}:{server.port}: {' '.join((said or kind).split())}"
