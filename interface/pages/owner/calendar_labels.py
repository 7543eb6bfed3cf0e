"""The names of the parts of a calendar's terms, and its weekly hours in short."""

from domain.booking_rules import WEEKDAYS, Hours
from interface.i18n import gettext, weekday_name
from interface.i18n import mark_for_translation as _
from interface.pages.owner.calendar_form import WEEKLY
from interface.pages.owner.shown_hours import shown_hours
from interface.web.opening_hours import joined_nights

_LABELS = {
    "name": _("Name"),
    "location": _("Location"),
    "description": _("Description"),
    "schedule_id": _("Schedule"),
    "time_zone": _("Time zone"),
    "duration_minutes": _("Duration"),
    "start_increment_minutes": _("Start times every"),
    "buffer_before_minutes": _("Buffer before"),
    "buffer_after_minutes": _("Buffer after"),
    "minimum_notice_minutes": _("Minimum notice"),
    "booking_window_days": _("Booking window"),
    "cancel_notice_minutes": _("Latest cancellation"),
    "reschedule_notice_minutes": _("Latest move"),
    "reschedule_limit": _("Moves allowed"),
    "contact": _("Contact for invitees"),
    "reminder_minutes": _("Reminder"),
    "overrides": _("Date overrides"),
}
_UNITS = {"minutes": _("minutes"), "hours": _("hours"), "days": _("days"), "limit": _("times")}


def label(part: str) -> str:
    """Returns the name of a field, or of all overrides together, in the reader's language."""
    for number, day in enumerate(WEEKDAYS):
        if part == WEEKLY[day]:
            return weekday_name(number)
    return gettext(_LABELS[part])


def unit(name: str) -> str:
    """Returns the name of a unit, such as minutes, in the reader's language."""
    return gettext(_UNITS.get(name, name))


def weekly_lines(weekly: dict[str, Hours]) -> list[str]:
    """Returns weekly hours as lines such as Mon–Fri 09:00–17:00; equal neighbours share one."""
    lines: list[str] = []
    start = 0
    weekly = joined_nights(weekly)
    for number, day in enumerate(WEEKDAYS):
        hours = weekly[day]
        if number < 6 and weekly[WEEKDAYS[number + 1]] == hours:
            continue
        if hours:
            first, last = (weekday_name(n, short=True) for n in (start, number))
            lines.append(f"{first if start == number else f'{first}–{last}'} {shown_hours(hours)}")
        start = number + 1
    return lines
