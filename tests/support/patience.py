"""Longer limits than those of the service, so that a busy machine fails no test."""

import pytest

from application.eventstore.deadline import deadline
from application.people import rate_limits

MINUTE = 60.0  # seconds


def give_commands_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gives everything with a deadline a minute, unless a test gives it less."""
    monkeypatch.setattr(deadline.__init__, "__defaults__", (MINUTE,))


def give_counts_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gives every count of a rate limit a minute."""
    monkeypatch.setattr(rate_limits, "DATABASE_SECONDS", MINUTE)
