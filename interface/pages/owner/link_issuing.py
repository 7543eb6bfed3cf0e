"""What the forms for one link and for several have in common."""

import secrets
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask import request

from domain.errors import Invalid
from domain.link import SingleUseLink
from interface.pages.owner.link_forms import MOST_DAYS, BatchForm, LinkForm, wished_links
from interface.pages.owner.read_your_writes import wait_until_visible
from interface.pages.shared import auth
from interface.pages.shared.auth import require_session, user_time_zone
from interface.web.request_context import services
from projections.views import link_list
from projections.views.calendar_list import CalendarRow


def status_of(calendar: CalendarRow, errors: Mapping[str, Sequence[str]] | None) -> int:
    """The status of a page with the form, or with why there is none."""
    if calendar.is_archived:
        return 409
    return 422 if errors else 200


def form_frame() -> dict[str, Any]:
    """What every form for links needs: its own mark, and the days that can be chosen."""
    today = services().now().astimezone(ZoneInfo(user_time_zone())).date()
    return {
        "zone": user_time_zone(),
        "form_id": secrets.token_urlsafe(16),
        "first_day": today,
        "last_day": today + timedelta(days=MOST_DAYS - 1),
    }


def typed_in(form: type[LinkForm | BatchForm]) -> dict[str, str | None]:
    """What stands in the fields, as it was typed."""
    return {name: request.form.get(name) for name in form().fields}


def issue_links(
    calendar: CalendarRow, values: Mapping[str, Any], recipients: Sequence[str | None]
) -> list[SingleUseLink]:
    """A link for each recipient, as a form that passed the checks asks for.

    Raises `Invalid` or `CalendarArchived`.
    """
    current = services()
    owner_id = require_session().account.id
    now = current.now()
    wishes = wished_links(
        values,
        recipients,
        form_id=request.form.get("form_id") or secrets.token_urlsafe(16),
        calendar_id=calendar.id,
        owner_id=owner_id,
        zone=user_time_zone(),
        now=now,
    )
    result = current.links.issue(
        calendar_id=calendar.id,
        owner_id=owner_id,
        links=wishes,
        actor=auth.actor(),
        now=now,
    )
    return wait_until_visible(result, link_list.NAME)


def errors_by_field(refusal: Invalid) -> dict[str, list[str]]:
    """What is wrong with one of the links is wrong with the day that they all end on."""
    return {"expires_on": sorted({why for whys in refusal.errors.values() for why in whys})}
