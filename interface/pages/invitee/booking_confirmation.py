"""The invitee's page for their booking, read from the log itself, which is never behind."""

from dataclasses import dataclass
from uuid import UUID

from flask import Blueprint, Response, render_template, request
from flask.typing import ResponseReturnValue

from application.people import personal_data
from application.people.personal_data import Invitee
from application.people.rate_limits import FORGED_TOKENS
from application.people.tokens import InvalidToken
from domain.booking import Booking, BookingStatus
from domain.booking_rules import is_time_zone
from domain.calendar import Calendar, CalendarTerms
from domain.errors import AdmitOneError, BookingNotFound
from interface.i18n import gettext, wall_clock
from interface.pages.invitee.refusal_pages import refused
from interface.pages.shared.csrf import protect_from_csrf
from interface.web import calendar_links, icalendar_file
from interface.web.calendar_links import Appointment
from interface.web.rate_limits import count_failure
from interface.web.request_context import services

blueprint = Blueprint("booking_confirmation", __name__)
protect_from_csrf(blueprint)
blueprint.register_error_handler(AdmitOneError, refused)


@dataclass(frozen=True)
class BookingDetails:
    """A booking as its invitee sees it; without an invitee once that person was forgotten."""

    booking: Booking
    terms: CalendarTerms
    host: str
    invitee: Invitee | None

    @property
    def summary(self) -> str:
        """Returns the title of the appointment in the invitee's own calendar."""
        return gettext("%(calendar)s with %(host)s") % {
            "calendar": self.terms.name,
            "host": self.host,
        }

    @property
    def appointment(self) -> Appointment:
        """Returns what a calendar service is told: nothing that the invitee typed."""
        terms = self.terms
        return Appointment(self.summary, self.booking.slot, terms.location, terms.description)


@blueprint.get("/m/<token>")
def show(token: str) -> ResponseReturnValue:
    """Shows the booking in the invitee's zone and, if its clock differs, in the host's."""
    details = _details(token)
    slot = details.booking.slot
    host_zone = details.terms.rules.time_zone
    own_zone = request.args.get("tz") or (details.invitee and details.invitee.time_zone) or ""
    zone = own_zone if is_time_zone(own_zone) else host_zone
    return render_template(
        "invitee/booked.html",
        token=token,
        details=details,
        slot=slot,
        zone=zone,
        host_zone=host_zone,
        clocks_differ=wall_clock(slot.start, zone) != wall_clock(slot.start, host_zone),
        is_cancelled=details.booking.status is BookingStatus.CANCELLED,
        google=calendar_links.google_calendar(details.appointment),
        outlook_com=calendar_links.outlook_com(details.appointment),
        outlook_for_work=calendar_links.outlook_for_work(details.appointment),
    )


@blueprint.get("/m/<token>/booking.ics")
def ics(token: str) -> ResponseReturnValue:
    """Sends the booking as an iCalendar file."""
    details = _details(token)
    current = services()
    public_url = current.settings.public_url
    manage_url = f"{public_url}/m/{token}"
    content = icalendar_file.calendar_file(
        booking_id=details.booking.id,
        slot=details.booking.slot,
        status=details.booking.status,
        sequence=details.booking.version - 1,
        summary=details.summary,
        location=details.terms.location,
        description=gettext("Your booking: %(url)s") % {"url": manage_url},
        time_zone=details.terms.rules.time_zone,
        host=current.settings.public_host,
        now=current.now(),
    )
    headers = {"Content-Disposition": 'attachment; filename="booking.ics"'}
    return Response(content, content_type=icalendar_file.MEDIA_TYPE, headers=headers)


def _details(token: str) -> BookingDetails:
    """Returns the booking that the token manages.

    Raises `BookingNotFound`, or `TooManyAttempts` after too many forged tokens.
    """
    current = services()
    try:
        booking = current.event_store.get(Booking, _booking_id(token))
    except BookingNotFound:
        raise BookingNotFound(
            gettext("We couldn't find this booking. Check that the link was copied in full.")
        ) from None
    personal = personal_data.find(current.database, booking.id)
    return BookingDetails(
        booking=booking,
        terms=current.event_store.get(Calendar, booking.calendar_id).terms,
        host=current.accounts.by_id(booking.owner_id).name,
        invitee=Invitee.from_data(personal.data if personal else None),
    )


def _booking_id(token: str) -> UUID:
    try:
        return services().tokens.booking_id(token)
    except InvalidToken:
        count_failure(FORGED_TOKENS)
        raise BookingNotFound from None
