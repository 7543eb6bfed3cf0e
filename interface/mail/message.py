"""Writes a message as mail servers take it (RFC 5322): headers, and the same text in several forms.

`email.message` parses each header that it is given, and each part anew for every change; that took
most of the time of a mail.
"""

import re
from binascii import b2a_qp
from collections.abc import Sequence
from dataclasses import dataclass, field
from email.header import Header
from email.utils import quote
from secrets import token_hex

_LONGEST_HEADER = 78  # characters, by which every program takes it
_LONGEST_LINE = 998  # bytes, by RFC 5321
_END = "\r\n"
_SPECIAL = re.compile(r'[][()<>@,:;."\\]')  # only within quotation marks, by RFC 5322


@dataclass(frozen=True)
class Mailbox:
    """An address to which mail goes, and the name of its reader; "" if nobody has said.

    `address` is as mail servers take it: with quotation marks if it needs any, and its domain in
    ASCII.
    """

    name: str
    address: str

    def __str__(self) -> str:
        if not self.name:
            return self.address
        name = f'"{quote(self.name)}"' if _SPECIAL.search(self.name) else self.name
        return f"{name} <{self.address}>"


@dataclass(frozen=True)
class Form:
    """A text in one of the forms of which a program shows the last one that it knows."""

    media_type: str
    text: str = field(repr=False)


def written(headers: Sequence[tuple[str, str | Mailbox]], forms: Sequence[Form]) -> bytes:
    """Returns the message. Values of headers must have no line breaks.

    In ASCII, unless there is an address beyond it.
    """
    boundary = f"=_{token_hex(16)}"  # random, so that no text can contain it on purpose
    lines = [_header(name, value) for name, value in headers]
    lines += [
        "MIME-Version: 1.0",
        f'Content-Type: multipart/alternative; boundary="{boundary}"',
        "",
    ]
    for form in forms:
        lines += [f"--{boundary}", _part(form)]
    lines += [f"--{boundary}--", ""]
    return _END.join(lines).encode()


def _header(name: str, value: str | Mailbox) -> str:
    line = f"{name}: {value}"
    text = value.name if isinstance(value, Mailbox) else value
    if text.isascii() and "=?" not in text:
        if len(line) <= _LONGEST_HEADER:
            return line
        if isinstance(value, str) and (folded := _folded(line, after=len(name) + 2)):
            return folded
    encoded = Header(text, "utf-8", header_name=name).encode(linesep=_END)
    address = f"{_END} <{value.address}>" if isinstance(value, Mailbox) else ""
    return f"{name}: {encoded}{address}"


def _folded(line: str, *, after: int) -> str | None:
    """Returns a header that goes on in further lines, each begun by one of its single spaces.

    Only spaces behind its beginning of so many characters count. None if its words are too long.
    """
    lines = []
    while len(line) > _LONGEST_HEADER:
        place = line.rfind(" ", after, _LONGEST_HEADER + 1)
        if place < 0 or line[place - 1] == " ":
            return None
        lines.append(line[:place])
        line, after = line[place:], 1
    return _END.join([*lines, line])


def _part(form: Form) -> str:
    """Returns a part with its headers. Its content ends with a line break."""
    text = form.text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n")
    encoding = "7bit"
    if not text.isascii() or max(map(len, text.split("\n"))) > _LONGEST_LINE:
        encoding = "quoted-printable"
        text = b2a_qp(text.encode(), istext=True).decode()
    return _END.join(
        [
            f"Content-Type: {form.media_type}; charset=utf-8",
            f"Content-Transfer-Encoding: {encoding}",
            "",
            text.replace("\n", _END),
            "",
        ]
    )
