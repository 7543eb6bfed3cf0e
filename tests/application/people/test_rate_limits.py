"""Rate limits: what is counted for whom and for how long, and that they lock nobody out."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import psycopg
import pytest

from application.eventstore.database import Database
from application.people import rate_limits as module
from application.people.rate_limits import (
    FORGED_TOKENS,
    FREE_PASSWORDS,
    INVALID_REDEMPTIONS,
    PASSWORDS_BY_ACCOUNT,
    PASSWORDS_BY_CLIENT,
    WRONG_ANSWERS,
    WRONG_KEYS,
    RateLimit,
    RateLimits,
    TooManyAttempts,
)
from domain.errors import Unavailable
from interface.bootstrap import Services, build
from tests.application.conftest import rows_of
from tests.support.examples import NOW
from tests.support.stored_rows import query
from tests.support.waiting import at_once

HOME, WORK = "192.0.2.7", "2001:db8::/64"
OLIVIA = "olivia@example.org"
TWICE = RateLimit("twice", 2, timedelta(minutes=10))
SECOND = timedelta(seconds=1)


@pytest.fixture
def limits(services: Services) -> RateLimits:
    """Nothing has failed yet."""
    return services.rate_limits


@pytest.fixture
def other_worker(services: Services, conninfo: str) -> Iterator[RateLimits]:
    """Another process of the same service."""
    built = build(services.settings, conninfo)
    yield built.rate_limits
    built.close()


def refused(
    limits: RateLimits, limit: RateLimit = TWICE, address: str = HOME, now: datetime = NOW
) -> int | None:
    """Counts a failure; returns the seconds to wait where it is refused, else None."""
    try:
        limits.count(limit, address, now=now)
    except TooManyAttempts as refusal:
        return refusal.retry_after
    return None


def may_try(
    limits: RateLimits, *, address: str = HOME, email: str = OLIVIA, now: datetime = NOW
) -> int | None:
    """Asks before a password is checked; returns the seconds to wait, or None for none."""
    try:
        limits.check_password_attempt(client=address, email=email, now=now)
    except TooManyAttempts as refusal:
        return refusal.retry_after
    return None


def fail(
    limits: RateLimits,
    times: int,
    *,
    address: str = HOME,
    email: str = OLIVIA,
    now: datetime = NOW,
) -> None:
    """Enters that many wrong passwords."""
    for _ in range(times):
        limits.count_wrong_password(client=address, email=email, now=now)


def attack(limits: RateLimits, email: str = OLIVIA, now: datetime = NOW) -> None:
    """Enters wrong passwords for one account from many addresses, up to its limit."""
    for number in range(PASSWORDS_BY_ACCOUNT.failures):
        fail(limits, 1, address=f"198.51.100.{number}", email=email, now=now)


def test_failures_beyond_the_limit_are_refused_until_the_window_ends(limits: RateLimits) -> None:
    assert [refused(limits) for _ in range(3)] == [None, None, 600]
    assert refused(limits, now=NOW + timedelta(minutes=10) - SECOND / 2) == 1
    assert refused(limits, now=NOW + timedelta(minutes=10)) is None


def test_a_window_begins_with_its_first_failure_and_is_not_prolonged(limits: RateLimits) -> None:
    refused(limits)
    refused(limits, now=NOW + timedelta(minutes=9))
    assert refused(limits, now=NOW + timedelta(minutes=9, seconds=30)) == 30
    later = NOW + timedelta(minutes=10)
    assert [refused(limits, now=later) for _ in range(3)] == [None, None, 600]


def test_addresses_and_kinds_are_counted_apart(limits: RateLimits) -> None:
    other_kind = RateLimit("other", TWICE.failures, TWICE.window)
    assert [refused(limits) for _ in range(3)][-1] == 600
    assert refused(limits, address=WORK) is None
    assert refused(limits, other_kind) is None
    kinds = [
        limit.kind
        for limit in (
            FORGED_TOKENS,
            WRONG_KEYS,
            INVALID_REDEMPTIONS,
            PASSWORDS_BY_CLIENT,
            PASSWORDS_BY_ACCOUNT,
            WRONG_ANSWERS,
        )
    ]
    assert len(set(kinds)) == len(kinds)


def test_the_count_is_read_before_an_attempt_that_costs_much(limits: RateLimits) -> None:
    def wait(address: str = HOME, now: datetime = NOW) -> int | None:
        try:
            limits.check(TWICE, address, now=now)
        except TooManyAttempts as refusal:
            return refusal.retry_after
        return None

    refused(limits)
    assert wait() is None
    refused(limits)
    assert wait() == 600
    assert wait(WORK) is wait(now=NOW + TWICE.window) is None


def test_all_workers_count_together(limits: RateLimits, other_worker: RateLimits) -> None:
    refused(limits)
    refused(other_worker)
    assert refused(limits) == refused(other_worker) == 600


def test_of_many_failures_at_once_none_is_lost(limits: RateLimits) -> None:
    twenty = RateLimit("twenty", 20, timedelta(minutes=1))
    answers = at_once([lambda: refused(limits, twenty)] * 40)
    assert answers.count(None) == 20
    assert answers.count(60) == 20


def test_an_address_with_too_many_wrong_passwords_may_try_no_more(limits: RateLimits) -> None:
    fail(limits, PASSWORDS_BY_CLIENT.failures - 1, email="nobody@example.org")
    assert may_try(limits) is None
    fail(limits, 1, email="somebody@example.org")
    assert may_try(limits) == 15 * 60
    assert may_try(limits, address=WORK) is None
    assert may_try(limits, now=NOW + PASSWORDS_BY_CLIENT.window) is None


def test_a_stranger_cannot_lock_an_owner_out(limits: RateLimits) -> None:
    attack(limits)
    assert may_try(limits) is None
    fail(limits, FREE_PASSWORDS - 1)
    assert may_try(limits) is None
    fail(limits, 1)
    assert may_try(limits) == 15 * 60
    assert may_try(limits, address=WORK) is None
    assert may_try(limits, now=NOW + PASSWORDS_BY_CLIENT.window) is None


def test_an_account_under_attack_slows_down_only_its_own_guesses(limits: RateLimits) -> None:
    attack(limits)
    fail(limits, FREE_PASSWORDS)
    assert may_try(limits) is not None
    assert may_try(limits, email="oscar@example.org") is None


def test_whoever_is_slowed_down_waits_for_the_first_of_both_windows(limits: RateLimits) -> None:
    attack(limits)
    nearly = NOW + PASSWORDS_BY_ACCOUNT.window - 5 * SECOND
    fail(limits, FREE_PASSWORDS, now=nearly)
    assert may_try(limits, now=nearly) == 5
    assert may_try(limits, now=nearly + 5 * SECOND) is None


@pytest.mark.parametrize(
    "spelling", ["Olivia@EXAMPLE.org", " olivia@example.org ", "OLIVIA@example.org"]
)
def test_an_account_is_counted_in_every_spelling(limits: RateLimits, spelling: str) -> None:
    attack(limits, email=spelling)
    fail(limits, FREE_PASSWORDS, email="nobody@example.org")
    assert may_try(limits) is not None


@pytest.mark.parametrize("text", ["", "no address", "\ud800", "a\0b", "x" * 5000])
def test_whatever_is_typed_as_an_address_is_counted(limits: RateLimits, text: str) -> None:
    fail(limits, PASSWORDS_BY_CLIENT.failures, email=text)
    assert may_try(limits, email=text) is not None


def test_asking_writes_nothing(limits: RateLimits, conninfo: str) -> None:
    assert may_try(limits) is None
    assert rows_of(conninfo, "rate_limits") == ""


def test_nobodys_address_is_stored(limits: RateLimits, conninfo: str) -> None:
    fail(limits, 1)
    stored = rows_of(conninfo, "rate_limits")
    assert len(stored.splitlines()) == 2
    for text in (HOME, OLIVIA):
        assert text not in stored
        assert text.encode().hex() not in stored


def test_windows_that_have_ended_are_swept(
    limits: RateLimits, conninfo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_SWEEP", module._SWEEP.replace("5000", "2"))
    for minute in range(5):
        refused(limits, address=f"192.0.2.{minute}", now=NOW + timedelta(minutes=minute))
    assert limits.sweep(now=NOW + timedelta(minutes=13)) == 4
    assert limits.sweep(now=NOW + timedelta(minutes=13)) == 0
    assert query(conninfo, "SELECT count(*) FROM rate_limits") == [(1,)]


def test_a_count_waits_for_no_disk(conninfo: str) -> None:
    kinds = query(conninfo, "SELECT relpersistence FROM pg_class WHERE relname = 'rate_limits'")
    assert kinds == [("u",)]


def test_a_database_that_is_away_is_noticed_within_a_moment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "DATABASE_SECONDS", 0.05)
    database = Database("host=127.0.0.1 port=1 user=nobody dbname=none")
    away = RateLimits(database, "the key of a service")
    with pytest.raises(Unavailable):
        refused(away)
    with pytest.raises(Unavailable):
        may_try(away)
    database.close()


def test_a_table_that_is_locked_is_noticed_within_a_moment(
    limits: RateLimits, conninfo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "DATABASE_SECONDS", 0.05)
    with psycopg.connect(conninfo) as conn:
        conn.execute("LOCK TABLE rate_limits")
        with pytest.raises(Unavailable):
            refused(limits)
