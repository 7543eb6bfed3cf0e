"""The bookings of an owner: lists, a week, a month, and one booking."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue
from marshmallow import EXCLUDE, Schema, fields, validate

from domain.booking import BookingStatus
from domain.errors import Invalid
from interface.pages.shared import i18n
from interface.pages.shared.auth import require_session, signed_in, user_time_zone
from interface.pages.shared.csrf import protect_from_csrf
from interface.pages.shared.forms import load
from interface.web.fields import FIRST_YEAR, LAST_YEAR, Day, Text
from interface.web.pagination import cursor, start_and_id_of
from interface.web.request_context import services
from projections.open_slots import midnight
from projections.views import booking_calendar, calendar_list, link_list
from projections.views.booking_calendar import BookingRow

blueprint = Blueprint("bookings_pages", __name__)
protect_from_csrf(blueprint)

LISTS = ("upcoming", "past", "cancelled")
SPANS = ("week", "month")
PAGE = 25
# As many as can be told apart in a week or a month.
_MOST_IN_SPAN = 2000
_DAY = timedelta(days=1)


class BookingsQuery(Schema):
    """Which bookings, and how. `on` is a day of the week or month."""

    class Meta:
        unknown = EXCLUDE

    view = fields.String(load_default="upcoming", validate=validate.OneOf(LISTS + SPANS))
    on = Day(load_default=None)
    calendar_id = fields.UUID(load_default=None)
    q = Text(longest=200, load_default=None)
    cursor = fields.String(load_default=None)


@dataclass(frozen=True)
class Span:
    """The days of a week or month, in weeks as the reader has them; a month has whole weeks."""

    first: date
    after: date
    weeks: list[list[date]]
    before: date | None
    """A day of the span before this one; None where the years end."""

    @property
    def last(self) -> date:
        return self.after - _DAY

    @property
    def following(self) -> date | None:
        """A day of the span after this one; None where the years end."""
        return _reachable(self.after)


@blueprint.get("/bookings")
@signed_in
def index() -> ResponseReturnValue:
    """Bookings as a list, a week or a month, in the owner's zone."""
    query = load(BookingsQuery(), request.args)
    if query.errors:
        raise Invalid(query.errors)
    wanted = query.values
    account_id = require_session().account.id
    calendars = calendar_list.calendars_of(services().database, account_id)
    return render_template(
        "bookings/index.html",
        view=wanted["view"],
        wanted=wanted,
        zone=user_time_zone(),
        address=_address,
        calendars={calendar.id: calendar for calendar in calendars},
        is_filtered=bool(wanted["q"] or wanted["calendar_id"]),
        **(_span(account_id, wanted) if wanted["view"] in SPANS else _list(account_id, wanted)),
    )


@blueprint.get("/bookings/<uuid:booking_id>")
@signed_in
def show(booking_id: UUID) -> ResponseReturnValue:
    """One booking."""
    current = services()
    account_id = require_session().account.id
    booking = booking_calendar.booking_of(current.database, account_id, booking_id)
    return render_template(
        "bookings/show.html",
        booking=booking,
        minutes=(booking.end - booking.start) // timedelta(minutes=1),
        link=link_list.link_of(current.database, account_id, booking.link_id, now=current.now()),
        calendar=calendar_list.calendar_of(current.database, account_id, booking.calendar_id),
        zone=user_time_zone(),
        is_over=booking.end <= current.now(),
    )


def _list(account_id: UUID, wanted: dict[str, Any]) -> dict[str, Any]:
    current = services()
    now = current.now()
    cancelled = BookingStatus.CANCELLED
    which: dict[str, dict[str, Any]] = {
        "upcoming": {"since": now, "status": BookingStatus.CONFIRMED},
        "past": {"over_by": now, "status": BookingStatus.CONFIRMED, "newest_first": True},
        "cancelled": {"status": cancelled, "newest_first": True},
    }
    rows = booking_calendar.bookings_of(
        current.database,
        account_id,
        limit=PAGE + 1,
        calendar_id=wanted["calendar_id"],
        q=wanted["q"],
        after=start_and_id_of(wanted["cursor"]),
        **which[wanted["view"]],
    )
    page = rows[:PAGE]
    more = len(rows) > len(page)
    return {
        "bookings": page,
        "next_cursor": cursor(page[-1].start, page[-1].id) if more else None,
    }


def _span(account_id: UUID, wanted: dict[str, Any]) -> dict[str, Any]:
    current = services()
    zone = ZoneInfo(user_time_zone())
    today = current.now().astimezone(zone).date()
    span = (_week if wanted["view"] == "week" else _month)(wanted["on"] or today)
    shown = [day for week in span.weeks for day in week]
    ends = midnight(shown[-1] + _DAY, zone)
    which: dict[str, Any] = {
        "status": BookingStatus.CONFIRMED,
        "calendar_id": wanted["calendar_id"],
        "q": wanted["q"],
    }
    found = booking_calendar.bookings_of(
        current.database,
        account_id,
        limit=_MOST_IN_SPAN,
        since=midnight(shown[0], zone),
        until=ends,
        **which,
    )
    by_day: defaultdict[date, list[BookingRow]] = defaultdict(list)
    for booking in found:
        by_day[max(shown[0], _day_of(booking.start, zone))].append(booking)
    coming = []
    if not found:
        coming = booking_calendar.bookings_of(
            current.database, account_id, limit=1, since=max(ends, current.now()), **which
        )
    return {
        "span": span,
        "by_day": by_day,
        "today": today,
        "next_day": _day_of(coming[0].start, zone) if coming else None,
    }


def _week(day: date) -> Span:
    first = i18n.week_start(day)
    week = [first + n * _DAY for n in range(7)]
    return Span(first, first + 7 * _DAY, [week], _reachable(first - 7 * _DAY))


def _month(day: date) -> Span:
    first = day.replace(day=1)
    after = (first + 31 * _DAY).replace(day=1)
    monday = i18n.week_start(first)
    weeks = []
    while monday < after:
        weeks.append([monday + n * _DAY for n in range(7)])
        monday += 7 * _DAY
    return Span(first, after, weeks, _reachable((first - _DAY).replace(day=1)))


def _reachable(day: date) -> date | None:
    return day if FIRST_YEAR <= day.year <= LAST_YEAR else None


def _day_of(moment: datetime, zone: ZoneInfo) -> date:
    return moment.astimezone(zone).date()


def _address(wanted: dict[str, Any], **changes: Any) -> str:
    """This page with other wishes; a cursor is good only for the list it came from."""
    kept = wanted | {"cursor": None} | changes
    return url_for("bookings_pages.index", **{name: v for name, v in kept.items() if v is not None})
