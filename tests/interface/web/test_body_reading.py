"""Bodies are read as the library reads them, right ones and wrong ones, only in a shorter way."""

from collections.abc import Iterator
from typing import Any

import pytest
from marshmallow import Schema, ValidationError
from marshmallow.decorators import PRE_LOAD, VALIDATES

from interface.web.body_reading import Body
from interface.web.calendar_schemas import CalendarChange, CalendarInput, ScheduleChange
from interface.web.request_schemas import LinkBatchInput, LinkInput, RedeemInput, ReplayInput
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
        (LinkInput, {"expires_at": "2027-01-18T09:00:00Z", "expires_in_days": 366}),
        (LinkInput, {"expires_in_days": 366}),
        (LinkInput, {"expires_in_days": None}),
        (LinkInput, LINK | {"prefill": {"phone": ""}, "offer": {"to": 1, "first_day": "x"}}),
        (LinkBatchInput, {"links": [LINK, {}]}),
        (LinkBatchInput, {"links": [LINK, {"a": 1}, 2]}),
        (CalendarInput, calendar_json()),
        (CalendarInput, calendar_json(availability={"weekly": {"someday": [["09:00"]]}})),
        (CalendarInput, calendar_json(schedule_id="0b0f3c3e-6d0c-4c57-9c0e-2f6f1f0a7d11")),
        (CalendarChange, {"contact": "Call 555-0100."}),
        (CalendarChange, calendar_json(availability={"weekly": {"monday": []}})),
        (ScheduleChange, {"availability": {"overrides": {"2026-12-24": []}}}),
        (ScheduleChange, {"name": "", "more": 1}),
        (ReplayInput, {"after": "2027-01-18T09:00:00Z"}),
        (ReplayInput, {"ids": []}),
        (ReplayInput, {}),
    ],
)
def test_bodies_are_read_as_the_library_reads_them(
    schema: type[Body], body: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = _read(schema, body)
    monkeypatch.setattr(Body, "load", Schema.load)
    assert read == _read(schema, body)


def _read(schema: type[Body], body: Any) -> Any:
    """Returns what the body holds, or what is wrong with it."""
    try:
        return schema().load(body)
    except ValidationError as error:
        return error.messages


def test_no_body_has_a_hook_of_the_library_that_would_be_left_out() -> None:
    for schema in _kinds_of(Body):
        assert not any(schema._hooks[left_out] for left_out in (PRE_LOAD, VALIDATES))


def _kinds_of(schema: type[Body]) -> Iterator[type[Body]]:
    for kind in schema.__subclasses__():
        yield kind
        yield from _kinds_of(kind)
