"""Schemas of the API's responses about projections."""

from marshmallow import fields, validate

from interface.web.fields import Instant
from interface.web.response_schema import LINK_ID, ResponseSchema, example_of
from projections.rebuild.jobs import KINDS, STATES


class DifferenceOutput(ResponseSchema):
    """A row that differs between the live view and the one built from the log."""

    table = fields.String(metadata=example_of("link_list_v3"))
    key = fields.String(metadata=example_of(LINK_ID))
    live = fields.Dict(
        keys=fields.String(),
        allow_none=True,
        metadata=example_of(
            {"revoked_at": None}, "The columns that differ; null if the live view lacks the row."
        ),
    )
    built = fields.Dict(
        keys=fields.String(),
        allow_none=True,
        metadata=example_of(
            {"revoked_at": "2027-01-12T10:00:00+00:00"},
            "The columns that differ; null if the log does not lead to this row.",
        ),
    )


class RebuildOutput(ResponseSchema):
    """A rebuild or verification of a view."""

    id = fields.UUID(metadata=example_of("7e0a5b54-93c1-4f55-8d5b-3f7a9f1b2c44"))
    kind = fields.String(validate=validate.OneOf(KINDS), metadata=example_of("rebuild"))
    state = fields.String(validate=validate.OneOf(STATES), metadata=example_of("done"))
    progress = fields.Float(metadata=example_of(1.0, "How much of the log it has read, 0 to 1."))
    events = fields.Integer(metadata=example_of(1200, "How many events it has applied."))
    seconds = fields.Float(metadata=example_of(0.4, "How long it has worked."))
    rows = fields.Integer(
        allow_none=True, metadata=example_of(310, "How many rows it has built; null until then.")
    )
    differing = fields.Integer(
        allow_none=True,
        metadata=example_of(
            0, "How many rows differ from the live view; null if they were not compared."
        ),
    )
    differences = fields.List(
        fields.Nested(DifferenceOutput),
        allow_none=True,
        metadata={"description": "The first rows that differ; null if they were not compared."},
    )
    error = fields.String(allow_none=True, metadata=example_of(None, "Why it failed."))
    requested_at = Instant(metadata=example_of("2027-01-12T10:00:00Z"))
    finished_at = Instant(allow_none=True, metadata=example_of("2027-01-12T10:00:02Z"))


class ProjectionOutput(ResponseSchema):
    """A view and how far it has come."""

    name = fields.String(metadata=example_of("link_list_v3"))
    position = fields.Integer(metadata=example_of(1200, "The position up to which it has read."))
    head = fields.Integer(metadata=example_of(1200, "The position of the newest event."))
    lag_events = fields.Integer(
        metadata=example_of(0, "Events that it has not read yet, counted up to 100,000.")
    )
    lag_seconds = fields.Float(metadata=example_of(0.0, "The age of the oldest of these."))
    state = fields.String(
        validate=validate.OneOf(("live", "behind", "parked")), metadata=example_of("live")
    )
    parked = fields.Integer(metadata=example_of(0, "Events that it could not apply."))
    waiting = fields.Integer(metadata=example_of(0, "Events that wait behind parked ones."))
    rebuild = fields.Nested(RebuildOutput, allow_none=True)


class ProjectionPage(ResponseSchema):
    """All views of this version."""

    items = fields.List(fields.Nested(ProjectionOutput))
    projector_at_work = fields.Boolean(
        metadata=example_of(True, "Whether a projector keeps the views current.")
    )


class RetryOutput(ResponseSchema):
    """The outcome of a retry of parked events and of those that wait behind them."""

    applied = fields.Integer(metadata=example_of(1, "How many were applied."))
    parked = fields.Integer(metadata=example_of(0, "How many are still parked."))
