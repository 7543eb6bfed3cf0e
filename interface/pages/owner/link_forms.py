"""What an owner fills in to get links."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

import msgspec
from marshmallow import Schema, ValidationError, fields, validate

from application.commands.links import DEFAULT_LINK_LIFE, LARGEST_BATCH, NewLink
from domain.errors import Sentence
from domain.link import LONGEST_LIFE
from interface.pages.shared.i18n import gettext, sentence
from interface.web.fields import Day, Text
from interface.web.request_schemas import LONGEST_NOTE, LONGEST_PERSON

DEFAULT_DAYS = DEFAULT_LINK_LIFE.days
MOST_DAYS = LONGEST_LIFE.days


class Recipients(fields.Field[list[str]]):
    """One recipient a line; empty lines count for nothing."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> list[str]:
        person = Text(longest=LONGEST_PERSON)
        found = []
        for number, line in enumerate(str(value).splitlines(), 1):
            try:
                found.append(person.deserialize(" ".join(line.split())))
            except ValidationError as error:
                where = gettext("Line %(number)s:") % {"number": number}
                raise ValidationError(
                    [f"{where} {sentence(why)}" for why in error.messages]
                ) from None
        recipients = [recipient for recipient in found if recipient]
        if not recipients:
            raise ValidationError(gettext("Name at least one recipient."))
        if len(recipients) > LARGEST_BATCH:
            raise ValidationError(
                gettext("At most %(most)s recipients at once.") % {"most": LARGEST_BATCH}
            )
        return recipients


class ExpiryForm(Schema):
    """A number of days, or the last day. With both, the last day counts."""

    expires_in_days = fields.Integer(
        validate=validate.Range(1, MOST_DAYS, error=Sentence("Must be 1 to 365.")),
        error_messages={"invalid": Sentence("Must be 1 to 365.")},
    )
    expires_on = Day()


class LinkForm(ExpiryForm):
    """The wish for one link."""

    recipient = Text(longest=LONGEST_PERSON)
    note = Text(longest=LONGEST_NOTE, several_lines=True)


class BatchForm(ExpiryForm):
    """The wish for a link for each of several recipients."""

    recipients = Recipients(
        required=True, error_messages={"required": Sentence("Must not be empty.")}
    )
    note = Text(longest=LONGEST_NOTE, several_lines=True)


def wished_links(
    values: Mapping[str, Any],
    recipients: Sequence[str | None],
    *,
    form_id: str,
    calendar_id: UUID,
    owner_id: UUID,
    zone: str,
    now: datetime,
) -> list[NewLink]:
    """A link for each recipient. The same form sent twice wishes for the same links."""
    content = msgspec.json.encode([form_id, calendar_id, recipients, values], order="sorted")
    expires_at = _expires_at(values, zone, now)
    return [
        NewLink(
            recipient=recipient,
            note=values.get("note"),
            expires_at=expires_at,
            link_id=uuid5(owner_id, f"wish {place} {content.decode()}"),
        )
        for place, recipient in enumerate(recipients)
    ]


def _expires_at(values: Mapping[str, Any], zone: str, now: datetime) -> datetime:
    last_day = values.get("expires_on")
    if last_day is not None:
        midnight = datetime.combine(last_day + timedelta(days=1), time(), ZoneInfo(zone))
        return midnight.astimezone(UTC)
    return now + timedelta(days=values.get("expires_in_days", DEFAULT_DAYS))
