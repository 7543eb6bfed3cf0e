"""Sends the deliveries of one channel: claims some, tries each, and says what became of them.

What they are about is read for many together, and what became of them is recorded together. Both
hold for a moment only: nobody is told of what was read long ago, and few are told twice if the
sender is killed.

A sender looks once a second, or after half a second if it has just found something. NOTIFY would
shorten the wait, but a session that listens is woken by the server at every commit of the log. Any
number of senders, on any number of hosts, share the work. If one is killed, or loses its session
with the database, the others take over its claims within seconds, at the latest when they expire.
So each delivery is sent at least once, and its id shows if it came twice.
"""

import logging
from collections import deque
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from random import uniform
from threading import Event
from time import monotonic

import psycopg

from application.deliveries.channel import Channel, Failed, NotNeeded, Refused, Send
from application.deliveries.claims import CLAIM, Claims
from application.deliveries.delivery import Delivery, Outcome
from application.deliveries.sender_session import DATABASE_SECONDS, SenderSession
from application.eventstore.database import DATABASE_ERRORS, RECONNECT_SECONDS
from application.eventstore.deadline import deadline
from application.eventstore.outage_log import OutageLog
from domain.errors import AdmitOneError, Unavailable

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0
LONGEST_BATCH = timedelta(seconds=1)
"""After this time, a sender releases what it has claimed but not tried."""
FRESH = timedelta(milliseconds=100)
"""After this time, a sender records what became of deliveries, and reads anew for the others."""
FEWEST = 16
"""So many are tried all the same, within a second: on a busy machine, time passes with nothing
done, and to read and to record for each delivery would be most of the work."""
SHORTEST_ROUND_SECONDS = 0.5
"""The shortest time between two looks, so that a busy service has many deliveries for each."""
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


