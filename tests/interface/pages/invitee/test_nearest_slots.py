"""The times that are offered in place of a lost one."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from domain.booking_rules import WEEKDAYS
from interface.current_request import CurrentRequest
from interface.pages.shared.slot_picker import nearest_slots
from interface.web.invitation import invitation
from tests.support.examples import TOMORROW_AT_NINE
from tests.support.invitee_browser import InviteeBrowser

WEEK_LATER = TOMORROW_AT_NINE + timedelta(days=7)


def hours(*intervals: tuple[str, str]) -> dict[str, Any]:
    return {"weekly": {day: [list(interval) for interval in intervals] for day in WEEKDAYS}}


@pytest.mark.parametrize(
    ("changes", "days_from_lost"),
    [
        ({"availability": hours(("09:00", "10:00")), "duration_minutes": 1}, [0] * 6),
        ({"availability": hours(("09:00", "10:00"))}, [-2, -1, -1, 0, 1, 1]),
        ({"availability": {"weekly": {"monday": [["09:00", "10:00"]]}}}, [-8, -8, -1, -1, 6, 6]),
    ],
)
def test_they_are_the_nearest_on_either_side(
    new_invitee_browser: Callable[..., InviteeBrowser],
    changes: dict[str, Any],
    days_from_lost: list[int],
) -> None:
    invitee = new_invitee_browser(**changes)
    app: Any = invitee.browser.application
    with CurrentRequest({}, app.extensions):
        slots = nearest_slots(
            invitation(invitee.link["token"]).open_slots, WEEK_LATER, time_zone="UTC"
        )
    assert [(slot.start.date() - WEEK_LATER.date()).days for slot in slots] == days_from_lost
