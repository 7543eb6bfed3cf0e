"""A way to send deliveries, and what it says of those that it could not send."""

from collections.abc import Callable, Collection
from typing import Protocol

from application.deliveries.delivery import Delivery


class Refused(Exception):
    """The other side will never accept this delivery. The message is its answer."""


class Failed(Exception):
    """The other side did not accept this delivery now. The message is its answer."""


class NotNeeded(Exception):
    """Nobody needs this delivery any more."""


Send = Callable[[Delivery], str]
"""Sends a delivery and returns what the other side answered.

Raises `Failed`, `Refused` or `NotNeeded`. Ends within three quarters of a claim.
"""


class Channel(Protocol):
    """A way to send deliveries."""

    name: str
    at_once: int
    """The number of deliveries that a sender claims together, beside one that was tried before."""

    def prepare(self, deliveries: Collection[Delivery]) -> Send:
        """Reads what the deliveries say, and returns how to send each of them."""

    def slow_targets(self) -> Collection[str]:
        """Returns the targets that took long of late. Deliveries to all others come first."""

    def close(self) -> None:
        """Closes what was kept open for the next delivery."""