class Sender:
    """Sends what is due on one channel until it is stopped."""

    def __init__(
        self,
        claims: Claims,
        channel: Channel,
        *,
        now: Callable[[], datetime],
        session: SenderSession | None = None,
        claim: timedelta = CLAIM,
    ) -> None:
        """Without a `session`, its claims last until they expire, even if it is killed."""
        self._claims = claims
        self._channel = channel
        self._now = now
        self._session = session
        self._number = None if session is None else session.add_sender(channel.name)
        self._claim = claim
        self._at_once = channel.at_once  # as many as can be tried while what was read is fresh
        self._unrecorded: list[Outcome] = []  # for want of a database
        self._could_not_read = False  # in the last round, although there were claims
        self._open_claims: list[datetime] = []
        """When each claim expires that is not finished, or whose answer was lost."""
        self._outage = OutageLog(
            log, f"no {channel.name} is sent, connecting again", f"sending {channel.name} again"
        )

    def run(self, stop: Event) -> None:
        """Works until `stop` is set. Goes on in a new session whenever the database was lost."""
        while not stop.is_set():
            try:
                while not stop.is_set():
                    self._send_and_wait(stop)
                    self._outage.succeeded()
            except DATABASE_ERRORS as error:
                self._outage.failed(error)
                if self._session is not None:
                    self._session.doubt()
                stop.wait(RECONNECT_SECONDS)
            finally:
                self._channel.close()

    def _send_and_wait(self, stop: Event) -> None:
        """Sends what is due, and waits. Closes the channel's connections if nothing was sent."""
        begun = monotonic()
        if self.send_due(stop):
            stop.wait(begun + SHORTEST_ROUND_SECONDS - monotonic())
        else:
            self._channel.close()
            stop.wait(POLL_SECONDS)

    def send_due(self, stop: Event) -> int:
        """Sends everything that is due now and returns how many deliveries were tried.

        Claims nothing more once the session, which has the sender's lock, is lost.
        """
        count = 0
        while not stop.is_set():
            if self._session is not None:
                self._session.check()
            if not (tried := self.send_some(stop)):
                break
            count += tried
        return count

    def send_some(self, stop: Event) -> int:
        """Sends the oldest deliveries that are due and returns how many were tried.

        After a second, or once `stop` is set, it releases those that it has not come to. If the
        database was away for less than a claim lasts, as in a failover, what was tried before that
        is recorded first, so that nobody is told twice; what was claimed and not tried is
        released, so that nobody waits until the claim expires. Raises `Unavailable`.
        """
        self._record()
        begun = self._now()
        expires_at = begun + self._claim
        lost = [each for each in self._open_claims if each > begun]
        self._open_claims = [*lost, expires_at]
        try:
            left = deque(self._claim_due(begun, expires_at, lost))
            count = 0
            while left and not (count and (stop.is_set() or self._now() - begun > LONGEST_BATCH)):
                count += self._try_first(left, stop)
                self._record()
            with deadline(DATABASE_SECONDS):
                self._claims.release(left, now=begun)
        except Unavailable:
            raise
        except psycopg.Error:  # one of them causes it: each is tried alone once the claim expires
            self._open_claims.remove(expires_at)
            raise
        self._open_claims.remove(expires_at)
        self._could_not_read = False
        return count

    def _claim_due(
        self, now: datetime, expires_at: datetime, lost: Collection[datetime]
    ) -> list[Delivery]:
        """Claims what is due: to targets that are slow, only if there is nothing else.

        Releases first what is left of lost claims. A claim without an answer may still be
        committed, so it is looked for until it expires.
        """
        with deadline(DATABASE_SECONDS):
            if lost:
                self._claims.release_until(self._channel.name, lost, sender=self._number, now=now)
            claim = partial(
                self._claims.claim,
                self._channel.name,
                most=self._channel.at_once,
                now=now,
                until=expires_at,
                sender=self._number,
            )
            slow = self._channel.slow_targets()
            return (claim(besides=slow) if slow else []) or claim()

    def _record(self) -> None:
        """Records what became of deliveries, or keeps it until the database can be had again."""
        outcomes, self._unrecorded = self._unrecorded, []
        try:
            if outcomes:
                with deadline(DATABASE_SECONDS):
                    self._claims.settle(*outcomes)
        except Unavailable:
            self._unrecorded = outcomes
            raise

    def _try_first(self, left: deque[Delivery], stop: Event) -> int:
        """Takes the first deliveries out of `left`, tries them, and returns how many.

        At least one, and as many as can be tried while what was read for them is fresh. What
        became of them is still to be recorded.
        """
        first = list(islice(left, self._at_once))
        read_at = self._now()
        try:
            with deadline(DATABASE_SECONDS):
                send = self._channel.prepare(first)
        except psycopg.Error:
            raise
        except _FAULTS as error:  # of one of them: each is tried by itself until that one is over
            self._at_once = max(1, len(first) // 2)
            self._raise_once(error)
            self._try(left.popleft(), self._send_alone)
            return 1
        for tried, delivery in enumerate(first):
            if tried and (stop.is_set() or _is_stale(self._now() - read_at, tried)):
                self._at_once = tried
                return tried
            left.popleft()
            self._try(delivery, send)
        self._at_once = min(2 * self._at_once, self._channel.at_once)
        return len(first)

    def _raise_once(self, error: Exception) -> None:
        """Raises an error that says that the database is away, but not twice in a row.

        Claims can be had meanwhile, so it is one delivery that can't be read, or many at once.
        """
        if isinstance(error, Unavailable) and not self._could_not_read:
            self._could_not_read = True
            raise error

    def _try(self, delivery: Delivery, send: Send) -> None:
        self._unrecorded.append(self._outcome(delivery, send))

    def _send_alone(self, delivery: Delivery) -> str:
        return self._channel.prepare([delivery])(delivery)

    def _outcome(self, delivery: Delivery, send: Send) -> Outcome:
        """Tries a delivery and returns what became of it."""
        if delivery.attempts > MOST_ATTEMPTS:  # the last attempts were all cut off
            return Outcome.parked(delivery, answer="The process that sent this ended each time.")
        try:
            answer = send(delivery)
        except NotNeeded:
            return Outcome.ended(delivery)
        except Refused as refusal:
            return _given_up(delivery, str(refusal))
        except Failed as failure:
            return self._postponed(delivery, str(failure))
        except psycopg.Error:
            raise
        except _FAULTS as error:
            self._raise_once(error)
            # Only the type: the message may quote what somebody typed.
            return self._postponed(delivery, type(error).__qualname__)
        return Outcome.sent(delivery, answer=answer, now=self._now())

    def _postponed(self, delivery: Delivery, answer: str) -> Outcome:
        if delivery.attempts >= MOST_ATTEMPTS:
            return _given_up(delivery, answer)
        until = self._now() + pause_after(delivery.attempts)
        return Outcome.postponed(delivery, answer=answer, until=until)


def _is_stale(age: timedelta, tried: int) -> bool:
    """Returns True if what was read so long ago, and was enough for so many, is not used again."""
    return age > (FRESH if tried >= FEWEST else LONGEST_BATCH)


def _given_up(delivery: Delivery, answer: str) -> Outcome:
    log.error("delivery %s is parked after %d attempts", delivery.id, delivery.attempts)
    return Outcome.parked(delivery, answer=answer)


def pause_after(attempts: int) -> timedelta:
    """Returns how long to wait after this many attempts, with full jitter."""
    longest = min(FIRST_SECONDS * GROWTH ** (attempts - 1), LONGEST_SECONDS)
    return timedelta(seconds=uniform(0.0, longest))  # noqa: S311 - not a secret
