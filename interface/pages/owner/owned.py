"""Calendars, links and bookings of the person who is signed in."""

from uuid import UUID

from domain.calendar import Calendar
from domain.errors import CalendarNotFound
from domain.link import SingleUseLink
from interface.pages.shared.auth import require_session
from interface.web.link_presenter import booking_url
from interface.web.request_context import services
from projections.views import booking_calendar, calendar_list, link_list, schedule_list
from projections.views.booking_calendar import BookingRow
from projections.views.calendar_list import CalendarRow
from projections.views.link_list import LinkRow
from projections.views.schedule_list import ScheduleRow


def own_id() -> UUID:
    """Returns the id of their account."""
    return require_session().account.id


def own_calendar(calendar_id: UUID) -> CalendarRow:
    """Returns a calendar of theirs. Raises `CalendarNotFound`."""
    current = services()
    try:
        return calendar_list.calendar_of(current.database, own_id(), calendar_id)
    except CalendarNotFound:  # or the view is behind the log
        return calendar_list.row_of(current.event_store.get_own(Calendar, calendar_id, own_id()))


def own_calendars() -> dict[UUID, CalendarRow]:
    """Returns all their calendars by id, including the archived ones."""
    calendars = calendar_list.calendars_of(services().database, own_id())
    return {calendar.id: calendar for calendar in calendars}


def own_schedules() -> list[ScheduleRow]:
    """Returns all their schedules."""
    return schedule_list.schedules_of(services().database, own_id())


def schedule_names() -> dict[UUID, str]:
    """Returns the names of all their schedules by id."""
    return {schedule.id: schedule.terms.name for schedule in own_schedules()}


def own_link(link_id: UUID) -> LinkRow:
    """Returns a link of theirs. Raises `LinkNotFound`."""
    current = services()
    return link_list.link_of(current.database, own_id(), link_id, now=current.now())


def own_booking(booking_id: UUID) -> BookingRow:
    """Returns a booking of theirs. Raises `BookingNotFound`."""
    return booking_calendar.booking_of(services().database, own_id(), booking_id)


def url_of(link: LinkRow | SingleUseLink) -> str:
    """Returns the address at which the bearer of the link books."""
    return booking_url(services().tokens.for_link(link.id))
