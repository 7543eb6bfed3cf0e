"""Sends the deliveries of one channel: claims one, tries, and says what became of it.

NOTIFY shortens the wait for new ones; to look once a second is the truth. Any number of senders,
on any number of hosts, share the work. One that is killed leaves a claim that expires, and the
delivery is tried again: so each is sent at least once, and recognised by its id if it is sent
twice.
"""

import logging
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from random import uniform
from threading import Event
from typing import Protocol

import psycopg

from application.deliveries.deliveries import CLAIM, Deliveries
from application.deliveries.delivery import Delivery
from application.deliveries.outbox import CHANNEL
from application.eventstore.connection import UNATTENDED, connect
from application.eventstore.database import DATABASE_ERRORS, safe_description
from domain.errors import AdmitOneError

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0
FIRST_SECONDS = 1.0  # the longest pause after the first attempt
LONGEST_SECONDS = 86_400.0
GROWTH = 4  # of the longest pause, with each attempt
MOST_ATTEMPTS = 12  # over some two days

# Errors of one delivery. Any other error ends the process, which is started again; the attempt
# that was cut off counts.
_FAULTS = (
    AdmitOneError,
    ArithmeticError,
    AttributeError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)


class Refused(Exception):
    """The other side will never accept this delivery. The message is its answer."""


class Failed(Exception):
    """The other side did not accept this delivery now. The message is its answer."""


class NotNeeded(Exception):
    """Nobody needs this delivery any more."""


class Channel(Protocol):
    """A way to send deliveries."""

    name: str

    def send(self, delivery: Delivery) -> str:
        """Sends a delivery and returns what the other side answered.

        Raises `Failed`, `Refused` or `NotNeeded`. Ends within half of a claim.
        """

    def close(self) -> None:
        """Closes what was kept open for the next delivery."""


class Sender:
    """Sends what is due on one channel until it is stopped."""

    def __init__(
        self,
        conninfo: str,
        deliveries: Deliveries,
        channel: Channel,
        *,
        now: Callable[[], datetime],
        claim: timedelta = CLAIM,
    ) -> None:
        self._conninfo = conninfo
        self._deliveries = deliveries
        self._channel = channel
        self._now = now
        self._claim = claim

    def run(self, stop: Event) -> None:
        """Works until `stop` is set. Connects again whenever the database was lost."""
        while not stop.is_set():
            try:
                with closing(
                    connect(
                        self._conninfo,
                        application_name=f"admitone {self._channel.name} sender",
                        settings=UNATTENDED,
                    )
                ) as conn:
                    conn.execute(f"LISTEN {CHANNEL}")
                    while not stop.is_set():
                        self.send_due(stop)
                        for _ in conn.notifies(timeout=POLL_SECONDS, stop_after=1):
                            pass
            except DATABASE_ERRORS as error:
                log.warning("nothing is sent, connecting again: %s", safe_description(error))
                stop.wait(POLL_SECONDS)
            finally:
                self._channel.close()

    def send_due(self, stop: Event) -> int:
        """Sends everything that is due now and returns how many deliveries were tried."""
        count = 0
        while not stop.is_set() and self.send_next():
            count += 1
        self._channel.close()
        return count

    def send_next(self) -> bool:
        """Sends the oldest delivery that is due. Returns False if there is none."""
        delivery = self._deliveries.claim(self._channel.name, now=self._now(), lasting=self._claim)
        if delivery is None:
            return False
        if delivery.attempts > MOST_ATTEMPTS:  # the last attempts were all cut off
            self._deliveries.park(delivery, answer="The process that sent this ended each time.")
            return True
        try:
            answer = self._channel.send(delivery)
        except NotNeeded:
            self._deliveries.end(delivery)
        except Refused as refusal:
            self._give_up(delivery, str(refusal))
        except Failed as failure:
            self._postpone(delivery, str(failure))
        except psycopg.Error:
            raise
        except _FAULTS as error:
            # Only the type: the message may quote what somebody typed.
            self._postpone(delivery, type(error).__qualname__)
        else:
            self._deliveries.sent(delivery, answer=answer, now=self._now())
        return True

    def _postpone(self, delivery: Delivery, answer: str) -> None:
        if delivery.attempts >= MOST_ATTEMPTS:
            self._give_up(delivery, answer)
            return
        until = self._now() + pause_after(delivery.attempts)
        self._deliveries.postpone(delivery, answer=answer, until=until)

    def _give_up(self, delivery: Delivery, answer: str) -> None:
        log.error("delivery %s is parked after %d attempts", delivery.id, delivery.attempts)
        self._deliveries.park(delivery, answer=answer)


def pause_after(attempts: int) -> timedelta:
    """Returns how long to wait after this many attempts, with full jitter."""
    longest = min(FIRST_SECONDS * GROWTH ** (attempts - 1), LONGEST_SECONDS)
    return timedelta(seconds=uniform(0.0, longest))  # noqa: S311 - not a secret
