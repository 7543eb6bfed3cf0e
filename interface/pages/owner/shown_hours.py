"""Opening hours as text, by the clock of the reader."""

from domain.booking_rules import Hours
from interface.i18n import hour_text
from interface.web.opening_hours import hours_text


def shown_hours(hours: Hours) -> str:
    """Returns the hours of a day as every other time on the pages is shown; empty without hours.

    Such as 09:00–12:00, 13:00–24:00, or 9:00 AM–12:00 PM, 1:00 PM–12:00 AM.
    """
    return hours_text(tuple((hour_text(opens), hour_text(closes)) for opens, closes in hours))
