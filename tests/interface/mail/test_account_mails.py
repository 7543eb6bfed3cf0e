"""The mails to an account about what was done to it."""

from application.people.accounts import Account
from application.people.identities import Identity
from interface.bootstrap import Services
from tests.interface.mail.conftest import Send
from tests.interface.mail.test_booking_mails import text_of
from tests.support.authenticator import Authenticator
from tests.support.examples import NOW
from tests.support.mail_server import MailServer


def test_a_new_key_is_told_to_its_account_with_the_way_to_revoke_it(
    services: Services, host: Account, send: Send, mail_server: MailServer
) -> None:
    key = services.api_keys.create(host, name="Website", now=NOW)
    assert send() == ["sent"]
    (mail,) = mail_server.mails
    assert (mail["To"], mail["Reply-To"]) == ("Olivia Owner <olivia@example.org>", None)
    assert mail["Subject"] == "Ein neuer API-Schlüssel für Ihr Konto"
    start, prefix, secret = key.split("_", 2)
    text = text_of(mail)
    assert f"API-Schlüssel: Website ({start}_{prefix}_…)" in text
    assert "https://book.example.org/settings/access" in text
    assert "23.11.2026, 09:00:00 (Mitteleuropäische Zeit\u00a0– Berlin)" in text
    assert secret not in mail.as_string()


def test_a_new_password_is_told_to_its_account(
    services: Services, host: Account, send: Send, mail_server: MailServer
) -> None:
    services.accounts.set_language(host, "en-GB")
    services.sessions.set_password(host, "correct horse battery", now=NOW)
    assert send() == ["sent"]
    (mail,) = mail_server.mails
    assert mail["Subject"] == "Your password was changed"
    assert "All other browsers were signed out." in text_of(mail)
    assert "correct horse battery" not in mail.as_string()
    assert mail["Message-ID"].endswith(".new-password.owner@book.example.org>")


def test_a_new_passkey_is_told_to_its_account(
    services: Services, host: Account, send: Send, mail_server: MailServer
) -> None:
    device = Authenticator()
    made = device.make(services.passkeys.begin_to_add(host, now=NOW))
    services.passkeys.add(host, made, name="Laptop im Büro", now=NOW)
    assert send() == ["sent"]
    (mail,) = mail_server.mails
    assert mail["Subject"] == "Ein neuer Passkey für Ihr Konto"
    assert "Passkey: Laptop im Büro" in text_of(mail)


def test_a_new_identity_at_the_provider_is_told_to_its_account(
    services: Services, host: Account, send: Send, mail_server: MailServer
) -> None:
    services.identities.connect(host, issuer="https://id.example", subject="eve", now=NOW)
    assert send() == ["sent"]
    (mail,) = mail_server.mails
    assert mail["Subject"] == "Ihr Konto wurde mit dem Anmeldedienst verbunden"
    text = text_of(mail)
    assert "Anmeldedienst: https://id.example" in text
    assert "trennen Sie die Verbindung" in text
    assert "eve" not in text


def test_an_identity_that_takes_a_prepared_account_by_its_address_is_told_to_it(
    services: Services, host: Account, send: Send, mail_server: MailServer
) -> None:
    prepared = services.accounts.create(email="ada@example.org", name="Ada", roles=["auditor"])
    ada = Identity("https://id.example", "ada", prepared.email, None, {})
    for _ in range(2):
        assert services.identities.sign_in(ada, now=NOW).id == prepared.id
    assert send() == ["sent"]
    assert [mail["To"] for mail in mail_server.mails] == ["Ada <ada@example.org>"]


def test_a_sign_in_at_a_new_browser_is_told_once_there_was_an_earlier_one(
    services: Services, host: Account, send: Send, mail_server: MailServer
) -> None:
    for name in ("Firefox on Linux", "Safari on iPhone"):
        services.sessions.start(host, now=NOW, browser=name, is_new_browser=True)
    assert send() == ["sent"]
    (mail,) = mail_server.mails
    assert mail["Subject"] == "Eine neue Anmeldung bei Ihrem Konto"
    assert "Safari on iPhone" in text_of(mail)
