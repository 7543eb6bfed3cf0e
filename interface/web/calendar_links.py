"""Addresses at which calendar services show a form for a new appointment, already filled in.

Times are written in UTC, so no service has to know the time zone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from urllib.parse import quote, urlencode

from domain.slot import Slot
from interface.web.fields import in_utc

# Services refuse addresses of more than about 8,000 characters.
_LONGEST_DESCRIPTION = 4000  # when quoted


@dataclass(frozen=True)
class Appointment:
    """An appointment, in the words of its host."""

    title: str
    slot: Slot
    location: str
    description: str


def google_calendar(appointment: Appointment) -> str:
    """Returns the address for Google Calendar."""
    times = [
        in_utc(moment).replace("-", "").replace(":", "")
        for moment in (appointment.slot.start, appointment.slot.end)
    ]
    return _address(
        "https://calendar.google.com/calendar/render",
        action="TEMPLATE",
        text=appointment.title,
        dates="/".join(times),
        location=appointment.location,
        details=_shortened(appointment.description, str),
    )


def outlook_com(appointment: Appointment) -> str:
    """Returns the address for Outlook.com, which is for personal accounts."""
    return _outlook("outlook.live.com", appointment)


def outlook_for_work(appointment: Appointment) -> str:
    """Returns the address for Outlook with an account of a company or a school."""
    return _outlook("outlook.office.com", appointment)


def _outlook(host: str, appointment: Appointment) -> str:
    return _address(
        f"https://{host}/calendar/0/deeplink/compose",
        path="/calendar/action/compose",
        rru="addevent",
        subject=appointment.title,
        startdt=in_utc(appointment.slot.start),
        enddt=in_utc(appointment.slot.end),
        location=appointment.location,
        body=_shortened(appointment.description, _in_html),  # Outlook reads it as HTML
    )


def _address(page: str, **query: str) -> str:
    # Outlook shows a plus sign as it is, so spaces are written as %20.
    return f"{page}?{urlencode(query, quote_via=quote)}"


def _in_html(sign: str) -> str:
    return "<br>" if sign == "\n" else escape(sign)


def _shortened(text: str, written: Callable[[str], str]) -> str:
    """Returns the text with each character as `written`, cut where it gets too long to quote."""
    signs: list[str] = []
    length = 0
    for sign in map(written, text):
        length += len(quote(sign, safe=""))
        if length > _LONGEST_DESCRIPTION:
            return "".join([*signs, "…"])
        signs.append(sign)
    return "".join(signs)
