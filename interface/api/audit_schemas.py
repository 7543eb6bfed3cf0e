"""Schemas of the audit endpoints: queries and responses."""

from marshmallow import fields, validate

from interface.api.response_schemas import ResponseSchema
from interface.web.fields import LAST_POSITION, AsOfField, Instant, Text
from interface.web.request_schemas import LONGEST_PERSON, LimitedQuery, Query

_IS_POSITION = validate.Range(0, LAST_POSITION, error="Must be a whole number, 0 or more.")


class HistoryQuery(Query):
    """A time (RFC 3339) or a position of the log. Default: all there is."""

    as_of = AsOfField(load_default=None)


class EventQuery(LimitedQuery):
    """Which part of the log: after a position; of one type, caused by one actor."""

    after = fields.Integer(load_default=0, validate=_IS_POSITION)
    topic = Text(data_key="type", longest=100, load_default=None)
    actor = Text(longest=LONGEST_PERSON, load_default=None)


class AccessQuery(LimitedQuery):
    """Which part of the accesses: before that id."""

    before = fields.Integer(load_default=None, validate=_IS_POSITION)


class EventOutput(ResponseSchema):
    """An event of the log.

    `typed` is what a person typed with it, while that is kept. `commitment` tells whether it is
    what the event committed to: kept, changed, gone, or null where it commits to nothing.
    `fault` says why the event can't be read or applied; a sound log has none.
    """

    position = fields.Integer()
    type = fields.String()
    id = fields.UUID()
    version = fields.Integer()
    recorded_at = fields.String(metadata={"format": "date-time"})
    decided_at = fields.String(metadata={"format": "date-time"}, allow_none=True)
    actor = fields.String(allow_none=True)
    data = fields.Dict()
    typed = fields.Dict(allow_none=True)
    commitment = fields.String(allow_none=True)
    fault = fields.String(allow_none=True)
    leaf_hash = fields.String()


class StepOutput(EventOutput):
    """An event, and the state of everything in the story after it."""

    state = fields.Dict(keys=fields.String(), values=fields.Dict())


class HistoryOutput(ResponseSchema):
    """What happened, in order, and the state then."""

    id = fields.UUID()
    events = fields.List(fields.Nested(StepOutput))
    state = fields.Dict(keys=fields.String(), values=fields.Dict())


class EventPage(ResponseSchema):
    """Events in the order of the log; `next_after` is null at its end."""

    items = fields.List(fields.Nested(EventOutput))
    next_after = fields.Integer(allow_none=True)


class ProofOutput(ResponseSchema):
    """A leaf's place in the tree of the checkpoint, and the way to its root. Hexadecimal."""

    index = fields.Integer()
    size = fields.Integer()
    leaf_hash = fields.String()
    proof = fields.List(fields.String())
    checkpoint = fields.String()


class AccessOutput(ResponseSchema):
    """Somebody who read the audit; `at` is by the database's clock."""

    id = fields.Integer()
    at = Instant()
    actor = fields.String()
    what = fields.String()


class AccessPage(ResponseSchema):
    """Accesses, newest first; `next_before` is null on the last page."""

    items = fields.List(fields.Nested(AccessOutput))
    next_before = fields.Integer(allow_none=True)
