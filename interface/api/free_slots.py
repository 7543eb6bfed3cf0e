"""The response with free slots, for those who book and those who move a booking."""

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from domain.errors import Invalid
from interface.api.decorators import not_modified
from interface.web.entity_tags import entity_tag, known_tag
from interface.web.period import REVERSED
from projections.open_slots import OpenSlots
from projections.views import booking_calendar, calendar_list

MOST_DAYS = 62
DEFAULT_DAYS = 14
MOST_SLOTS = 2000


def free_slots(open_slots: OpenSlots, query: dict[str, Any]) -> Any:
    """Returns the slots on the days that the query names, with a weak ETag. Raises `Invalid`."""
    time_zone = query["time_zone"] or open_slots.rules.time_zone
    first = query["first"] or open_slots.now.astimezone(ZoneInfo(time_zone)).date()
    last = query["last"] or first + timedelta(days=DEFAULT_DAYS - 1)
    if last < first:
        raise Invalid({"to": [REVERSED]})
    if (last - first).days >= MOST_DAYS:
        raise Invalid({"to": [f"Must lie within {MOST_DAYS} days of from."]})
    tag = entity_tag(calendar_list.NAME, booking_calendar.NAME, by_the_minute=True)
    if known_tag(tag) is not None:
        return not_modified(tag)
    found = open_slots.whole_days(first, last, time_zone, most=MOST_SLOTS)
    return {"slots": found.slots, "next_from": found.next_from}, {"ETag": f'W/"{tag}"'}
