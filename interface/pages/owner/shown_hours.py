"""Opening hours as text, by the clock of the reader."""

from domain.booking_rules import Hours
from domain.wall_clock import minute_of_day
from interface.i18n import clock_hours, minute_text
from interface.web.opening_hours import hours_text


def shown_hours(hours: Hours) -> str:
    """Returns the hours of a day as every other time on the pages is shown; empty without hours.

    Such as 09:00–12:00, 13:00–24:00, or 9:00 AM–12:00 PM, 1:00 PM–12:00 AM.
    """
    if clock_hours() == 24:
        return hours_text(hours)
    return ", ".join(
        "–".join(minute_text(minute_of_day(time)) for time in interval) for interval in hours
    )
