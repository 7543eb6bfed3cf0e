"""Bodies are read as the library reads them, right ones and wrong ones, only in a shorter way."""

from typing import Any

import pytest
from marshmallow import Schema, ValidationError

from interface.web.body_reading import Body
from interface.web.calendar_schemas import CalendarInput
from interface.web.request_schemas import LinkBatchInput, LinkInput, RedeemInput
from tests.support.examples import calendar_json, redeem_json

REDEEM = redeem_json("2027-01-18T09:00:00Z")
LINK = {
    "recipient": "Ada Lovelace",
    "note": None,
    "expires_in_days": 14,
    "prefill": {"name": "Ada", "email": "ada@example.org"},
    "offer": {"from": "2027-01-18", "slots": ["2027-01-18T09:00:00Z"], "duration_minutes": None},
}


@pytest.mark.parametrize(
    ("schema", "body"),
    [
        (RedeemInput, REDEEM),
        (RedeemInput, {}),
        (RedeemInput, []),
        (RedeemInput, None),
        (RedeemInput, REDEEM | {"start": "tomorrow", "more": 1}),
        (RedeemInput, REDEEM | {"invitee": {"name": "", "email": "ada", "age": 36}}),
        (RedeemInput, REDEEM | {"invitee": "Ada"}),
        (RedeemInput, REDEEM | {"invitee": None}),
        (LinkInput, {}),
        (LinkInput, LINK),
        (LinkInput, LINK | {"expires_at": "2027-01-18T09:00:00Z"}),
        (LinkInput, LINK | {"prefill": {"phone": ""}, "offer": {"to": 1, "first_day": "x"}}),
        (LinkBatchInput, {"links": [LINK, {}]}),
        (LinkBatchInput, {"links": [LINK, {"a": 1}, 2]}),
        (CalendarInput, calendar_json()),
        (CalendarInput, calendar_json(availability={"weekly": {"someday": [["09:00"]]}})),
    ],
)
def test_bodies_are_read_as_the_library_reads_them(
    schema: type[Body], body: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = _read(schema, body)
    monkeypatch.setattr(Body, "_deserialize", Schema._deserialize)
    assert read == _read(schema, body)


def _read(schema: type[Body], body: Any) -> Any:
    """Returns what the body holds, or what is wrong with it."""
    try:
        return schema().load(body)
    except ValidationError as error:
        return error.messages
