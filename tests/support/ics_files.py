"""iCalendar files of other calendar programs, in short form."""

from datetime import UTC, datetime

from tests.support.examples import NOW


def ics(*events: str, before: str = "") -> bytes:
    """Returns a calendar with these events. In an event, `;` and line breaks end a property."""
    texts = [f"BEGIN:VEVENT\nUID:{n}\n{event}\nEND:VEVENT" for n, event in enumerate(events)]
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Tests//EN", before, *texts]
    text = "\n".join([*lines, "END:VCALENDAR", ""])
    return "\r\n".join(line.strip() for line in text.splitlines() if line.strip()).encode()


def stamp(moment: datetime) -> str:
    """Returns a moment as iCalendar writes it, in UTC."""
    return moment.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def event(start: datetime, end: datetime, *more: str) -> str:
    """Returns an event from `start` to `end` with more properties."""
    times = (f"DTSTART:{stamp(start)}", f"DTEND:{stamp(end)}", f"DTSTAMP:{stamp(NOW)}")
    return "\n".join([*times, *more])
