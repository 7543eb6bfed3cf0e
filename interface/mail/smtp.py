"""Speaks with a mail server: connects within its limits, logs in, and hands mails over."""

import smtplib
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from socket import SHUT_RDWR
from threading import Timer
from typing import Any

from application.deliveries.sender import Failed, Refused
from interface.mail.mail import Mail
from interface.smtp_address import SmtpServer

CONNECT_SECONDS = 10.0  # for each single answer of the server, too
WHOLE_SECONDS = 30.0  # for all of a connection's beginning, and for all of a mail

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
            if self._smtp is None:
                self._smtp = _connected(self._server, self._host, self._ca_file, self._note)
            with self._smtp.limited():
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
            with suppress(smtplib.SMTPException, OSError), smtp.limited():
                smtp.quit()
            smtp.close()


class _Dialogue(smtplib.SMTP):
    """A connection whose dialogue can be noted, without passwords and mails, and cut off."""

    def __init__(self, server: SmtpServer, host: str, note: Note | None, **options: Any) -> None:
        self._note = note
        self._is_secret = False
        options |= {"local_hostname": host, "timeout": CONNECT_SECONDS}
        with self.limited():
            super().__init__(server.host, server.port, **options)

    @contextmanager
    def limited(self) -> Iterator[None]:
        """Cuts the connection after 30 seconds, however slowly the server goes on talking."""
        timer = Timer(WHOLE_SECONDS, self._cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def putcmd(self, cmd: str, args: str = "") -> None:
        """Sends a command and notes it."""
        if self._note is not None:
            self._note(f"> {'(hidden)' if self._is_secret else f'{cmd} {args}'.rstrip()}")
        super().putcmd(cmd, args)

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

    def _cut(self) -> None:
        sock = getattr(self, "sock", None)
        if sock is not None:
            with suppress(OSError):
                sock.shutdown(SHUT_RDWR)


class _TlsDialogue(_Dialogue, smtplib.SMTP_SSL):
    """The same, with TLS from the first byte."""

    def __init__(
        self, server: SmtpServer, host: str, ca_file: Path | None, note: Note | None
    ) -> None:
        super().__init__(server, host, note, context=_tls(ca_file, verified=True))


def _connected(server: SmtpServer, host: str, ca_file: Path | None, note: Note | None) -> _Dialogue:
    """Connects and logs in, over TLS as the settings ask."""
    if server.implicit_tls:
        smtp: _Dialogue = _TlsDialogue(server, host, ca_file, note)
    else:
        smtp = _Dialogue(server, host, note)
    try:
        with smtp.limited():
            smtp.ehlo_or_helo_if_needed()
            if not server.implicit_tls and (server.user or smtp.has_extn("starttls")):
                smtp.starttls(context=_tls(ca_file, verified=bool(server.user)))
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


def _hand_over(smtp: smtplib.SMTP, mail: Mail) -> str:
    options = []
    if mail.has_international_address:
        if not smtp.has_extn("smtputf8"):
            raise Refused("The mail server does not take addresses with letters beyond ASCII.")
        options = ["SMTPUTF8", "BODY=8BITMIME"]
    code, text = smtp.mail(mail.sender, options)
    if code != 250:  # about this installation, not about this mail
        raise Failed(_answer(code, text))
    for step in (partial(smtp.rcpt, mail.recipient), partial(smtp.data, mail.content)):
        code, text = step()
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
