"""Passkeys: added, used to sign in, and refused when anything about them is not as it should be."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from application.people.accounts import Account, Accounts
from application.people.passkeys import (
    CHALLENGE_LIFETIME,
    MOST_PASSKEYS,
    PasskeyNotFound,
    PasskeyRefused,
    Passkeys,
)
from domain.errors import Invalid
from interface.bootstrap import Services, build
from tests.support.authenticator import FLAG, Authenticator
from tests.support.examples import NOW, SECRET
from tests.support.waiting import at_once

LATER = NOW + timedelta(hours=1)


@pytest.fixture
def passkeys(services: Services) -> Passkeys:
    return services.passkeys


@pytest.fixture
def olivers(accounts: Accounts) -> Account:
    """Another account."""
    return accounts.create(email="oliver@example.org", name="Oliver Other", roles=("owner",))


def added(passkeys: Passkeys, account: Account, device: Authenticator, name: str = "Phone") -> Any:
    """Adds a passkey that the device makes."""
    made = device.make(passkeys.begin_to_add(account, now=NOW))
    return passkeys.add(account, made, name=name, now=NOW)


@pytest.fixture
def device(passkeys: Passkeys, olivia: Account) -> Authenticator:
    """A device with a passkey of Olivia."""
    made = Authenticator()
    added(passkeys, olivia, made)
    return made


def is_refused(passkeys: Passkeys, credential: str, account: Account | None = None) -> bool:
    try:
        passkeys.use(credential, account, now=LATER)
    except PasskeyRefused:
        return True
    return False


def asked(passkeys: Passkeys, account: Account | None = None) -> dict[str, Any]:
    """What the browser gets, as it gets it."""
    options: dict[str, Any] = json.loads(json.dumps(passkeys.begin_to_use(account, now=LATER)))
    return options


def test_a_passkey_signs_in_without_saying_whose_it_is(
    passkeys: Passkeys, olivia: Account, device: Authenticator
) -> None:
    options = asked(passkeys)
    assert options["rpId"] == "book.example.org"
    assert options["userVerification"] == "required"
    assert not options.get("allowCredentials")
    assert passkeys.use(device.sign(options), now=LATER) == olivia
    (passkey,) = passkeys.all(olivia)
    assert (passkey.name, passkey.created_at, passkey.last_used_at) == ("Phone", NOW, LATER)


def test_a_browser_is_asked_for_a_key_that_the_device_keeps_and_guards(
    passkeys: Passkeys, olivia: Account, device: Authenticator
) -> None:
    options = json.loads(json.dumps(passkeys.begin_to_add(olivia, now=NOW)))
    assert options["rp"] == {"name": "Admit One", "id": "book.example.org"}
    assert options["user"]["name"] == "olivia@example.org"
    assert options["authenticatorSelection"] == {
        "residentKey": "required",
        "userVerification": "required",
        "requireResidentKey": True,
    }
    assert [each["alg"] for each in options["pubKeyCredParams"]] == [-7, -8, -257]
    assert len(options["excludeCredentials"]) == 1  # the device itself refuses a second one
    assert "attestation" not in options or options["attestation"] == "none"


def test_a_challenge_is_signed_once(passkeys: Passkeys, device: Authenticator) -> None:
    credential = device.sign(asked(passkeys))
    refused = at_once([lambda: is_refused(passkeys, credential)] * 4)
    assert sorted(refused) == [False, True, True, True]


def test_a_challenge_is_good_for_five_minutes(passkeys: Passkeys, device: Authenticator) -> None:
    options = passkeys.begin_to_use(now=LATER - CHALLENGE_LIFETIME)
    assert is_refused(passkeys, device.sign(options))


def test_a_failed_attempt_uses_the_challenge_up(passkeys: Passkeys, device: Authenticator) -> None:
    options = asked(passkeys)
    thief = replace(device, key=Authenticator().key)
    assert is_refused(passkeys, thief.sign(options))
    assert is_refused(passkeys, device.sign(options))


@pytest.mark.parametrize(
    "change",
    [
        {"origin": "https://book.example.org.evil.example"},
        {"origin": "https://evil.book.example.org"},
        {"origin": "http://book.example.org"},
        {"origin": "https://book.example.org:444"},
        {"host": "example.org"},
        {"flags": FLAG.UP},
        {"flags": FLAG.UV},
        {"cross_origin": True},
        {"user_handle": b"somebody else"},
        {"credential_id": b"unknown"},
        {"key": Authenticator().key},
    ],
    ids=lambda change: "-".join(f"{name}" for name in change),
)
def test_a_signature_for_anything_else_signs_nobody_in(
    passkeys: Passkeys, device: Authenticator, change: dict[str, Any]
) -> None:
    assert is_refused(passkeys, replace(device, **change).sign(asked(passkeys)))
    assert not is_refused(passkeys, device.sign(asked(passkeys)))


def test_a_copy_of_a_passkey_is_found_by_its_counter(
    passkeys: Passkeys, device: Authenticator
) -> None:
    copy = replace(device)
    for _ in range(2):
        passkeys.use(device.sign(asked(passkeys)), now=LATER)
    assert is_refused(passkeys, copy.sign(asked(passkeys)))
    assert not is_refused(passkeys, device.sign(asked(passkeys)))
    copy.count = 0
    copy.step = 0
    assert is_refused(passkeys, copy.sign(asked(passkeys)))


def test_a_passkey_that_does_not_count_can_be_used_again(
    passkeys: Passkeys, olivia: Account
) -> None:
    device = Authenticator(step=0)
    added(passkeys, olivia, device)
    assert [is_refused(passkeys, device.sign(asked(passkeys))) for _ in range(2)] == [False] * 2


def test_what_was_asked_of_one_account_is_answered_by_its_own_passkeys(
    passkeys: Passkeys, olivia: Account, olivers: Account, device: Authenticator
) -> None:
    assert is_refused(passkeys, device.sign(asked(passkeys, olivers)), olivers)
    assert is_refused(passkeys, device.sign(asked(passkeys, olivia)))
    assert is_refused(passkeys, device.sign(asked(passkeys)), olivia)
    assert not is_refused(passkeys, device.sign(asked(passkeys, olivia)), olivia)


def test_while_an_account_is_disabled_its_passkeys_are_refused(
    passkeys: Passkeys, accounts: Accounts, olivia: Account, device: Authenticator
) -> None:
    accounts.disable(olivia, now=NOW)
    assert is_refused(passkeys, device.sign(asked(passkeys)))
    accounts.enable(olivia)
    assert not is_refused(passkeys, device.sign(asked(passkeys)))


def test_a_removed_passkey_signs_nobody_in(
    passkeys: Passkeys, olivia: Account, olivers: Account, device: Authenticator
) -> None:
    (passkey,) = passkeys.all(olivia)
    passkeys.rename(olivia, passkey.id, "Old phone")
    assert passkeys.one(olivia, passkey.id).name == "Old phone"
    for change in (passkeys.remove, passkeys.one, partial(passkeys.rename, name="Mine")):
        with pytest.raises(PasskeyNotFound):
            change(olivers, passkey.id)
    passkeys.remove(olivia, passkey.id)
    assert passkeys.all(olivia) == []
    assert is_refused(passkeys, device.sign(asked(passkeys)))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda device: replace(device, origin="https://evil.example"),
        lambda device: replace(device, flags=FLAG.UP),
        lambda device: replace(device, cross_origin=True),
    ],
    ids=["another origin", "nobody verified", "in a frame"],
)
def test_a_passkey_made_elsewhere_or_for_anybody_is_not_added(
    passkeys: Passkeys, olivia: Account, spoil: Callable[[Authenticator], Authenticator]
) -> None:
    with pytest.raises(Invalid) as refusal:
        added(passkeys, olivia, spoil(Authenticator()))
    assert list(refusal.value.errors) == ["passkey"]
    assert passkeys.all(olivia) == []


def test_a_passkey_is_added_by_whoever_was_asked_and_once(
    passkeys: Passkeys, olivia: Account, olivers: Account
) -> None:
    made = Authenticator().make(passkeys.begin_to_add(olivia, now=NOW))
    with pytest.raises(Invalid):
        passkeys.add(olivers, made, name="Phone", now=NOW)
    device = Authenticator()
    added(passkeys, olivia, device)
    with pytest.raises(Invalid):
        added(passkeys, olivers, device)
    assert (len(passkeys.all(olivia)), passkeys.all(olivers)) == (1, [])


def test_an_account_has_at_most_twenty_passkeys(passkeys: Passkeys, olivia: Account) -> None:
    for _ in range(MOST_PASSKEYS):
        added(passkeys, olivia, Authenticator())
    with pytest.raises(Invalid) as refusal:
        added(passkeys, olivia, Authenticator())
    assert refusal.value.errors == {"passkey": ["There can be at most 20 passkeys."]}


@pytest.mark.parametrize(
    "credential",
    [
        *("", "{", "[]", "null", '{"rawId": 1}', "x" * 20_000),
        json.dumps({"rawId": "AA", "response": {}}),
    ],
)
def test_what_no_browser_sends_is_refused(
    passkeys: Passkeys, olivia: Account, credential: str
) -> None:
    assert is_refused(passkeys, credential)
    with pytest.raises(Invalid):
        passkeys.add(olivia, credential, name="Phone", now=NOW)


@pytest.mark.parametrize(
    "part", ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]
)
def test_parts_that_are_damaged_are_refused(
    passkeys: Passkeys, olivia: Account, device: Authenticator, part: str
) -> None:
    for value in ("", "AA", "é", "e30", "gYGBgYGB" * 1000, "oA", "W10", 7):
        used = json.loads(device.sign(asked(passkeys)))
        made = json.loads(Authenticator().make(passkeys.begin_to_add(olivia, now=NOW)))
        if part in used["response"]:
            used["response"][part] = value
            assert is_refused(passkeys, json.dumps(used)), value
        if part in made["response"]:
            made["response"][part] = value
            with pytest.raises(Invalid):
                passkeys.add(olivia, json.dumps(made), name="Phone", now=NOW)


@pytest.mark.parametrize(
    ("public_url", "host"),
    [
        ("https://book.example.org/path", "book.example.org"),
        ("http://localhost:8000", "localhost"),
        ("http://book.localhost", "book.localhost"),
        ("http://book.example.org", None),
        ("https://192.0.2.1", None),
        ("http://[::1]:8000", None),
        ("", None),
    ],
)
def test_passkeys_are_for_the_host_of_the_public_address_where_browsers_have_them(
    services: Services, conninfo: str, olivia: Account, public_url: str, host: str | None
) -> None:
    settings = replace(services.settings, public_url=public_url, secret_keys=(SECRET,))
    built = build(settings, conninfo)
    try:
        assert built.passkeys.are_possible == (host is not None)
        if host is None:
            with pytest.raises(PasskeyRefused):
                built.passkeys.begin_to_use(now=NOW)
        else:
            assert built.passkeys.begin_to_use(now=NOW)["rpId"] == host
    finally:
        built.close()


def test_what_is_done_with_passkeys_stands_in_the_security_log(
    services: Services, passkeys: Passkeys, olivia: Account, device: Authenticator
) -> None:
    (passkey,) = passkeys.all(olivia)
    passkeys.rename(olivia, passkey.id, "Laptop")
    with pytest.raises(PasskeyRefused):
        passkeys.use("nothing", olivia, now=LATER)
    passkeys.remove(olivia, passkey.id)
    recorded = services.security_log.newest(limit=4)
    assert [entry.kind for entry in recorded] == [
        "passkey.removed",
        "sign-in.failed",
        "passkey.renamed",
        "passkey.added",
    ]
    assert {entry.account_id for entry in recorded} == {olivia.id}
    assert recorded[0].details == {"passkey": str(passkey.id)}
    assert recorded[1].details == {"how": "passkey"}
