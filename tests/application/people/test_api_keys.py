"""API keys: scopes, revocation, forgeries, and what is stored of them."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest

from application.people.accounts import Account, Accounts
from application.people.api_keys import ApiKeys, KeyNotFound
from domain.errors import Invalid
from tests.application.conftest import rows_of
from tests.support.examples import NOW

LATER = NOW + timedelta(hours=1)


def prefix_of(key: str) -> str:
    return key.split("_")[1]


def test_a_key_has_all_scopes_that_the_roles_allow_by_default(
    api_keys: ApiKeys, olivia: Account
) -> None:
    key = api_keys.create(olivia, name="laptop", now=NOW)
    assert re.fullmatch(r"ao_[0-9a-f]{8}_[\w-]{43}", key)
    caller = api_keys.caller(key, now=NOW)
    assert caller is not None
    assert caller.account_id == olivia.id
    assert caller.scopes == {"calendars", "links", "bookings"}
    assert caller.actor == f"key:{prefix_of(key)}"


def test_a_key_can_have_fewer_scopes_than_the_roles_allow(
    api_keys: ApiKeys, olivia: Account
) -> None:
    key = api_keys.create(olivia, name="reader", scopes=["bookings", "bookings"], now=NOW)
    caller = api_keys.caller(key, now=NOW)
    assert caller is not None
    assert caller.scopes == {"bookings"}
    assert api_keys.all()[0].scopes == ("bookings",)


@pytest.mark.parametrize("scopes", [["audit"], ["links", "audit"], ["everything"]])
def test_a_key_cannot_have_more_scopes_than_the_roles_allow(
    api_keys: ApiKeys, olivia: Account, scopes: list[str]
) -> None:
    with pytest.raises(Invalid) as refusal:
        api_keys.create(olivia, name="laptop", scopes=scopes, now=NOW)
    (sentence,) = refusal.value.errors["scope"]
    assert scopes[-1] in sentence
    assert api_keys.all() == []


def test_keys_are_listed_newest_first_without_their_secrets(
    api_keys: ApiKeys, olivia: Account
) -> None:
    older, newer = (
        api_keys.create(olivia, name=name, now=now)
        for name, now in (("older", NOW), ("newer", LATER))
    )
    keys = api_keys.all()
    assert [(key.name, key.prefix) for key in keys] == [
        ("newer", prefix_of(newer)),
        ("older", prefix_of(older)),
    ]
    assert {key.email for key in keys} == {"olivia@example.org"}
    assert {key.last_used_at for key in keys} == {key.revoked_at for key in keys} == {None}
    assert older.split("_", 2)[2] not in repr(keys)


def test_the_secret_of_a_key_is_not_stored(
    api_keys: ApiKeys, olivia: Account, conninfo: str
) -> None:
    key = api_keys.create(olivia, name="laptop", now=NOW)
    secret = key.split("_", 2)[2]
    stored = rows_of(conninfo, "api_keys")
    assert prefix_of(key) in stored
    assert secret not in stored
    assert secret.encode().hex() not in stored


def test_a_revoked_key_is_refused_from_that_moment_on(api_keys: ApiKeys, olivia: Account) -> None:
    revoked, stored = (
        api_keys.create(olivia, name=name, now=NOW) for name in ("revoked", "stored")
    )
    api_keys.revoke(prefix_of(revoked), now=NOW)
    assert api_keys.caller(revoked, now=NOW) is None
    assert api_keys.caller(stored, now=NOW) is not None


def test_revoking_a_key_again_changes_nothing(api_keys: ApiKeys, olivia: Account) -> None:
    prefix = prefix_of(api_keys.create(olivia, name="laptop", now=NOW))
    api_keys.revoke(prefix, now=NOW)
    api_keys.revoke(prefix, now=LATER)
    assert api_keys.all()[0].revoked_at == NOW


def test_an_account_sees_and_revokes_only_its_own_keys(
    accounts: Accounts, api_keys: ApiKeys, olivia: Account
) -> None:
    other = accounts.create(email="other@example.org", name="Other", roles=("owner",))
    mine, theirs = (api_keys.create(each, name="laptop", now=NOW) for each in (olivia, other))
    assert [key.prefix for key in api_keys.of(olivia)] == [prefix_of(mine)]
    with pytest.raises(KeyNotFound):
        api_keys.revoke(prefix_of(theirs), now=NOW, of=olivia)
    assert api_keys.caller(theirs, now=NOW) is not None
    api_keys.revoke(prefix_of(mine), now=NOW, of=olivia)
    assert api_keys.caller(mine, now=NOW) is None


def test_a_key_that_does_not_exist_cannot_be_revoked(api_keys: ApiKeys) -> None:
    with pytest.raises(KeyNotFound):
        api_keys.revoke("00000000", now=NOW)


FORGERIES: dict[str, Callable[[str], str]] = {
    "empty": lambda key: "",
    "without a start": lambda key: key.removeprefix("ao_"),
    "another start": lambda key: "xx" + key[2:],
    "only a prefix": lambda key: key.rpartition("_")[0],
    "no secret": lambda key: f"ao_{prefix_of(key)}_",
    "another prefix": lambda key: f"ao_00000000_{key.split('_', 2)[2]}",
    "another secret": lambda key: f"ao_{prefix_of(key)}_{'x' * 43}",
    "something added": lambda key: key + "x",
    "something left out": lambda key: key[:-1],
    "not ASCII": lambda key: key + "é",
    "a NUL": lambda key: f"ao_{prefix_of(key)}\0_x",
    "a lone surrogate": lambda key: key + "\ud800",
    "very long": lambda key: key + "x" * 100_000,
}


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
def test_a_forged_key_is_refused(
    api_keys: ApiKeys, olivia: Account, forge: Callable[[str], str]
) -> None:
    key = api_keys.create(olivia, name="laptop", now=NOW)
    assert api_keys.caller(forge(key), now=NOW) is None
    assert api_keys.all()[0].last_used_at is None


def test_the_last_use_of_a_key_is_recorded_at_most_once_a_minute(
    api_keys: ApiKeys, olivia: Account
) -> None:
    key = api_keys.create(olivia, name="laptop", now=NOW)

    def last_use_after(seconds: int) -> float:
        api_keys.caller(key, now=NOW + timedelta(seconds=seconds))
        used_at = api_keys.all()[0].last_used_at
        assert used_at is not None
        return (used_at - NOW).total_seconds()

    assert [last_use_after(seconds) for seconds in (0, 1, 60, 66, 90, 127)] == [
        0,
        0,
        0,
        66,
        66,
        127,
    ]
