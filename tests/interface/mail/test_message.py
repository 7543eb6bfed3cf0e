"""Messages as they are written, read back by the standard library."""

from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import parseaddr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interface.mail.letter import mailbox
from interface.mail.message import Form, Mailbox, written

ADA = Mailbox("Ada Lovelace", "ada@example.org")


def read(content: bytes) -> EmailMessage:
    return message_from_bytes(content, EmailMessage, policy=policy.default)


@pytest.mark.parametrize(
    "subject",
    [
        "Confirmed: Intro call",
        "Bestätigt: Gespräch, 9:00\u202fUhr",
        "=?utf-8?q?no_code?=",
        "A long subject " * 20,
        "Two  spaces " * 20,
        "Donaudampfschifffahrtsgesellschaft" * 10,
        "Überlang 予約 " * 30,
    ],
)
@pytest.mark.parametrize("name", ["Ada", 'Zoë "Z" Müller, PhD; <z@evil.example>', "予約" * 40])
def test_headers_are_read_as_they_were_meant_and_go_over_any_server(
    subject: str, name: str
) -> None:
    recipient = Mailbox(name, "ada@example.org")
    content = written([("To", recipient), ("Subject", subject.strip())], [Form("text/plain", "x")])
    assert content.isascii()
    mail = read(content)
    assert mail["Subject"] == subject.strip()
    (written_to,) = (value for key, value in mail.raw_items() if key == "To")
    shown, address = parseaddr(written_to)
    assert (str(make_header(decode_header(shown))), address) == (name, "ada@example.org")
    assert mail.defects == []


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=100))
def test_whatever_somebody_is_called_their_mail_goes_to_them_alone(name: str) -> None:
    recipient = mailbox(name, "ada@example.org")
    mail = read(written([("To", recipient)], [Form("text/plain", "x")]))
    (written_to,) = (value for key, value in mail.raw_items() if key == "To")
    shown, address = parseaddr(written_to)
    assert (str(make_header(decode_header(shown))), address) == (recipient.name, "ada@example.org")
    assert recipient.name.isprintable()
    assert mail.keys() == ["To", "MIME-Version", "Content-Type"]
    assert mail.defects == []


@pytest.mark.parametrize("user", ["a@example.com,b", "a>,<b", 'a"b', "a\\b", "(a)b"])
def test_what_an_earlier_version_took_for_one_address_gets_one_mail(user: str) -> None:
    recipient = mailbox("Ada", f"{user}@example.org")
    (found,) = read(written([("To", recipient)], [Form("text/plain", "x")]))["To"].addresses
    assert (found.username, found.domain) == (user, "example.org")
    assert found.addr_spec == recipient.address


def test_a_long_subject_in_ascii_goes_on_in_further_lines_as_it_is() -> None:
    subject = "New booking: Introduction with Ada Lovelace, " * 4
    content = written([("Subject", subject.strip())], [Form("text/plain", "x")])
    lines = content.partition(b"\r\nMIME-Version")[0].split(b"\r\n")
    assert max(map(len, lines)) <= 78
    assert b"".join(lines) == f"Subject: {subject.strip()}".encode()


@pytest.mark.parametrize(
    "text",
    [
        "Plain\n.\n\nFrom here on\n",
        "Grüße = 予約 \n.dot\n",
        "a" * 5000,
        "no line break at the end",
    ],
)
def test_texts_are_read_as_they_were_written_in_lines_that_any_server_takes(text: str) -> None:
    content = written([("To", ADA)], [Form("text/plain", text), Form("text/html", f"<p>{text}")])
    assert content.isascii()
    assert max(map(len, content.split(b"\r\n"))) <= 998
    assert b"\n" not in content.replace(b"\r\n", b"")
    parts = list(read(content).iter_parts())
    assert [part.get_content_type() for part in parts] == ["text/plain", "text/html"]
    assert parts[0].get_content().replace("\r\n", "\n") == text.removesuffix("\n") + "\n"


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("", "To: zoë@example.org"),
        ("Doe, Zoe", 'To: "Doe, Zoe" <zoë@example.org>'),
        ("Zoë", "To: =?utf-8?q?Zo=C3=AB?=\r\n <zoë@example.org>"),
    ],
)
def test_a_local_part_beyond_ascii_stays_as_it_is(name: str, header: str) -> None:
    content = written([("To", Mailbox(name, "zoë@example.org"))], [Form("text/plain", "x")])
    assert content.decode().startswith(f"{header}\r\nMIME-Version")
