"""Answers are what their schemas make of a value, without the schemas' own machinery."""

from datetime import UTC, date, datetime, timedelta, timezone
from enum import Enum
from types import SimpleNamespace
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from flask import json
from marshmallow import Schema, fields

from interface.api.answers import Answer
from interface.web.fields import Day, Instant

AN_ID = UUID("0b0f3c3e-6d0c-4c57-9c0e-2f6f1f0a7d11")


class Colour(Enum):
    """An enum whose names differ from its values."""

    RED = "the red one"


class Inner(Schema):
    """An object in an object."""

    at = Instant()


class Outer(Schema):
    """A field of each kind that answers have."""

    id = fields.UUID(allow_none=True)
    text = fields.String(attribute="deep.er.text")
    count = fields.Integer()
    share = fields.Float()
    flag = fields.Boolean()
    colour = fields.Enum(Colour, by_value=True)
    day = fields.Date()
    first_day = Day(data_key="from")
    moments = fields.List(Instant())
    inner = fields.Nested(Inner)
    inners = fields.List(fields.Nested(Inner))
    data = fields.Dict(keys=fields.String(), values=fields.List(fields.String()))


def value(moment: datetime) -> dict[str, object]:
    return {
        "id": AN_ID,
        "deep": SimpleNamespace(er={"text": 'Ünï "x" \u2028 \N{GRINNING FACE}'}),
        "count": 3,
        "share": 1,
        "flag": True,
        "colour": Colour.RED,
        "day": date(2026, 12, 24),
        "first_day": date(2026, 12, 24),
        "moments": (moment, moment + timedelta(microseconds=1200)),
        "inner": SimpleNamespace(at=moment),
        "inners": [{"at": moment}],
        "data": {"monday": (("09:00", "12:00"),)},
        "more": "than the schema says",
    }


@pytest.mark.parametrize(
    "zone", [UTC, ZoneInfo("UTC"), ZoneInfo("Asia/Kathmandu"), timezone(timedelta(hours=-3))]
)
def test_an_answer_is_what_the_schema_would_write(zone: timezone) -> None:
    whole = value(datetime(2027, 1, 18, 9, 30, tzinfo=zone))
    expected = json.loads(json.dumps(Outer().dump(whole | {"data": {"monday": []}})))
    answer = json.loads(Answer(Outer()).encoded(whole | {"data": {"monday": []}}))
    assert answer == expected
    assert list(answer) == list(expected)


def test_fields_that_are_not_there_are_left_out_and_none_is_null() -> None:
    assert Answer(Outer()).encoded({"id": None, "deep": None}) == b'{"id":null}'
    assert Answer(Outer()).encoded(SimpleNamespace(id=AN_ID)) == b'{"id":"%s"}' % (
        str(AN_ID).encode()
    )


def test_a_schema_with_a_field_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(TypeError, match="IPv4 has no rule"):
        Answer(Schema.from_dict({"address": fields.IPv4()})())
