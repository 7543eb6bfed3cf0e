"""Reads owners' calendars elsewhere, each some minutes after the last time.

Any number of processes can share the work: whoever claims a calendar sets the time of its next
reading ahead. If that process is killed, the calendar is read again then.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Event
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import Connection
from psycopg.rows import DictRow, kwargs_row
from psycopg.types.multirange import TimestamptzMultirange
from psycopg.types.range import TimestamptzRange

from application.busy_calendars import bounded_parsing
from application.busy_calendars.bounded_parsing import NotACalendar, Stopped
from application.busy_calendars.busy_calendars import ReadProblem
from application.busy_calendars.ics_parsing import TooComplex
from application.eventstore.database import Database
from application.outgoing import (
    AddressNotAllowed,
    Answer,
    CertificateRefused,
    HostNotFound,
    Outgoing,
    RequestFailed,
    TooLarge,
    TooManyRedirects,
    TooSlow,
)
from domain.slot import Slot

EVERY = timedelta(minutes=10)
SELDOMEST = timedelta(hours=6)  # between readings of a calendar with a lasting problem
AHEAD = timedelta(days=366)
# Busy times are computed anew at least this often, because the year ahead moves on.
COMPUTED_EVERY = timedelta(days=1)
REQUEST_SECONDS = 10.0
MOST_BYTES = 5_000_000
MOST_REDIRECTS = 3
LONGEST_HEADER = 200
UTC = "UTC"

_CLAIM = """
    UPDATE busy_calendars AS due SET next_read_at = %(now)s + %(jitter)s
        * least(greatest(%(now)s - problem_since, %(every)s), %(seldomest)s)
    FROM accounts
    WHERE accounts.id = owner_id AND due.id = (
        SELECT id FROM busy_calendars WHERE next_read_at <= %(now)s
        ORDER BY next_read_at LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING due.id, url, etag, last_modified, computed_at, computed_in, time_zone"""

_STORE = """
    UPDATE busy_calendars SET busy = %(busy)s, etag = %(etag)s, last_modified = %(last_modified)s,
        computed_at = %(now)s, computed_in = %(computed_in)s,
        last_read_at = %(now)s, problem = NULL, problem_since = NULL
    WHERE id = %(id)s"""

_UNCHANGED = """
    UPDATE busy_calendars SET last_read_at = %(now)s, problem = NULL, problem_since = NULL
    WHERE id = %(id)s"""

_FAILED = """
    UPDATE busy_calendars SET problem = %(problem)s,
        problem_since = coalesce(problem_since, %(now)s)
    WHERE id = %(id)s"""

_PROBLEM_OF: dict[type[Exception], ReadProblem] = {
    AddressNotAllowed: ReadProblem.ADDRESS_NOT_ALLOWED,
    HostNotFound: ReadProblem.HOST_NOT_FOUND,
    CertificateRefused: ReadProblem.CERTIFICATE_REFUSED,
    TooSlow: ReadProblem.TOO_SLOW,
    TooLarge: ReadProblem.TOO_LARGE,
    TooManyRedirects: ReadProblem.REDIRECTED,
    RequestFailed: ReadProblem.UNREACHABLE,
    NotACalendar: ReadProblem.NOT_A_CALENDAR,
    TooComplex: ReadProblem.TOO_COMPLEX,
}
_PROBLEM_OF_STATUS = {
    401: ReadProblem.NO_ACCESS,
    403: ReadProblem.NO_ACCESS,
    404: ReadProblem.NOT_FOUND,
    410: ReadProblem.NOT_FOUND,
}

Parse = Callable[..., list[Slot]]


class _Claim(NamedTuple):
    """A calendar to read, and what is known of its last version. `time_zone` is the owner's."""

    id: UUID
    url: str
    etag: str | None
    last_modified: str | None
    computed_at: datetime | None
    computed_in: str | None
    time_zone: str | None


class _Unreadable(Exception):
    def __init__(self, problem: ReadProblem) -> None:
        self.problem = problem


@dataclass(frozen=True)
class BusyCalendarReader:
    """Reads calendars that are due."""

    database: Database
    outgoing: Outgoing
    parse: Parse = field(default=bounded_parsing.busy_times)

    def read_next(self, *, now: datetime, stop: Event) -> bool:
        """Reads one calendar that is due, and returns False if none is.

        What was read before stays if it can't be read now. Setting `stop` ends it early.
        """
        claim = self._claim(now)
        if claim is None:
            return False
        try:
            statement, values = self._outcome(claim, now, stop)
        except Stopped:
            return False
        self.database.run_idempotent(
            lambda conn: conn.execute(statement.encode(), {"id": claim.id, "now": now} | values)
        )
        return True

    def _claim(self, now: datetime) -> _Claim | None:
        values = {
            "now": now,
            "every": EVERY,
            "seldomest": SELDOMEST,
            "jitter": random.uniform(0.9, 1.1),  # noqa: S311 - not a secret
        }

        def claim(conn: Connection[DictRow]) -> _Claim | None:
            with conn.cursor(row_factory=kwargs_row(_Claim)) as cursor:
                return cursor.execute(_CLAIM, values).fetchone()

        return self.database.run_idempotent(claim)

    def _outcome(self, claim: _Claim, now: datetime, stop: Event) -> tuple[str, dict[str, Any]]:
        """Reads the calendar and returns the statement that stores the outcome, with values."""
        time_zone = claim.time_zone or UTC
        try:
            answer = self._answer(claim, time_zone, now)
            if answer.status == 304:
                return _UNCHANGED, {}
            busy = self.parse(
                answer.body, time_zone=time_zone, since=now, until=now + AHEAD, stop=stop
            )
        except _Unreadable as error:
            return _FAILED, {"problem": error.problem}
        except tuple(_PROBLEM_OF) as error:
            return _FAILED, {"problem": _PROBLEM_OF[type(error)]}
        return _STORE, {
            "busy": TimestamptzMultirange(TimestamptzRange(slot.start, slot.end) for slot in busy),
            "etag": _plain(answer.headers.get("etag")),
            "last_modified": _plain(answer.headers.get("last-modified")),
            "computed_in": time_zone,
        }

    def _answer(self, claim: _Claim, time_zone: str, now: datetime) -> Answer:
        """Asks for the calendar; the answer 304 says that its busy times are still right."""
        headers = {"Accept": "text/calendar, */*;q=0.5"}
        is_fresh = claim.computed_at is not None and now - claim.computed_at < COMPUTED_EVERY
        if is_fresh and claim.computed_in == time_zone:
            if claim.etag is not None:
                headers["If-None-Match"] = claim.etag
            if claim.last_modified is not None:
                headers["If-Modified-Since"] = claim.last_modified
        answer = self.outgoing.send(
            "GET",
            claim.url,
            headers=headers,
            seconds=REQUEST_SECONDS,
            most_bytes=MOST_BYTES,
            redirects=MOST_REDIRECTS,
        )
        is_expected = answer.status == 200 or (answer.status == 304 and is_fresh)
        if not is_expected:
            raise _Unreadable(_PROBLEM_OF_STATUS.get(answer.status, ReadProblem.SERVER_ERROR))
        return answer


def _plain(text: str | None) -> str | None:
    """Returns the value of a header if it can be stored and sent back, else None."""
    if text is None or not (text.isascii() and text.isprintable() and len(text) <= LONGEST_HEADER):
        return None
    return text
