"""Writes bookings as iCalendar files, which calendar programs read."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from icalendar import (
    Calendar,
    Event,
    Timezone,
    TimezoneDaylight,
    TimezoneStandard,
    vCalAddress,
    vDuration,
    vText,
)

from domain.booking import BookingStatus
from domain.slot import Slot

MEDIA_TYPE = "text/calendar; charset=utf-8"
_STATUS = {BookingStatus.CONFIRMED: "CONFIRMED", BookingStatus.CANCELLED: "CANCELLED"}
REFRESH_INTERVAL = timedelta(minutes=15)
_A_YEAR = timedelta(days=366)
_A_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Person:
    """Somebody who takes part in an appointment."""

    name: str
    email: str


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A booking as calendar programs show it. `as_of` is when this version of it was made (UTC).

    `host` is the host name of this installation. Together with the id of the booking it
    identifies the appointment in all files and mails; by `version`, that of the booking, a
    program recognizes which one is newer.
    """

    booking_id: UUID
    version: int
    slot: Slot
    status: BookingStatus
    summary: str
    location: str = ""
    description: str = ""
    url: str = ""
    host: str
    as_of: datetime

    @property
    def uid(self) -> str:
        """The id of the appointment."""
        return f"{self.booking_id}@{self.host}"

    @property
    def sequence(self) -> int:
        """How often the booking has changed."""
        return self.version - 1


@dataclass(frozen=True)
class Invitation:
    """What makes a file a message that calendar programs act on by themselves (iTIP, RFC 5546).

    The times of such a file are in UTC, which every program reads the same way.
    """

    organizer: Person
    attendees: Sequence[Person]


def calendar_file(entry: Entry, *, time_zone: str, invitation: Invitation | None = None) -> bytes:
    """Returns a file with one appointment, in the calendar's time zone.

    With an `invitation` the file asks the program to add or update the appointment, or to
    remove it if the booking is cancelled.
    """
    zone = ZoneInfo(time_zone)
    start, end = entry.slot.start.astimezone(zone), entry.slot.end.astimezone(zone)
    file = _file()
    event = _event(entry)
    if invitation is not None:
        file.add("METHOD", "CANCEL" if entry.status is BookingStatus.CANCELLED else "REQUEST")
        event.add("ORGANIZER", _address(invitation.organizer))
        for attendee in invitation.attendees:
            # They have chosen the time themselves, so nobody has to answer.
            event.add("ATTENDEE", _address(attendee, PARTSTAT="ACCEPTED", RSVP="FALSE"))
    if invitation is not None or time_zone == "UTC" or start.fold or end.fold:
        # A wall-clock time that occurs twice is read as the first one by every program.
        start, end = entry.slot.start.astimezone(UTC), entry.slot.end.astimezone(UTC)
    else:
        file.add_component(_time_zone(zone, entry.slot))
    event.add("DTSTART", start)
    event.add("DTEND", end)
    file.add_component(event)
    return _written(file)


def feed_file(entries: Iterable[Entry], *, name: str, organizer: Person) -> bytes:
    """Returns a file with any number of appointments, for programs that read it again and again.

    Times are in UTC. A cancelled booking is still an entry, so that programs remove or strike out
    what they have, but it takes up no time.
    """
    file = _file()
    file.add("METHOD", "PUBLISH")
    file.add("NAME", name)
    file.add("X-WR-CALNAME", name)
    file.add("REFRESH-INTERVAL", REFRESH_INTERVAL, parameters={"VALUE": "DURATION"})
    file.add("X-PUBLISHED-TTL", vDuration(REFRESH_INTERVAL))
    address = _address(organizer)
    for entry in entries:
        event = _event(entry)
        event.add("ORGANIZER", address)
        event.add("DTSTART", entry.slot.start.astimezone(UTC))
        event.add("DTEND", entry.slot.end.astimezone(UTC))
        event.add("LAST-MODIFIED", entry.as_of.astimezone(UTC))
        is_cancelled = entry.status is BookingStatus.CANCELLED
        event.add("TRANSP", "TRANSPARENT" if is_cancelled else "OPAQUE")
        file.add_component(event)
    return _written(file)


def _file() -> Calendar:
    file = Calendar()
    file.add("PRODID", "-//Admit One//EN")
    file.add("VERSION", "2.0")
    return file


def _event(entry: Entry) -> Event:
    """Returns an appointment that still lacks its times."""
    event = Event()
    event.add("UID", entry.uid)
    event.add("DTSTAMP", entry.as_of.astimezone(UTC))
    event.add("SUMMARY", entry.summary)
    for name in ("location", "description", "url"):
        if text := getattr(entry, name):
            event.add(name.upper(), text)
    event.add("STATUS", _STATUS[entry.status])
    event.add("SEQUENCE", entry.sequence)
    return event


def _written(file: Calendar) -> bytes:
    written: bytes = file.to_ical()
    return written


def _address(person: Person, **parameters: str) -> vCalAddress:
    address = vCalAddress(f"mailto:{person.email}")
    # A parameter can't hold double quotes or control characters at all.
    name = "".join(sign for sign in person.name if sign.isprintable() and sign != '"')
    address.params["CN"] = vText(name)
    for parameter, value in parameters.items():
        address.params[parameter] = vText(value)
    return address


def _time_zone(zone: ZoneInfo, slot: Slot) -> Timezone:
    """Returns the zone with the clock changes from a year before the slot to a year after it.

    icalendar's own generator lets most changes begin an hour late.
    """
    begin = slot.start - _A_YEAR
    component = Timezone()
    component.add("TZID", zone.key)
    component.add_component(_observance(zone, begin, _offset(zone, begin)))
    for change in _changes(zone, begin, slot.end + _A_YEAR):
        component.add_component(_observance(zone, change, _offset(zone, change - _A_DAY)))
    return component


def _observance(
    zone: ZoneInfo, begin: datetime, offset_before: timedelta
) -> TimezoneStandard | TimezoneDaylight:
    """Returns what the clock shows from `begin` (UTC) on, stated in the local time before it."""
    local = begin.astimezone(zone)
    observance = TimezoneDaylight() if local.dst() else TimezoneStandard()
    observance.DTSTART = (begin + offset_before).replace(tzinfo=None)
    observance.TZOFFSETFROM = offset_before
    observance.TZOFFSETTO = local.utcoffset() or timedelta()
    observance.add("TZNAME", local.tzname() or zone.key)
    return observance


def _changes(zone: ZoneInfo, begin: datetime, end: datetime) -> Iterator[datetime]:
    """Yields the instants in [begin, end) at which the offset changes, at most one for a day."""
    day, offset = begin, _offset(zone, begin)
    while day < end:
        offset_after = _offset(zone, day + _A_DAY)
        if offset_after != offset:
            yield day + timedelta(minutes=_minutes_while(zone, day, offset))
        day, offset = day + _A_DAY, offset_after


def _minutes_while(zone: ZoneInfo, begin: datetime, offset: timedelta) -> int:
    """Returns how many minutes after `begin` the offset is no longer this one."""

    def has_changed(minutes: int) -> bool:
        return _offset(zone, begin + timedelta(minutes=minutes)) != offset

    return bisect_left(range(24 * 60), True, key=has_changed)


def _offset(zone: ZoneInfo, moment: datetime) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta()
