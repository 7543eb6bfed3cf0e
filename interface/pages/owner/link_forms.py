"""The forms for new links, one or several, and the links that a sent form asks for."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from flask import request
from marshmallow import Schema, ValidationError, fields, validate

from application.commands.links import LARGEST_BATCH
from application.commands.new_link import DEFAULT_LINK_LIFE, NewLink
from application.people.personal_data import Prefill
from domain.errors import Invalid, Sentence
from domain.link import LONGEST_LIFE, SingleUseLink
from domain.offer import Offer
from interface.i18n import gettext, local_day, sentence, short_date_text
from interface.pages.owner.owned import own_id
from interface.pages.owner.pasted_recipients import (
    PastedRecipient,
    UnreadableRecipient,
    read_recipient,
    read_recipients,
)
from interface.pages.owner.read_your_writes import wait_until_visible
from interface.pages.shared import auth
from interface.pages.shared.auth import user_time_zone
from interface.web.fields import Day, Instant, Text
from interface.web.request_context import services
from interface.web.request_schemas import LONGEST_NOTE, LONGEST_PERSON, LONGEST_REFERENCE
from projections.open_slots import midnight
from projections.views import link_list
from projections.views.calendar_list import CalendarRow
from projections.views.link_list import LinkRow

DEFAULT_DAYS = DEFAULT_LINK_LIFE.days
MOST_DAYS = LONGEST_LIFE.days
NOBODY = PastedRecipient("", "")
_LONGEST_LIST = 60_000


class Recipients(Text):
    """The people in a pasted list, each of whom gets a link."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(longest=_LONGEST_LIST, several_lines=True, **kwargs)

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        super()._deserialize(value, *args, **kwargs)
        try:
            found = read_recipients(value)  # with the empty lines before it, which count
        except UnreadableRecipient as error:
            where = gettext("Line %(number)s:") % {"number": error.line}
            raise ValidationError([f"{where} {sentence(error.sentence)}"]) from None
        if not found.people:
            raise ValidationError(Sentence("Enter at least one recipient."))
        if len(found.people) > LARGEST_BATCH:
            raise ValidationError(Sentence("Enter at most {most} recipients.", most=LARGEST_BATCH))
        return found


