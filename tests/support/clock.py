"""The time of the services under test."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from tests.support.examples import NOW


@dataclass
class Clock:
    """A clock that stands still until a test moves it."""

    time: datetime = NOW

    def __call__(self) -> datetime:
        """Returns the time that it shows."""
        return self.time

    def advance(self, **by: float) -> None:
        """Moves it by a `timedelta` of these arguments."""
        self.time += timedelta(**by)
