"""The invitee's own booking: read from the log itself, which is never behind."""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode, urlsplit
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, render_template, request, url_for
from flask.typing import ResponseReturnValue

from application.people import personal_data
from application.people.personal_data import Invitee
from application.people.tokens import InvalidToken
from domain.booking import Booking, BookingStatus
from domain.booking_rules import is_time_zone
from domain.calendar import Calendar, CalendarTerms
from domain.errors import AdmitOneError, BookingNotFound
from interface.pages.invitee.booking_page_views import refused
from interface.pages.shared.csrf import protect_from_csrf
from interface.pages.shared.i18n import gettext
from interface.web import icalendar_file
from interface.web.fields import in_utc
from interface.web.request_context import services

blueprint = Blueprint("booking_confirmation", __name__)
protect_from_csrf(blueprint)
blueprint.register_error_handler(AdmitOneError, refused)


@dataclass(frozen=True)
class Booked:
    """A booking as its invitee sees it. No invitee: forgotten."""

    booking: Booking
    terms: CalendarTerms
    host: str
    invitee: Invitee | None

    @property
    def summary(self) -> str:
        """What the appointment is called in the invitee's own calendar."""
        return gettext("%(calendar)s with %(host)s") % {
            "calendar": self.terms.name,
            "host": self.host,
        }


@blueprint.get("/m/<token>")
def show(token: str) -> ResponseReturnValue:
    """What was booked, in the invitee's zone and the host's."""
    found = _booked(token)
    slot = found.booking.slot
    host_zone = found.terms.rules.time_zone
    asked = request.args.get("tz") or (found.invitee and found.invitee.time_zone) or ""
    zone = asked if is_time_zone(asked) else host_zone
    return render_template(
        "invitee/booked.html",
        token=token,
        booked=found,
        slot=slot,
        zone=zone,
        host_zone=host_zone,
        other_clock=_clock(slot.start, zone) != _clock(slot.start, host_zone),
        is_cancelled=found.booking.status is BookingStatus.CANCELLED,
        google=_google(found),
        outlook=_outlook(found),
    )


@blueprint.get("/m/<token>/booking.ics")
def ics(token: str) -> ResponseReturnValue:
    """The booking for a calendar program."""
    found = _booked(token)
    current = services()
    public_url = current.settings.public_url
    manage_url = public_url + url_for("booking_confirmation.show", token=token)
    content = icalendar_file.calendar_file(
        booking_id=found.booking.id,
        slot=found.booking.slot,
        status=found.booking.status,
        sequence=found.booking.version - 1,
        summary=found.summary,
        location=found.terms.location,
        description=f"{gettext('Your booking:')} {manage_url}",
        time_zone=found.terms.rules.time_zone,
        host=urlsplit(public_url).hostname or "localhost",
        now=current.now(),
    )
    headers = {"Content-Disposition": 'attachment; filename="booking.ics"'}
    return Response(content, content_type=icalendar_file.MEDIA_TYPE, headers=headers)


def _booked(token: str) -> Booked:
    current = services()
    try:
        booking = current.event_store.get(Booking, current.tokens.booking_id(token))
    except (InvalidToken, BookingNotFound):
        raise BookingNotFound(
            gettext("We couldn't find this booking. Check the link was copied in full.")
        ) from None
    typed = personal_data.find(current.database, booking.id)
    return Booked(
        booking=booking,
        terms=current.event_store.get(Calendar, booking.calendar_id).terms,
        host=current.accounts.by_id(booking.owner_id).name,
        invitee=Invitee.from_data(typed.data if typed else None),
    )


def _clock(moment: datetime, zone: str) -> datetime:
    return moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None)


def _google(found: Booked) -> str:
    times = [
        in_utc(moment).replace("-", "").replace(":", "")
        for moment in (found.booking.slot.start, found.booking.slot.end)
    ]
    query = {
        "action": "TEMPLATE",
        "text": found.summary,
        "dates": "/".join(times),
        "location": found.terms.location,
    }
    return f"https://calendar.google.com/calendar/render?{urlencode(query)}"


def _outlook(found: Booked) -> str:
    query = {
        "path": "/calendar/action/compose",
        "rru": "addevent",
        "subject": found.summary,
        "startdt": in_utc(found.booking.slot.start),
        "enddt": in_utc(found.booking.slot.end),
        "location": found.terms.location,
    }
    return f"https://outlook.live.com/calendar/0/deeplink/compose?{urlencode(query)}"
