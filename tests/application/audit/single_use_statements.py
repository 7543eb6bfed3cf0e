"""The statements of the single-use report, and helpers that read a report."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from tests.support.examples import NOW

ONCE, ONE_BOOKING, PAIRED = (
    "No link was redeemed more than once.",
    "No link has more than one booking.",
    "Every redemption has its booking, and every booking its redeemed link.",
)
APART, RESERVED_APART, READABLE = (
    "No two confirmed bookings of one owner ever overlapped.",
    "No two reservations in one agenda ever clashed, buffers included.",
    "Every event can be read.",
)
ISSUED, ACTIVE, NOT_ARCHIVED = (
    "Every redeemed link was issued.",
    "No link was redeemed after it was revoked or had expired.",
    "No link was issued on an archived calendar.",
)
RESERVED, OFFERED, VERSIONS = (
    "Every booking has its time reserved in the agenda of its owner.",
    "Every booking was offered by its link and by its version of the calendar.",
    "The versions of every link, booking, calendar and agenda have no gaps.",
)
LATER = NOW + timedelta(days=365)

Report = dict[str, Any]
Prove = Callable[..., Report]


def faults(found: Report) -> dict[str, list[int]]:
    """Returns the statements that do not hold, with the positions of violations."""
    broken = {each["statement"]: each["violations"] for each in found["statements"]}
    assert found["holds"] is all(each["holds"] for each in found["statements"])
    return {text: violations for text, violations in broken.items() if violations}


def checked(found: Report) -> dict[str, int]:
    """Returns how many items each statement was checked against."""
    return {each["statement"]: each["checked"] for each in found["statements"]}
