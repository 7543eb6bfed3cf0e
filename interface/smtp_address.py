"""The address of a mail server, such as `smtp://user:password@mail.example.org:587`."""

import re
from dataclasses import dataclass, field
from urllib.parse import unquote

_ADDRESS = re.compile(
    r"(?P<scheme>smtps?)://((?P<user>[^@/:]+):(?P<password>[^@/:]+)@)?"
    r"(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+])(:(?P<port>[0-9]{1,5}))?/?"
)


class InvalidSmtpAddress(ValueError):
    """Text that is not the address of a mail server. The message completes a sentence: "must …"."""


@dataclass(frozen=True)
class SmtpServer:
    """A mail server, and how to log in there.

    With `implicit_tls` the connection begins with TLS, else it changes to TLS by STARTTLS: always
    if there is a login to protect, and otherwise if the server offers it.
    """

    host: str
    port: int
    implicit_tls: bool = False
    user: str = ""
    password: str = field(default="", repr=False)


def parse(text: str) -> SmtpServer:
    """Returns the server that an address names. Raises `InvalidSmtpAddress`, without the text."""
    parts = _ADDRESS.fullmatch(text)
    if parts is None:
        raise InvalidSmtpAddress(
            "must be smtp:// or smtps://, with user:password@ or not, a host and perhaps :port."
            " Write @ : / and % in user or password as %40 %3A %2F %25"
        )
    implicit_tls = parts["scheme"] == "smtps"
    login = parts["user"] is not None
    port = int(parts["port"] or (465 if implicit_tls else 587 if login else 25))
    if not 1 <= port <= 65535:
        raise InvalidSmtpAddress("must have a port from 1 to 65535")
    user, password = (unquote(parts[name] or "") for name in ("user", "password"))
    return SmtpServer(parts["host"].strip("[]"), port, implicit_tls, user, password)
