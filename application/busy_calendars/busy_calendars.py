"""An owner's calendars elsewhere, and the times at which they say that the owner is busy.

Calendars are read in the background (`application.busy_calendars.reading`). Everything here
works with what was read last.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid4

from application.eventstore.database import Database
from application.outgoing import Outgoing
from domain.errors import Invalid, NotFound, Sentence

MOST_CALENDARS = 10


class ReadProblem(StrEnum):
    """Why a calendar could not be read."""

    ADDRESS_NOT_ALLOWED = "address-not-allowed"
    HOST_NOT_FOUND = "host-not-found"
    UNREACHABLE = "unreachable"
    CERTIFICATE_REFUSED = "certificate-refused"
    TOO_SLOW = "too-slow"
    TOO_LARGE = "too-large"
    REDIRECTED = "redirected"
    NO_ACCESS = "no-access"
    NOT_FOUND = "not-found"
    SERVER_ERROR = "server-error"
    NOT_A_CALENDAR = "not-a-calendar"
    TOO_COMPLEX = "too-complex"


class BusyCalendarNotFound(NotFound):
    """There is no such calendar."""


@dataclass(frozen=True)
class BusyCalendar:
    """A calendar elsewhere. Times are UTC.

    `url` is a secret: show `masked_url`. `problem` says why the calendar can't be read at the
    moment; what was read at `last_read_at` still counts.
    """

    id: UUID
    name: str
    url: str = field(repr=False)
    created_at: datetime
    last_read_at: datetime | None
    problem: ReadProblem | None
    problem_since: datetime | None

    @property
    def masked_url(self) -> str:
        """The address without what is secret in it: scheme and host alone."""
        return "/".join([*self.url.split("/", 3)[:3], "…"])


_ADDED_BEFORE = Sentence("You have added this address before.")
_TOO_MANY = Sentence(
    "You have {most} other calendars. Remove one before you add another.",
    most=MOST_CALENDARS,
)

_SELECT = """SELECT id, name, url, created_at, last_read_at, problem, problem_since
    FROM busy_calendars WHERE owner_id = %s"""

_INSERT = """
    INSERT INTO busy_calendars (id, owner_id, name, url, created_at, next_read_at)
    VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (owner_id, url) DO NOTHING"""


@dataclass(frozen=True)
class BusyCalendars:
    """Adds, lists and removes the calendars elsewhere of owners."""

    database: Database
    outgoing: Outgoing

    def add(self, *, owner_id: UUID, url: str, name: str | None, now: datetime) -> BusyCalendar:
        """Adds a calendar, which is then due to be read. By default it is named after its host.

        Raises `AddressNotAllowed`, or `Invalid` about `url`.
        """
        url = self.outgoing.check(url)
        calendar_id = uuid4()
        values = (calendar_id, owner_id, name or url.split("/", 3)[2], url, now, now)
        with self.database.connection() as conn, conn.transaction():
            # One after the other, so that two requests do not exceed the limit together.
            conn.execute("SELECT FROM accounts WHERE id = %s FOR NO KEY UPDATE", (owner_id,))
            if len(conn.execute(_SELECT, (owner_id,)).fetchall()) >= MOST_CALENDARS:
                raise Invalid({"url": [_TOO_MANY]})
            # No error of the server, whose log would quote the address.
            if conn.execute(_INSERT, values).rowcount == 0:
                raise Invalid({"url": [_ADDED_BEFORE]})
        return self.one(owner_id, calendar_id)

    def all(self, owner_id: UUID) -> list[BusyCalendar]:
        """Returns the calendars of an owner in the order in which they were added."""
        return calendars_of(self.database, owner_id)

    def one(self, owner_id: UUID, calendar_id: UUID) -> BusyCalendar:
        """Returns a calendar of this owner. Raises `BusyCalendarNotFound`."""
        query = f"{_SELECT} AND id = %s"
        found = self.database.fetch_objects(_calendar, query, (owner_id, calendar_id))
        if not found:
            raise BusyCalendarNotFound
        return found[0]

    def remove(self, owner_id: UUID, calendar_id: UUID) -> None:
        """Removes a calendar and its busy times. Raises `BusyCalendarNotFound`."""
        self._change(
            "DELETE FROM busy_calendars WHERE owner_id = %s AND id = %s", owner_id, calendar_id
        )

    def ask_to_read(self, owner_id: UUID, calendar_id: UUID, *, now: datetime) -> None:
        """Makes a calendar due to be read now. Raises `BusyCalendarNotFound`."""
        self._change(
            """UPDATE busy_calendars SET next_read_at = least(next_read_at, %s)
            WHERE owner_id = %s AND id = %s""",
            *(now, owner_id, calendar_id),
        )

    def _change(self, statement: str, *values: object) -> None:
        with self.database.connection() as conn:
            if conn.execute(statement.encode(), values).rowcount == 0:
                raise BusyCalendarNotFound


def calendars_of(database: Database, owner_id: UUID) -> list[BusyCalendar]:
    """Returns the calendars of an owner in the order in which they were added."""
    return database.fetch_objects(_calendar, f"{_SELECT} ORDER BY created_at, id", (owner_id,))


def _calendar(problem: str | None, **columns: object) -> BusyCalendar:
    return BusyCalendar(problem=ReadProblem(problem) if problem else None, **columns)  # type: ignore[arg-type]
