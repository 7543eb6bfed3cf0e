"""The bookings of an owner: lists, a day, a week, a month, and one booking."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, render_template, request, url_for
from flask.typing import ResponseReturnValue
from marshmallow import EXCLUDE, Schema, fields, pre_load, validate

from application.deliveries.outbox import MAIL
from domain.booking import BookingStatus
from domain.errors import Invalid
from interface.pages.owner.booking_spans import SPANS, span_context
from interface.pages.owner.owned import own_booking, own_calendar, own_calendars, own_id, own_link
from interface.pages.shared.auth import for_role, user_time_zone
from interface.pages.shared.csrf import protect_from_csrf
from interface.pages.shared.deliveries import kind_text, shown
from interface.pages.shared.forms import load
from interface.web import icalendar_file
from interface.web.calendar_feed import owners_entry
from interface.web.fields import Day, LocalTime, Text
from interface.web.pagination import cursor, start_and_id_of
from interface.web.request_context import services
from projections.views import booking_calendar

blueprint = Blueprint("bookings_pages", __name__)
protect_from_csrf(blueprint)

LISTS = ("upcoming", "past", "cancelled")
PAGE_SIZE = 25
MOST_MAILS = 100


class BookingsQuery(Schema):
    """Filters of the bookings and how to show them; `on` is a day of the week or month.

    `show` names those in a list. `begins` and `ends` are the time that was blocked last.
    """

    class Meta:
        unknown = EXCLUDE

    view = fields.String(load_default="list", validate=validate.OneOf(("list", *SPANS)))
    show = fields.String(load_default="upcoming", validate=validate.OneOf(LISTS))
    on = Day(load_default=None)
    begins = LocalTime(load_default=None)
    ends = LocalTime(load_default=None)
    calendar_id = fields.UUID(load_default=None)
    q = Text(longest=200, load_default=None)
    cursor = fields.String(load_default=None)

    @pre_load
    def _read_old_address(self, sent: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Reads an address of the time when the lists were views of their own."""
        old = sent.get("view")
        return {**sent, "view": "list", "show": old} if old in LISTS else sent


@blueprint.get("/bookings")
@for_role("owner")
def index() -> ResponseReturnValue:
    """Shows bookings as a list, a day, a week or a month, in the owner's zone."""
    query = load(BookingsQuery(), request.args)
    if query.errors:
        raise Invalid(query.errors)
    filters = query.values
    calendars = own_calendars()
    return render_template(
        "bookings/index.html",
        view=filters["view"],
        filters=filters,
        zone=user_time_zone(),
        address=_address,
        calendars=calendars,
        is_filtered=bool(filters["q"] or filters["calendar_id"]),
        **(
            _list(filters)
            if filters["view"] == "list"
            else span_context(own_id(), filters, calendars.values())
        ),
    )


@blueprint.get("/bookings/<uuid:booking_id>")
@for_role("owner")
def show(booking_id: UUID) -> ResponseReturnValue:
    """Shows one booking."""
    current = services()
    booking = own_booking(booking_id)
    return render_template(
        "bookings/show.html",
        booking=booking,
        minutes=(booking.end - booking.start) // timedelta(minutes=1),
        link=own_link(booking.link_id),
        calendar=own_calendar(booking.calendar_id),
        zone=user_time_zone(),
        is_over=booking.end <= current.now(),
        mails=shown(
            current.deliveries.newest(limit=MOST_MAILS, channel=MAIL, booking_id=booking_id)
        ),
        kind_text=kind_text,
    )


@blueprint.get("/bookings/<uuid:booking_id>/booking.ics")
@for_role("owner")
def ics(booking_id: UUID) -> ResponseReturnValue:
    """Sends one booking as an iCalendar file for the owner's calendar program."""
    entry = owners_entry(own_booking(booking_id))
    content = icalendar_file.calendar_file(entry, time_zone=user_time_zone())
    headers = {"Content-Disposition": 'attachment; filename="booking.ics"'}
    return Response(content, content_type=icalendar_file.MEDIA_TYPE, headers=headers)


def _list(filters: dict[str, Any]) -> dict[str, Any]:
    current = services()
    now = current.now()
    criteria: dict[str, dict[str, Any]] = {
        "upcoming": {"since": now, "status": BookingStatus.CONFIRMED},
        "past": {"over_by": now, "status": BookingStatus.CONFIRMED, "newest_first": True},
        "cancelled": {"status": BookingStatus.CANCELLED, "newest_first": True},
    }
    rows = booking_calendar.bookings_of(
        current.database,
        own_id(),
        limit=PAGE_SIZE + 1,
        calendar_id=filters["calendar_id"],
        q=filters["q"],
        after=start_and_id_of(filters["cursor"]),
        **criteria[filters["show"]],
    )
    page = rows[:PAGE_SIZE]
    has_more = len(rows) > len(page)
    return {
        "bookings": page,
        "next_cursor": cursor(page[-1].start, page[-1].id) if has_more else None,
    }


def _address(filters: dict[str, Any], **changes: Any) -> str:
    """Returns the address of this page with changed filters, at the start of the list."""
    changed = filters | {"cursor": None, "begins": None, "ends": None} | changes
    defaults = {"view": "list", "show": "upcoming"}
    query = {
        name: value
        for name, value in changed.items()
        if value is not None and value != defaults.get(name)
    }
    return url_for("bookings_pages.index", **query)
