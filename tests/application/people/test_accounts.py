"""Accounts, their roles, and sign-in tokens."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from itsdangerous import TimestampSigner

from application.people.accounts import (
    SIGN_IN_LIFETIME,
    Account,
    AccountNotFound,
    Accounts,
)
from application.people.roles import ALL_SCOPES
from application.people.tokens import InvalidToken
from domain.errors import Invalid
from interface.bootstrap import Services
from tests.application.conftest import rows_of
from tests.support.examples import NOW
from tests.support.waiting import at_once

LATER = NOW + timedelta(hours=1)


# Accounts


def test_a_new_account_is_found_by_id_and_by_address_in_any_case(
    accounts: Accounts, olivia: Account
) -> None:
    assert (olivia.email, olivia.name, olivia.roles) == (
        "olivia@example.org",
        "Olivia Owner",
        ("owner",),
    )
    assert not olivia.has_signed_in
    assert accounts.by_id(olivia.id) == olivia
    assert accounts.by_email("OLIVIA@Example.org") == olivia


def test_an_account_is_named_without_signs_that_nobody_sees(accounts: Accounts) -> None:
    name = "Ol\u200bivia \u202eOwner"
    assert accounts.create(email="o@example.org", name=name, roles=()).name == "Olivia Owner"


@pytest.mark.parametrize("name", [None, ""])
def test_an_account_without_a_name_is_named_after_its_address(
    accounts: Accounts, name: str | None
) -> None:
    assert accounts.create(email="olivia@example.org", name=name, roles=()).name == "olivia"


@pytest.mark.parametrize("email", ["olivia@example.org", "Olivia@EXAMPLE.org"])
def test_an_address_has_one_account_in_whatever_case(
    accounts: Accounts, olivia: Account, email: str
) -> None:
    with pytest.raises(Invalid) as refusal:
        accounts.create(email=email, name="Another", roles=("owner",))
    assert list(refusal.value.errors) == ["email"]
    assert accounts.by_email(email) == olivia


@pytest.mark.parametrize(
    "email",
    [
        *("", "olivia", "@example.org", "olivia@", "oli via@example.org", "o\0@example.org"),
        *("a@b,c@d.e", "a@@b", "x,y@z", '"<x>"@y', f"olivia@{'x' * 250}.org"),
    ],
)
def test_an_account_needs_a_valid_address_and_known_roles(
    accounts: Accounts, conninfo: str, email: str
) -> None:
    with pytest.raises(Invalid) as refusal:
        accounts.create(email=email, name=None, roles=("owner", "emperor"))
    assert list(refusal.value.errors) == ["email", "role"]
    assert rows_of(conninfo, "accounts") == ""


@pytest.mark.parametrize("email", ["owner@localhost", "olivia@nas.local", "olivia@intranet"])
def test_an_account_may_have_an_address_of_the_local_network(
    accounts: Accounts, email: str
) -> None:
    assert accounts.create(email=email, name=None, roles=("owner",)) == accounts.by_email(email)


def test_an_account_is_found_by_each_spelling_of_its_domain(accounts: Accounts) -> None:
    account = accounts.create(email="ola@XN--PKLAD-zsa96e.cz", name=None, roles=("owner",))
    assert account.email == "ola@příklad.cz"
    for spelling in ("ola@příklad.cz", "OLA@xn--pklad-zsa96e.cz"):
        assert accounts.by_email(spelling) == account


def test_an_account_with_an_address_that_is_refused_today_still_signs_in(
    accounts: Accounts, services: Services, olivia: Account
) -> None:
    services.sessions.set_password(olivia, "a good password", now=NOW)
    with services.database.connection() as conn:
        conn.execute("UPDATE accounts SET email = 'x,Y@@z'")
    assert accounts.by_email("x,y@@z").id == olivia.id
    assert services.sessions.with_password("X,y@@z", "a good password").id == olivia.id


@pytest.mark.parametrize(
    ("roles", "scopes"),
    [
        ((), set()),
        (("owner",), {"calendars", "links", "bookings"}),
        (("auditor",), {"audit"}),
        (("operator",), {"projections"}),
        (("owner", "auditor"), {"calendars", "links", "bookings", "audit"}),
        (("admin",), set(ALL_SCOPES)),
    ],
)
def test_roles_allow_scopes(accounts: Accounts, roles: tuple[str, ...], scopes: set[str]) -> None:
    account = accounts.create(email="someone@example.org", name=None, roles=roles)
    assert account.roles == roles
    assert set(account.scopes) == scopes
    assert len(account.scopes) == len(scopes)


def test_accounts_that_do_not_exist_are_not_found(accounts: Accounts) -> None:
    with pytest.raises(AccountNotFound):
        accounts.by_email("nobody@example.org")
    with pytest.raises(AccountNotFound):
        accounts.by_id(uuid4())


def test_the_first_account_is_the_oldest(accounts: Accounts) -> None:
    assert accounts.first() is None
    first = accounts.create(email="zoe@example.org", name=None, roles=("admin",))
    accounts.create(email="abe@example.org", name=None, roles=("owner",))
    assert accounts.first() == first


def test_the_name_and_the_time_zone_of_an_account_can_be_changed(
    accounts: Accounts, olivia: Account
) -> None:
    other = accounts.create(email="other@example.org", name="Other", roles=("owner",))
    changed = accounts.change(olivia, name="Liv", time_zone="Europe/Oslo")
    assert changed == replace(olivia, name="Liv", time_zone="Europe/Oslo")
    assert accounts.by_id(olivia.id) == changed
    assert accounts.by_id(other.id) == other


# Signing in


def test_a_sign_in_token_names_its_account_and_signs_in_once(
    accounts: Accounts, olivia: Account
) -> None:
    token = accounts.sign_in_token(olivia)
    assert accounts.account_behind(token) == accounts.account_behind(token) == olivia
    signed_in = accounts.sign_in(token, now=NOW)
    assert (signed_in.id, signed_in.has_signed_in) == (olivia.id, True)
    with pytest.raises(InvalidToken):
        accounts.sign_in(token, now=NOW)
    with pytest.raises(InvalidToken):
        accounts.account_behind(token)


def test_of_many_who_use_a_sign_in_token_at_once_one_is_signed_in(
    accounts: Accounts, olivia: Account
) -> None:
    token = accounts.sign_in_token(olivia)

    def sign_in() -> str:
        try:
            return accounts.sign_in(token, now=NOW).name
        except InvalidToken:
            return "refused"

    assert sorted(at_once([sign_in] * 8)) == ["Olivia Owner"] + ["refused"] * 7


def test_a_newer_sign_in_token_ends_the_one_before(accounts: Accounts, olivia: Account) -> None:
    older, newer = accounts.sign_in_token(olivia), accounts.sign_in_token(olivia)
    with pytest.raises(InvalidToken):
        accounts.sign_in(older, now=NOW)
    assert accounts.sign_in(newer, now=NOW).id == olivia.id


def test_a_sign_in_token_is_good_for_a_day(
    accounts: Accounts, olivia: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = accounts.sign_in_token(olivia)
    issued_at = TimestampSigner("-").get_timestamp()
    passed = SIGN_IN_LIFETIME.total_seconds() + 60
    monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda _: issued_at + passed)
    for use in (accounts.account_behind, lambda token: accounts.sign_in(token, now=LATER)):
        with pytest.raises(InvalidToken):
            use(token)
    assert not accounts.by_id(olivia.id).has_signed_in


def test_a_sign_in_token_is_not_stored(accounts: Accounts, olivia: Account, conninfo: str) -> None:
    token = accounts.sign_in_token(olivia)
    assert token not in rows_of(conninfo, "accounts")
    assert token.split(".")[-1] not in rows_of(conninfo, "accounts")
