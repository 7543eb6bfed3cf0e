"""Writes bookings as iCalendar files, which calendar programs read."""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from domain.booking import BookingStatus
from domain.slot import Slot

MEDIA_TYPE = "text/calendar; charset=utf-8"
_STATUS = {BookingStatus.CONFIRMED: "CONFIRMED", BookingStatus.CANCELLED: "CANCELLED"}
REFRESH_INTERVAL = "PT15M"
_A_YEAR = timedelta(days=366)
_A_DAY = timedelta(days=1)
_MOST_BYTES = 75  # in a line
_TO_SECONDS = len("2026-11-23T08:00:00")
_SPECIAL = re.compile(r"[\\;,]")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


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
        """The number of changes of the booking."""
        return self.version - 1


@dataclass(frozen=True)
class Invitation:
    """The part of a file on which calendar programs act by themselves (iTIP, RFC 5546).

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
    method: list[str] = []
    people: list[str] = []
    zones: list[str] = []
    if invitation is not None:
        is_cancelled = entry.status is BookingStatus.CANCELLED
        method.append(f"METHOD:{'CANCEL' if is_cancelled else 'REQUEST'}")
        people.append(_address("ORGANIZER", invitation.organizer))
        # They have chosen the time themselves, so nobody has to answer.
        people += (
            _address("ATTENDEE", attendee, ";PARTSTAT=ACCEPTED;RSVP=FALSE")
            for attendee in invitation.attendees
        )
    if invitation is not None or time_zone == "UTC" or start.fold or end.fold:
        # A wall-clock time that occurs twice is read as the first one by every program.
        times = [f"DTSTART:{_instant(start)}", f"DTEND:{_instant(end)}"]
    else:
        zones = _time_zone(zone, entry.slot)
        times = [
            f"DTSTART;TZID={zone.key}:{_local(start)}",
            f"DTEND;TZID={zone.key}:{_local(end)}",
        ]
    return _file(*method, *zones, *_event(entry, *people, *times))


def feed_file(entries: Iterable[Entry], *, name: str, organizer: Person) -> bytes:
    """Returns a file with any number of appointments, for programs that read it again and again.

    Times are in UTC. A cancelled booking is still an entry, so that programs remove or strike out
    what they have, but it takes up no time.
    """
    lines = [
        "METHOD:PUBLISH",
        f"NAME:{_text(name)}",
        f"X-WR-CALNAME:{_text(name)}",
        f"REFRESH-INTERVAL;VALUE=DURATION:{REFRESH_INTERVAL}",
        f"X-PUBLISHED-TTL:{REFRESH_INTERVAL}",
    ]
    address = _address("ORGANIZER", organizer)
    for entry in entries:
        is_cancelled = entry.status is BookingStatus.CANCELLED
        lines += _event(
            entry,
            address,
            f"DTSTART:{_instant(entry.slot.start)}",
            f"DTEND:{_instant(entry.slot.end)}",
            f"LAST-MODIFIED:{_instant(entry.as_of)}",
            f"TRANSP:{'TRANSPARENT' if is_cancelled else 'OPAQUE'}",
        )
    return _file(*lines)


def _file(*lines: str) -> bytes:
    file = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Admit One//EN",
        *lines,
        "END:VCALENDAR",
        "",
    ]
    return "\r\n".join([_folded(line) for line in file]).encode()


def _event(entry: Entry, *lines: str) -> list[str]:
    """Returns the lines of an appointment, these among them."""
    texts = {
        "SUMMARY": _text(entry.summary),
        "LOCATION": _text(entry.location),
        "DESCRIPTION": _text(entry.description),
        "URL": entry.url,
    }
    return [
        "BEGIN:VEVENT",
        f"UID:{entry.uid}",
        f"DTSTAMP:{_instant(entry.as_of)}",
        *[f"{name}:{text}" for name, text in texts.items() if text],
        f"STATUS:{_STATUS[entry.status]}",
        f"SEQUENCE:{entry.sequence}",
        *lines,
        "END:VEVENT",
    ]


def _address(name: str, person: Person, parameters: str = "") -> str:
    # A parameter can't hold double quotes or control characters at all.
    shown = person.name.replace('"', "")
    if not shown.isprintable():
        shown = "".join(filter(str.isprintable, shown))
    return f'{name};CN="{shown}"{parameters}:mailto:{person.email}'


def _folded(line: str) -> str:
    """Returns a line; beyond 75 bytes, it goes on in the next one, which begins with a space."""
    if len(line.encode()) <= _MOST_BYTES:
        return line
    if line.isascii():
        rest = range(_MOST_BYTES, len(line), _MOST_BYTES - 1)
        later = [f" {line[place : place + _MOST_BYTES - 1]}" for place in rest]
        return "\r\n".join([line[:_MOST_BYTES], *later])
    parts, part, size = [], "", 0
    for sign in line:
        more = len(sign.encode())
        if size + more > _MOST_BYTES:
            parts.append(part)
            part, size = " ", 1
        part, size = part + sign, size + more
    return "\r\n".join([*parts, part])


def _text(text: str) -> str:
    """Returns a text as the value of a line."""
    if text.isprintable() and not _SPECIAL.search(text):
        return text
    kept = _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    return _SPECIAL.sub(r"\\\g<0>", kept).replace("\n", "\\n")


def _instant(moment: datetime) -> str:
    return f"{_local(moment.astimezone(UTC))}Z"


def _local(moment: datetime) -> str:
    return moment.isoformat()[:_TO_SECONDS].replace("-", "").replace(":", "")


def _time_zone(zone: ZoneInfo, slot: Slot) -> list[str]:
    """Returns the zone with the clock changes from a year before the slot to a year after it."""
    begin = slot.start - _A_YEAR
    lines = ["BEGIN:VTIMEZONE", f"TZID:{zone.key}"]
    lines += _observance(zone, begin, _offset(zone, begin))
    for change in _changes(zone, begin, slot.end + _A_YEAR):
        lines += _observance(zone, change, _offset(zone, change - _A_DAY))
    return [*lines, "END:VTIMEZONE"]


def _observance(zone: ZoneInfo, begin: datetime, offset_before: timedelta) -> list[str]:
    """Returns what the clock shows from `begin` (UTC) on, stated in the local time before it."""
    local = begin.astimezone(zone)
    kind = "DAYLIGHT" if local.dst() else "STANDARD"
    return [
        f"BEGIN:{kind}",
        f"DTSTART:{_local(begin + offset_before)}",
        f"TZOFFSETFROM:{_offset_text(offset_before)}",
        f"TZOFFSETTO:{_offset_text(local.utcoffset() or timedelta())}",
        f"TZNAME:{_text(local.tzname() or zone.key)}",
        f"END:{kind}",
    ]


def _offset_text(offset: timedelta) -> str:
    seconds = abs(round(offset.total_seconds()))
    sign = "-" if offset < timedelta() else "+"
    text = f"{sign}{seconds // 3600:02d}{seconds // 60 % 60:02d}"
    return f"{text}{seconds % 60:02d}" if seconds % 60 else text


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
