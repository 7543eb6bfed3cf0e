"""A valid key is remembered for five seconds, and what a process revokes is forgotten at once."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from application.people.accounts import Account
from application.people.api_keys import ApiKeys
from application.people.recent_callers import MOST_REMEMBERED, Caller, RecentCallers
from interface.bootstrap import Services
from tests.support.examples import NOW

LIMIT = timedelta(seconds=5)
JUST_BEFORE = NOW + LIMIT - timedelta(microseconds=1)
CALLER = Caller(UUID(int=1), frozenset({"links"}), "key:01234567")


def test_a_caller_is_found_for_five_seconds_from_the_look_up() -> None:
    callers = RecentCallers()
    assert callers.find(b"key", now=NOW) is None
    callers.remember(b"key", CALLER, looked_up_at=NOW)
    assert callers.find(b"key", now=NOW) == callers.find(b"key", now=JUST_BEFORE) == CALLER
    assert callers.find(b"key", now=NOW + LIMIT) is None
    assert callers.find(b"another", now=NOW) is None


def test_a_clock_that_was_set_back_makes_nothing_last_longer() -> None:
    callers = RecentCallers()
    callers.remember(b"key", CALLER, looked_up_at=NOW)
    assert callers.find(b"key", now=NOW - timedelta(microseconds=1)) is None


def test_beyond_the_limit_the_oldest_look_up_is_forgotten() -> None:
    callers = RecentCallers()
    for number in range(MOST_REMEMBERED):
        callers.remember(b"%d" % number, CALLER, looked_up_at=NOW)
    callers.remember(b"0", CALLER, looked_up_at=NOW)  # looked up again
    callers.remember(b"one more", CALLER, looked_up_at=NOW)
    found = {n for n in range(MOST_REMEMBERED) if callers.find(b"%d" % n, now=NOW)}
    assert found == set(range(MOST_REMEMBERED)) - {1}


def test_only_the_key_with_the_prefix_is_forgotten() -> None:
    callers, other = RecentCallers(), Caller(CALLER.account_id, CALLER.scopes, "key:89abcdef")
    callers.remember(b"key", CALLER, looked_up_at=NOW)
    callers.remember(b"other", other, looked_up_at=NOW)
    callers.forget(CALLER.key_prefix)
    assert callers.find(b"key", now=NOW) is None
    assert callers.find(b"other", now=NOW) == other


def test_a_key_that_another_process_revokes_is_refused_five_seconds_later_at_most(
    api_keys: ApiKeys, olivia: Account, services: Services
) -> None:
    elsewhere = ApiKeys(services.database, RecentCallers())
    key = api_keys.create(olivia, name="laptop", now=NOW)
    caller = api_keys.caller(key, now=NOW)
    elsewhere.revoke(key.split("_")[1], now=NOW)
    assert elsewhere.caller(key, now=NOW) is None
    assert api_keys.caller(key, now=JUST_BEFORE) == caller is not None
    assert api_keys.caller(key, now=NOW + LIMIT) is None


def test_using_a_key_again_does_not_ask_the_database(
    api_keys: ApiKeys, olivia: Account, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = api_keys.create(olivia, name="laptop", now=NOW)
    wrong = f"{key[:-1]}{'a' if key[-1] != 'a' else 'b'}"
    assert api_keys.caller(wrong, now=NOW) is None
    assert api_keys.caller(key, now=NOW)
    asked: list[str] = []
    ask = services.database.fetch_one

    def counted(*args: Any) -> Any:
        asked.append("asked")
        return ask(*args)

    monkeypatch.setattr(services.database, "fetch_one", counted)
    assert api_keys.caller(key, now=NOW)
    assert asked == []
    assert api_keys.caller(wrong, now=NOW) is None
    assert api_keys.caller(wrong, now=NOW) is None
    assert asked == ["asked", "asked"]  # what was refused is not remembered


def test_neither_keys_nor_their_secrets_are_kept_in_memory(
    api_keys: ApiKeys, olivia: Account
) -> None:
    key = api_keys.create(olivia, name="laptop", now=NOW)
    assert api_keys.caller(key, now=NOW)
    assert key.split("_", 2)[2] not in repr(vars(api_keys._recent_callers))
