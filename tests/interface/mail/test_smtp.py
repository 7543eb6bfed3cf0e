"""How a mail server is spoken to: TLS, login, limits of time, and the dialogue for operators."""

import socket
import ssl
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from application.deliveries.channel import Failed, Refused
from interface.mail import smtp
from interface.mail.mail import Mail
from interface.mail.smtp import SmtpConnection
from interface.mail.trial import trial_mail
from interface.settings import Settings
from interface.smtp_address import SmtpServer
from tests.support.command_line import Command
from tests.support.examples import NOW
from tests.support.mail_server import HOST, PASSWORD, USER, MailServer, running_mail_server


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the key and the certificate of a mail server on this machine."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(HOST))]), False)
        .add_extension(x509.BasicConstraints(True, None), True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file.write_bytes(private + signed.public_bytes(serialization.Encoding.PEM))
    return file


@pytest.fixture(scope="module")
def secured(certificate: Path) -> Iterator[MailServer]:
    """A mail server that insists on TLS and a login."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with running_mail_server(tls=context, with_login=True) as server:
        yield server


@pytest.fixture
def mail() -> Mail:
    """A mail to Ada."""
    settings = Settings(public_url="https://book.example.org")
    return trial_mail(settings, "ada@example.org", now=NOW)


def test_a_login_is_sent_over_tls_to_a_server_that_is_who_it_says(
    secured: MailServer, mail: Mail, certificate: Path
) -> None:
    lines: list[str] = []
    server = SmtpServer(HOST, secured.port, user=USER, password=PASSWORD)
    with pytest.raises(Failed, match="certificate verify failed"):
        SmtpConnection(server, "book.example.org").send(mail)
    connection = SmtpConnection(server, "book.example.org", ca_file=certificate, note=lines.append)
    assert connection.send(mail).startswith("250 OK, queued as")
    connection.close()
    assert lines[0].startswith("< 220 ")
    assert "> STARTTLS" in lines
    assert "> (hidden)" in lines
    assert "> mail FROM:<admit-one@book.example.org>" in lines
    login = b64encode(f"\0{USER}\0{PASSWORD}".encode()).decode()
    assert not any(secret in "".join(lines) for secret in (PASSWORD, login))
    with pytest.raises(Failed, match="535"):
        SmtpConnection(
            replace(server, password="wrong"),  # noqa: S106
            "book.example.org",
            ca_file=certificate,
        ).send(mail)


def test_a_server_without_tls_gets_no_password(mail: Mail) -> None:
    with running_mail_server() as plain:
        server = SmtpServer(HOST, plain.port, user=USER, password=PASSWORD)
        with pytest.raises(Failed, match="STARTTLS"):
            SmtpConnection(server, "book.example.org").send(mail)


def test_a_server_may_be_one_with_tls_from_the_first_byte(certificate: Path, mail: Mail) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with running_mail_server(tls=context, implicit=True) as server:
        address = SmtpServer(HOST, server.port, implicit_tls=True)
        with pytest.raises(Failed, match="certificate verify failed"):
            SmtpConnection(address, "book.example.org").send(mail)
        connection = SmtpConnection(address, "book.example.org", ca_file=certificate)
        assert connection.send(mail) == "250 OK, queued as 1"
        connection.close()


def test_a_server_that_takes_several_commands_at_once_is_not_waited_for_between_them(
    mail: Mail,
) -> None:
    lines: list[str] = []
    with running_mail_server() as server:
        server.pipelining = True
        connection = SmtpConnection(server.address, "book.example.org", note=lines.append)
        assert connection.send(mail) == "250 OK, queued as 1"
        assert [line.split()[0] for line in lines[-7:]] == [">", ">", ">", "<", "<", "<", "<"]
        server.refusals += ["550 No such user"]
        with pytest.raises(Refused, match="550 No such user"):
            connection.send(mail)
        assert connection.send(mail) == "250 OK, queued as 2"
        connection.close()
    assert [sent["To"] for sent in server.mails] == ["ada@example.org"] * 2


def test_a_connection_that_the_server_has_closed_meanwhile_is_made_again(mail: Mail) -> None:
    with running_mail_server() as server:
        connection = SmtpConnection(server.address, "book.example.org")
        connection.send(mail)
        server.hang_up()
        assert connection.send(mail) == "250 OK, queued as 2"
        connection.close()


@contextmanager
def greeting_server(part: bytes, *, pause: float) -> Iterator[int]:
    """A server that says the same part of its greeting again and again, and never all of it."""
    stop = threading.Event()
    with socket.create_server((HOST, 0)) as listening:
        listening.settimeout(10)

        def greet() -> None:
            connected, _ = listening.accept()
            with connected:
                while not stop.wait(pause):
                    try:
                        connected.sendall(part)
                    except OSError:
                        return

        thread = threading.Thread(target=greet)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            stop.set()
            thread.join()


def test_a_server_that_drips_is_cut_off(mail: Mail, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "WHOLE_SECONDS", 0.3)
    with greeting_server(b"2", pause=0.05) as port, pytest.raises(Failed):
        SmtpConnection(SmtpServer(HOST, port), "book.example.org").send(mail)


def test_a_server_that_never_comes_to_an_end_is_cut_off(mail: Mail) -> None:
    lines = b"220-Welcome\r\n" * 9999
    with (
        greeting_server(lines, pause=0) as port,
        pytest.raises(Failed, match="the answer is too large"),
    ):
        SmtpConnection(SmtpServer(HOST, port), "book.example.org").send(mail)


def test_the_command_prints_the_dialogue_and_says_whether_the_mail_was_taken(
    admitone: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = admitone("mail", "test", "ada@example.org")
    assert (done.status, done.err) == (
        1,
        "ADMITONE_SMTP_URL is not set: no mail goes out.\n",
    )
    with running_mail_server() as server:
        monkeypatch.setenv("ADMITONE_SMTP_URL", f"smtp://{HOST}:{server.port}")
        done = admitone("mail", "test", "ada@example.org")
        assert done.status == 0
        assert "> rcpt TO:<ada@example.org>\n< 250 OK\n> data\n< 354 " in done.out
        assert done.out.endswith("The mail server has accepted the mail to ada@example.org.\n")
        assert server.mails[0]["To"] == "ada@example.org"
        server.refusals += ["550 No such user"]
        done = admitone("mail", "test", "ada@example.org")
        assert (done.status, done.err) == (1, "The mail was not accepted: 550 No such user\n")
    done = admitone("mail", "test", "ada")
    assert (done.status, done.err) == (1, "Enter one e-mail address, such as name@example.org.\n")
