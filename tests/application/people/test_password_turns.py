"""Hashes of passwords take turns: few at once, few waiting, and none for long."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Semaphore
from time import monotonic
from typing import Any

import pytest

from application.people import authentication
from application.people.authentication import (
    HASHES_AT_ONCE,
    MOST_WAITING,
    TooManySignIns,
    WrongPassword,
)
from interface.bootstrap import Services
from tests.support.waiting import wait_until


class SlowHasher:
    """Computes each hash until it may end."""

    def __init__(self) -> None:
        self.computing = Semaphore(0)
        self.may_end = Event()

    def hash(self, _: str) -> str:
        """Takes long."""
        self.computing.release()
        assert self.may_end.wait(30)
        return "a hash"

    def verify(self, *_: str) -> bool:
        """Takes long, and the password is wrong."""
        self.hash("")
        return False


@pytest.fixture
def hasher(services: Services, monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowHasher]:
    """A hasher whose hashes last as long as the test wants."""
    slow = SlowHasher()
    monkeypatch.setattr(services.sessions, "_hasher", slow)
    yield slow
    slow.may_end.set()


def signing_in(services: Services) -> Callable[[], Any]:
    def sign_in() -> type[Exception]:
        with pytest.raises((TooManySignIns, WrongPassword)) as refused:
            services.sessions.with_password("nobody@example.org", "a password")
        return refused.type

    return sign_in


def test_few_wait_and_the_others_are_refused_at_once(
    services: Services, hasher: SlowHasher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authentication, "WAIT_SECONDS", 30.0)
    sign_in = signing_in(services)
    places = services.sessions._places
    with ThreadPoolExecutor(HASHES_AT_ONCE + MOST_WAITING) as pool:
        people = [pool.submit(sign_in) for _ in range(HASHES_AT_ONCE + MOST_WAITING)]
        try:
            for _ in range(HASHES_AT_ONCE):
                assert hasher.computing.acquire(timeout=30)
            wait_until(lambda: places._value == 0)
            assert not hasher.computing.acquire(blocking=False)
            began = monotonic()
            assert sign_in() is TooManySignIns
            assert monotonic() - began < 1
        finally:
            hasher.may_end.set()
        assert [person.result() for person in people] == [WrongPassword] * len(people)
    assert places._value == HASHES_AT_ONCE + MOST_WAITING


def test_nobody_waits_for_long(
    services: Services, hasher: SlowHasher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authentication, "WAIT_SECONDS", 0.1)
    sign_in = signing_in(services)
    with ThreadPoolExecutor(HASHES_AT_ONCE) as pool:
        people = [pool.submit(sign_in) for _ in range(HASHES_AT_ONCE)]
        try:
            for _ in people:
                assert hasher.computing.acquire(timeout=30)
            assert sign_in() is TooManySignIns
        finally:
            hasher.may_end.set()
        assert [person.result() for person in people] == [WrongPassword] * len(people)
