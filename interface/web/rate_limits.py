"""Applies the rate limits to the current request, at the places where a failure is known.

While the database does not answer, nobody is refused for that.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar

from application.eventstore.database import DATABASE_ERRORS, safe_description
from application.people.authentication import WrongPassword
from application.people.rate_limits import INVALID_REDEMPTIONS, RateLimit, TooManyAttempts
from domain.errors import Invalid
from interface.web.request_context import client_address, services

P = ParamSpec("P")
R = TypeVar("R")

log = logging.getLogger(__name__)


def count_failure(limit: RateLimit) -> None:
    """Counts a failed attempt of this client. Raises `TooManyAttempts` beyond the limit."""
    current = services()
    with _unless_the_database_fails():
        current.rate_limits.count(limit, client_address(), now=current.now())


def refuse_beyond(limit: RateLimit) -> None:
    """Raises `TooManyAttempts` if this client has failed as often as the limit allows."""
    current = services()
    with _unless_the_database_fails():
        current.rate_limits.check(limit, client_address(), now=current.now())


def is_used_up(limit: RateLimit, what: str) -> bool:
    """Counts a use of something; returns True if the limit allows no such use any more."""
    current = services()
    try:
        with _unless_the_database_fails():
            current.rate_limits.count(limit, what, now=current.now())
    except TooManyAttempts:
        return True
    return False


@contextmanager
def limiting_passwords(client: str, email: str) -> Iterator[None]:
    """Refuses the block if too many passwords were wrong, and counts its `WrongPassword`.

    Raises `TooManyAttempts` before the block, so that no more passwords are checked then.
    """
    current = services()
    with _unless_the_database_fails():
        current.rate_limits.check_password_attempt(client=client, email=email, now=current.now())
    try:
        yield
    except WrongPassword:
        with _unless_the_database_fails():
            current.rate_limits.count_wrong_password(client=client, email=email, now=current.now())
        raise


def limiting_invalid_redemptions(view: Callable[P, R]) -> Callable[P, R]:
    """Counts requests to redeem a link that this view refuses by `Invalid`.

    Beyond the limit, these alone are refused by `TooManyAttempts`; valid ones are still served.
    """

    @wraps(view)
    def limited(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return view(*args, **kwargs)
        except Invalid:
            count_failure(INVALID_REDEMPTIONS)
            raise

    return limited


@contextmanager
def _unless_the_database_fails() -> Iterator[None]:
    try:
        yield
    except DATABASE_ERRORS as error:
        log.warning("a rate limit could not be applied: %s", safe_description(error))
