"""The bookings of an owner: lists, a week, a month, and one booking."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue
from marshmallow import EXCLUDE, Schema, fields, validate

from application.deliveries.outbox import MAIL
from domain.booking import BookingStatus
from domain.errors import Invalid
from interface.i18n import local_day, week_start
from interface.pages.shared.auth import for_role, require_session, user_time_zone
from interface.pages.shared.csrf import protect_from_csrf
from interface.pages.shared.deliveries import kind_text, shown
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
PAGE_SIZE = 25
MOST_MAILS = 100
# More than anybody can tell apart in a week or a month.
_MOST_IN_SPAN = 2000
_DAY = timedelta(days=1)


class BookingsQuery(Schema):
    """Filters of the bookings and how to show them; `on` is a day of the week or month."""

    class Meta:
        unknown = EXCLUDE

    view = fields.String(load_default="upcoming", validate=validate.OneOf(LISTS + SPANS))
    on = Day(load_default=None)
    calendar_id = fields.UUID(load_default=None)
    q = Text(longest=200, load_default=None)
    cursor = fields.String(load_default=None)


@dataclass(frozen=True)
class Span:
    """The days of a week or month in whole weeks, which begin as the reader's locale has it."""

    first: date
    after: date
    weeks: list[list[date]]
    before: date | None
    """The first day of the previous span; None at the end of the supported years."""

    @property
    def last(self) -> date:
        return self.after - _DAY

    @property
    def following(self) -> date | None:
        """Returns the first day of the next span; None at the end of the supported years."""
        return _supported(self.after)


@blueprint.get("/bookings")
@for_role("owner")
def index() -> ResponseReturnValue:
    """Shows bookings as a list, a week or a month, in the owner's zone."""
    query = load(BookingsQuery(), request.args)
    if query.errors:
        raise Invalid(query.errors)
    filters = query.values
    account_id = require_session().account.id
    calendars = calendar_list.calendars_of(services().database, account_id)
    return render_template(
        "bookings/index.html",
        view=filters["view"],
        filters=filters,
        zone=user_time_zone(),
        address=_address,
        calendars={calendar.id: calendar for calendar in calendars},
        is_filtered=bool(filters["q"] or filters["calendar_id"]),
        **(_span(account_id, filters) if filters["view"] in SPANS else _list(account_id, filters)),
    )


@blueprint.get("/bookings/<uuid:booking_id>")
@for_role("owner")
def show(booking_id: UUID) -> ResponseReturnValue:
    """Shows one booking."""
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
        mails=shown(
            current.deliveries.newest(limit=MOST_MAILS, channel=MAIL, booking_id=booking_id)
        ),
        kind_text=kind_text,
    )


def _list(account_id: UUID, filters: dict[str, Any]) -> dict[str, Any]:
    current = services()
    now = current.now()
    criteria: dict[str, dict[str, Any]] = {
        "upcoming": {"since": now, "status": BookingStatus.CONFIRMED},
        "past": {"over_by": now, "status": BookingStatus.CONFIRMED, "newest_first": True},
        "cancelled": {"status": BookingStatus.CANCELLED, "newest_first": True},
    }
    rows = booking_calendar.bookings_of(
        current.database,
        account_id,
        limit=PAGE_SIZE + 1,
        calendar_id=filters["calendar_id"],
        q=filters["q"],
        after=start_and_id_of(filters["cursor"]),
        **criteria[filters["view"]],
    )
    page = rows[:PAGE_SIZE]
    has_more = len(rows) > len(page)
    return {
        "bookings": page,
        "next_cursor": cursor(page[-1].start, page[-1].id) if has_more else None,
    }


def _span(account_id: UUID, filters: dict[str, Any]) -> dict[str, Any]:
    current = services()
    zone = user_time_zone()
    today = local_day(current.now(), zone)
    span = (_week if filters["view"] == "week" else _month)(filters["on"] or today)
    days = [day for week in span.weeks for day in week]
    end = midnight(days[-1] + _DAY, ZoneInfo(zone))
    criteria: dict[str, Any] = {
        "status": BookingStatus.CONFIRMED,
        "calendar_id": filters["calendar_id"],
        "q": filters["q"],
    }
    bookings = booking_calendar.bookings_of(
        current.database,
        account_id,
        limit=_MOST_IN_SPAN,
        since=midnight(days[0], ZoneInfo(zone)),
        until=end,
        **criteria,
    )
    by_day: defaultdict[date, list[BookingRow]] = defaultdict(list)
    for booking in bookings:
        by_day[max(days[0], local_day(booking.start, zone))].append(booking)
    upcoming = []
    if not bookings:
        upcoming = booking_calendar.bookings_of(
            current.database, account_id, limit=1, since=max(end, current.now()), **criteria
        )
    return {
        "span": span,
        "by_day": by_day,
        "today": today,
        "next_day": local_day(upcoming[0].start, zone) if upcoming else None,
    }


def _week(day: date) -> Span:
    first = week_start(day)
    week = [first + n * _DAY for n in range(7)]
    return Span(first, first + 7 * _DAY, [week], _supported(first - 7 * _DAY))


def _month(day: date) -> Span:
    first = day.replace(day=1)
    after = (first + 31 * _DAY).replace(day=1)
    week_begin = week_start(first)
    weeks = []
    while week_begin < after:
        weeks.append([week_begin + n * _DAY for n in range(7)])
        week_begin += 7 * _DAY
    return Span(first, after, weeks, _supported((first - _DAY).replace(day=1)))


def _supported(day: date) -> date | None:
    return day if FIRST_YEAR <= day.year <= LAST_YEAR else None


def _address(filters: dict[str, Any], **changes: Any) -> str:
    """Returns the address of this page with changed filters, at the start of the list."""
    changed = filters | {"cursor": None} | changes
    query = {name: value for name, value in changed.items() if value is not None}
    return url_for("bookings_pages.index", **query)
