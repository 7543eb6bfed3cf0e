"""The pages on which people choose a time: the zone of the reader, days and times."""

from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import urlencode

from flask import render_template, request
from markupsafe import Markup
from marshmallow import EXCLUDE, Schema, ValidationError

from domain.booking_rules import is_time_zone
from domain.errors import ViewBehind
from interface.i18n import local_day
from interface.pages.shared.slot_picker import (
    day_cells,
    host_labels,
    packed_starts,
    pick_slot,
    time_labels,
)
from interface.web.fields import Day, Instant, in_utc
from interface.web.request_context import services
from interface.web.time_zone_lookup import resolve_time_zone, selectable_time_zones
from projections.engine import positions
from projections.open_slots import OpenSlots
from projections.views import booking_calendar


class ChosenTime(Schema):
    """The form that confirms a time that was chosen."""

    class Meta:
        unknown = EXCLUDE

    start = Instant(required=True)


def reader_zone(default: str) -> str:
    """Returns the zone that the request names, else `default`."""
    requested = resolve_time_zone(request.values.get("tz", ""))
    return requested if is_time_zone(requested) else default


def zone_context(zone: str, *, is_known: bool = True) -> dict[str, Any]:
    """Returns the variables with which templates show times in the reader's zone.

    If it is not known, the page's script asks the browser.
    """
    requested = request.values.get("tz")
    return {
        "zone": zone,
        "asks_zone": requested is None and not is_known,
        "requested_zone": requested,
        "zone_is_unknown": requested is not None and resolve_time_zone(requested) != zone,
        # Links between these pages carry the zone once the address names one.
        "tz": None if requested is None else zone,
        "in_utc": in_utc,
    }


def days_page(
    open_slots: OpenSlots,
    *,
    zone: str,
    address: str,
    lost: bool,
    host_zone: str,
    zone_is_known: bool = True,
    template: str = "invitee/days.html",
    kept: Mapping[str, str] | None = None,
    **context: Any,
) -> str:
    """Shows days with free times, and the times of one of them.

    `address` is that of the page itself, to which a chosen time is added. `lost` adds that the
    time that was chosen before is no longer free. Where it differs, the host's time is shown too.
    Links between the days carry what is `kept`.
    """
    carried = ({"tz": zone} if "tz" in request.args else {}) | dict(kept or {})
    prefix = f"{address}?{urlencode(carried)}&" if carried else f"{address}?"
    picker = pick_slot(
        open_slots,
        time_zone=zone,
        page_from=from_address(Day(), "from"),
        chosen=from_address(Day(), "day"),
    )
    shown = zone_context(zone, is_known=zone_is_known)
    labels = time_labels(picker.slots, zone)
    host_times = host_labels(picker.slots, time_zone=zone, host_zone=host_zone)
    return render_template(
        template,
        **shown,
        **context,
        picker=picker,
        cells=day_cells(picker),
        starts=packed_starts(picker) if shown["asks_zone"] else None,
        host_zone=host_zone,
        host_times=host_times,
        times=[(in_utc(slot.start), labels[slot], host_times.get(slot)) for slot in picker.slots],
        next_day=picker.next_free and local_day(picker.next_free.start, zone),
        address=address,
        kept=kept or {},
        address_prefix=prefix,
        zone_options=zone_options(),
        lost=lost,
    )


def from_address(field: Any, name: str) -> Any:
    """Returns a query parameter as `field` reads it; None if it is missing or malformed."""
    try:
        return field.deserialize(request.args[name])
    except (KeyError, ValidationError):
        return None


def wait_for_newest_bookings() -> None:
    """Waits for the newest bookings, so that a slot that was just lost is not offered again."""
    current = services()
    try:
        positions.wait_for(current.database, (booking_calendar.NAME,), current.event_store.head())
    except ViewBehind:
        return


@cache
def zone_options() -> Markup:
    """Returns the zones that a field offers, as HTML."""
    return Markup("").join(
        Markup("<option>{}</option>").format(name) for name in selectable_time_zones()
    )
