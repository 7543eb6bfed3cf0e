"""The invitee's page for their booking, read from the log itself, which is never behind."""

from dataclasses import dataclass, replace

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from application.people.personal_data import Invitee
from domain import booking_changes
from domain.booking import Booking, BookingStatus
from domain.calendar import CalendarTerms
from domain.errors import AdmitOneError, BookingNotFound, NoOtherTimes
from domain.slot import Slot
from interface.i18n import gettext, local_day, slot_text, times_text, wall_clock
from interface.pages.invitee.refusal_pages import refused
from interface.pages.shared.csrf import protect_from_csrf
from interface.pages.shared.time_choice import reader_zone
from interface.web import calendar_links, icalendar_file
from interface.web.calendar_links import Appointment
from interface.web.managed_booking import ManagedBooking, booking_id_of, manage_urls, managed_by
from interface.web.qr_code import qr_code
from interface.web.reader_preferences import kept_zone, remember_preferences
from interface.web.request_context import services

blueprint = Blueprint("booking_confirmation", __name__)
protect_from_csrf(blueprint)
blueprint.after_request(remember_preferences)
blueprint.register_error_handler(AdmitOneError, refused)


@dataclass(frozen=True)
class BookingDetails:
    """A booking as its invitee sees it; without an invitee once that person was forgotten."""

    booking: Booking
    terms: CalendarTerms
    host: str
    invitee: Invitee | None
    manage_url: str

    @property
    def summary(self) -> str:
        """Returns the title of the appointment in the invitee's own calendar."""
        return gettext("%(calendar)s with %(host)s") % {
            "calendar": self.terms.name,
            "host": self.host,
        }

    @property
    def appointment(self) -> Appointment:
        """Returns what a calendar service is told: no token, and nothing that the invitee typed."""
        terms = self.terms
        return Appointment(self.summary, self.booking.slot, terms.location, terms.description)


@blueprint.get("/m/<token>")
def show(token: str) -> ResponseReturnValue:
    """Shows the booking or, while the host asks for another time, the choice of one."""
    found = found_by(token)
    if found.booking.is_asked_to_reschedule and request.args.get("show") != "booking":
        return redirect(url_for("manage_booking.choose", token=token, tz=invitee_zone(found)))
    return booking_page(found, token)


def booking_page(found: ManagedBooking, token: str, *, refusal: AdmitOneError | None = None) -> str:
    """Shows the booking in the invitee's zone and, if its clock differs, in the host's.

    `refusal` is the reason why a change was refused; the page says what can still be changed.
    """
    details = details_of(found, token)
    slot = found.booking.slot
    host_zone = details.terms.rules.time_zone
    zone = invitee_zone(found)
    return render_template(
        "invitee/booked.html",
        token=token,
        found=found,
        details=details,
        slot=slot,
        zone=zone,
        host_zone=host_zone,
        host_time=_host_time(slot, zone, host_zone),
        is_cancelled=found.booking.status is BookingStatus.CANCELLED,
        is_over=slot.end <= services().now(),
        cancel_until=booking_changes.cancel_until(found.booking, found.agreed),
        reschedule_until=booking_changes.reschedule_until(found.booking, found.agreed),
        moves_left=booking_changes.moves_left(found.booking, found.agreed),
        has_no_other_times=isinstance(found.reason_against_moving, NoOtherTimes),
        refusal=refusal,
        google=calendar_links.google_calendar(details.appointment),
        outlook_com=calendar_links.outlook_com(details.appointment),
        outlook_for_work=calendar_links.outlook_for_work(details.appointment),
    )


def _host_time(slot: Slot, zone: str, host_zone: str) -> str:
    """Returns the time in the host's zone, with the date only where it is another one.

    Empty if the clocks of both zones show the same.
    """
    if wall_clock(slot.start, zone) == wall_clock(slot.start, host_zone):
        return ""
    if local_day(slot.start, zone) != local_day(slot.start, host_zone):
        return slot_text(slot.start, slot.end, host_zone)
    return times_text(slot.start, slot.end, host_zone)


@blueprint.get("/m/<token>/booking.ics")
def ics(token: str) -> ResponseReturnValue:
    """Sends the booking as an iCalendar file."""
    details = details_of(found_by(token), token)
    current = services()
    entry = icalendar_file.Entry(
        booking_id=details.booking.id,
        version=details.booking.version,
        slot=details.booking.slot,
        status=details.booking.status,
        summary=details.summary,
        location=details.terms.location,
        description=gettext("Your booking: %(url)s") % {"url": details.manage_url},
        host=current.settings.public_host,
        as_of=current.now(),
    )
    content = icalendar_file.calendar_file(entry, time_zone=details.terms.rules.time_zone)
    headers = {"Content-Disposition": 'attachment; filename="booking.ics"'}
    return Response(content, content_type=icalendar_file.MEDIA_TYPE, headers=headers)


@blueprint.get("/m/<token>/qr.svg")
def qr(token: str) -> ResponseReturnValue:
    """Sends the address of the page as a QR code."""
    booking_id_of(token)
    return qr_code(manage_urls(token)["manage_url"])


def found_by(token: str) -> ManagedBooking:
    """Returns the booking that the token manages.

    Raises `BookingNotFound`, or `TooManyAttempts` after too many forged tokens.
    """
    try:
        return managed_by(token)
    except BookingNotFound:
        raise BookingNotFound(
            gettext("We couldn't find this booking. Check that the link was copied in full.")
        ) from None


def details_of(found: ManagedBooking, token: str) -> BookingDetails:
    """Returns what the pages show: the terms as they were agreed, with the place as it is now."""
    return BookingDetails(
        booking=found.booking,
        terms=replace(found.terms, location=found.row.location or ""),
        host=found.host_name,
        invitee=found.row.invitee,
        manage_url=manage_urls(token)["manage_url"],
    )


def invitee_zone(found: ManagedBooking) -> str:
    """Returns the zone that the request names, else the invitee's own, else the calendar's."""
    return reader_zone(_own_zone(found) or kept_zone() or found.agreed.rules.time_zone)


def knows_zone(found: ManagedBooking) -> bool:
    """Returns True if the invitee's zone is known without asking their browser."""
    return bool(_own_zone(found) or kept_zone())


def _own_zone(found: ManagedBooking) -> str | None:
    return found.row.invitee.time_zone if found.row.invitee else None