class Recipient(Text):
    """The person whom a link is for: a name, an e-mail address, or both as mail programs do."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(longest=LONGEST_PERSON, **kwargs)

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        return read_recipient(super()._deserialize(value, *args, **kwargs))


class ExpiryForm(Schema):
    """A number of days or the last day; if both are filled in, the last day counts."""

    expires_in_days = fields.Integer(
        validate=validate.Range(1, MOST_DAYS, error=Sentence("Enter a number from 1 to 365.")),
        error_messages={"invalid": Sentence("Enter a number from 1 to 365.")},
    )
    expires_on = Day()


class LinkForm(ExpiryForm):
    """The fields of one new link."""

    recipient = Recipient()
    note = Text(longest=LONGEST_NOTE, several_lines=True)
    reference = Text(longest=LONGEST_REFERENCE)
    duration_minutes = fields.Integer(
        error_messages={"invalid": Sentence("Enter a number of minutes.")}
    )
    first_day = Day()
    last_day = Day()
    slots = fields.List(Instant(), error_messages={"invalid": Sentence("Choose from these times.")})


class BatchForm(ExpiryForm):
    """The fields of several new links: one link per recipient, all with the same note."""

    recipients = Recipients(
        required=True, error_messages={"required": Sentence("Enter at least one recipient.")}
    )
    note = Text(longest=LONGEST_NOTE, several_lines=True)


def typed_in(form: type[LinkForm | BatchForm]) -> dict[str, Any]:
    """Returns what was typed into each field of the form that was sent; the slots as a list."""
    typed: dict[str, Any] = {name: request.form.get(name) for name in form().fields}
    if "slots" in typed:
        typed["slots"] = request.form.getlist("slots") or None
    return typed


def form_context() -> dict[str, Any]:
    """Returns the variables of a template with either form: a fresh id, and the days to choose."""
    first_day, last_day = selectable_days()
    return {
        "zone": user_time_zone(),
        "form_id": new_form_id(),
        "first_day": first_day,
        "last_day": last_day,
    }


def form_status(calendar: CalendarRow, errors: Mapping[str, Sequence[str]] | None) -> int:
    """Returns the HTTP status of a page with a form, or with the reason why there is none."""
    if calendar.is_archived:
        return 409
    return 422 if errors else 200


def issue_links(
    calendar: CalendarRow, values: Mapping[str, Any], recipients: Sequence[PastedRecipient]
) -> list[SingleUseLink]:
    """Issues a link per recipient, with the values of a form that passed the checks.

    Raises `Invalid` or `CalendarArchived`.
    """
    current = services()
    # Somebody who goes back, changes the form and sends it again wants another link.
    content = msgspec.json.encode([calendar.id, recipients, values], order="sorted").decode()
    result = current.links.issue(
        calendar_id=calendar.id,
        owner_id=own_id(),
        links=new_links(values, recipients, zone=user_time_zone()),
        actor=auth.actor(),
        now=current.now(),
        idempotency_key=form_key(content),
    )
    return wait_until_visible(result, link_list.NAME)


def new_links(
    values: Mapping[str, Any], recipients: Sequence[PastedRecipient], *, zone: str
) -> list[NewLink]:
    """Returns a link to issue per recipient. A last day ends with midnight in `zone`.

    The booking form is filled in with the name and address of those with an address. What is said
    of others is for the owner alone.
    """
    expires_on = values.get("expires_on")
    slots = values.get("slots")
    new = NewLink(
        note=values.get("note"),
        reference=values.get("reference"),
        offer=Offer(
            first_day=values.get("first_day"),
            last_day=values.get("last_day"),
            slots=tuple(slots) if slots else None,
            duration_minutes=values.get("duration_minutes"),
        ),
        expires_at=expires_on and end_of_day(expires_on, zone),
        life=timedelta(days=values.get("expires_in_days", DEFAULT_DAYS)),
    )
    return [
        replace(
            new,
            recipient=recipient.label or None,
            prefill=Prefill(recipient.name or None, recipient.email) if recipient.email else None,
        )
        for recipient in recipients
    ]


def end_of_day(day: date, zone: str) -> datetime:
    """Returns the midnight with which a day ends in a time zone."""
    return midnight(day + timedelta(days=1), ZoneInfo(zone))


def last_day(link: LinkRow, zone: str) -> date:
    """Returns the last day in a time zone on which a link is valid, at least for a moment."""
    return local_day(link.expires_at - timedelta(microseconds=1), zone)


def new_form_id() -> str:
    """Returns an id by which a form that is sent twice is recognised."""
    return secrets.token_urlsafe(16)


def form_key(content: str = "") -> str:
    """Returns the idempotency key of the form that was sent, with this content.

    A form without an id gets a key of its own each time.
    """
    # The prefix keeps keys of forms apart from keys that programs choose.
    return f"form:{request.form.get('form_id') or new_form_id()} {content}"


def offer_errors(invalid: Invalid) -> dict[str, list[str]]:
    """Returns, by the fields of the form, what the domain refused of the only new link."""
    errors: dict[str, list[str]] = {}
    for path, sentences in invalid.errors.items():
        name = path.removeprefix("links.0.").removeprefix("offer.")
        if name == "expires_at":
            errors |= expiry_errors()
        else:
            of_slot = name.startswith("slots.")
            field = {"from": "first_day", "to": "last_day"}.get(name, name)
            errors["slots" if of_slot else field] = list(sentences)
    return errors


def expiry_errors() -> dict[str, list[str]]:
    """Returns the error of the last day: the only field that the domain alone can refuse."""
    first, last = (short_date_text(day) for day in selectable_days())
    message = Sentence("Choose a date from {first} to {last}.", first=first, last=last)
    return {"expires_on": [message]}


def selectable_days() -> tuple[date, date]:
    """Returns the first and the last day on which a new link can end."""
    today = local_day(services().now(), user_time_zone())
    return today, today + timedelta(days=MOST_DAYS - 1)
