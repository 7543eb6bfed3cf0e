"""Schemas of the queries about the log and its proofs."""

from marshmallow import fields, validate

from application.audit.replay import LARGEST_PAGE, LONGEST_PERIOD
from application.people.security_log import KINDS
from interface.web.fields import LAST_POSITION, AsOfField, Day, Instant, InstantOrDay, Text
from interface.web.period import Period
from interface.web.request_schemas import LONGEST_PERSON, LimitedQuery, Query

_IS_POSITION = validate.Range(0, LAST_POSITION, error="Must be a whole number, 0 or more.")


class HistoryQuery(Query):
    """The part of a history to return."""

    after = fields.Integer(
        load_default=0,
        validate=_IS_POSITION,
        metadata={"description": "Only events after this position."},
    )
    limit = fields.Integer(
        load_default=LARGEST_PAGE,
        metadata={"description": f"How many events to return, at most {LARGEST_PAGE}."},
        validate=validate.Range(1, LARGEST_PAGE, error=f"Must be between 1 and {LARGEST_PAGE}."),
    )
    as_of = AsOfField(
        load_default=None,
        metadata={
            "example": "2027-01-18T09:00:00Z",
            "description": "Ends the history there: a time with an offset, a date (its start in"
            " UTC), or a position of the log. Default: all events.",
        },
    )


class AgendaQuery(HistoryQuery):
    """The days of an agenda to return, and the part of their history."""

    first = Day(
        data_key="from",
        required=True,
        metadata={"example": "2027-01-01", "description": "The first day, a date in UTC."},
    )
    last = Day(
        data_key="to",
        required=True,
        metadata={
            "example": "2027-01-31",
            "description": f"The last day, included: at most {LONGEST_PERIOD} days.",
        },
    )


class EventQuery(LimitedQuery):
    """The part of the log to return."""

    after = fields.Integer(
        load_default=0,
        validate=_IS_POSITION,
        metadata={"description": "Only events after this position."},
    )
    topic = Text(
        data_key="type",
        longest=100,
        load_default=None,
        metadata={"description": "Only events of this type, for example `link.redeemed`."},
    )
    actor = Text(
        longest=LONGEST_PERSON,
        load_default=None,
        metadata={"description": "Only events caused by this actor, for example `invitee`."},
    )


class AccessQuery(LimitedQuery):
    """The part of the accesses to return."""

    before = fields.Integer(
        load_default=None,
        validate=_IS_POSITION,
        metadata={"description": "Only accesses with an id below this one."},
    )


class SecurityQuery(LimitedQuery, Period):
    """The entries of the security log to return."""

    before = fields.Integer(
        load_default=None,
        validate=_IS_POSITION,
        metadata={"description": "Only entries before this position."},
    )
    after = fields.Integer(
        load_default=0,
        validate=_IS_POSITION,
        metadata={"description": "Only entries after this position."},
    )
    kind = fields.String(
        load_default=None,
        validate=validate.OneOf(KINDS),
        metadata={"description": "Only entries of this kind."},
    )
    account_id = fields.UUID(
        load_default=None,
        metadata={"description": "Only what this account did or what was done to it."},
    )
    since = Instant(load_default=None, metadata={"description": "Only entries from this time on."})
    until = Instant(load_default=None, metadata={"description": "Only entries before this time."})


class ReportQuery(Query, Period):
    """The period whose events are counted. The whole log is checked."""

    since = InstantOrDay(
        data_key="from",
        load_default=None,
        metadata={
            "example": "2027-01-01",
            "description": "Counts events from this time on, or from the start of this day in UTC.",
        },
    )
    until = InstantOrDay(
        whole_day=True,
        data_key="to",
        load_default=None,
        metadata={
            "example": "2027-01-31",
            "description": "Counts events before this time, or until the end of this day in UTC.",
        },
    )


class WitnessQuery(Query):
    """The checkpoint that a witness has cosigned last."""

    old = fields.Integer(
        load_default=0,
        validate=_IS_POSITION,
        metadata={"description": "The size of the checkpoint that the witness cosigned last."},
    )
