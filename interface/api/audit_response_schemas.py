"""Schemas of the responses about the log and its proofs."""

from marshmallow import fields

from interface.web.fields import Instant
from interface.web.response_schema import LINK_ID, ResponseSchema, example_of

_HASH = "4c1b0d9be9f4c1f0b6b6f1f4b8c4a0d1c9c1e0f2a3b4c5d6e7f8091a2b3c4d5e"
_ACCOUNT_ID = "5b2c0a34-3f5e-4f0e-8f83-0f6d3c5f1a22"


def _next(parameter: str) -> fields.Integer:
    """Returns the field of a page that leads to the next one, by this parameter."""
    description = f"The next page's `{parameter}`; null at the end."
    return fields.Integer(allow_none=True, metadata=example_of(None, description))


class EventOutput(ResponseSchema):
    """An event of the log."""

    position = fields.Integer(metadata={"example": 17})
    type = fields.String(metadata={"example": "link.revoked"})
    id = fields.UUID(
        metadata={"example": LINK_ID, "description": "The link, booking, calendar or agenda."}
    )
    version = fields.Integer(metadata={"example": 2})
    recorded_at = fields.String(
        metadata={
            "format": "date-time",
            "example": "2027-01-12T10:00:00.012345Z",
            "description": "When the event was recorded, by the database's clock.",
        }
    )
    decided_at = fields.String(
        allow_none=True,
        metadata={
            "format": "date-time",
            "example": "2027-01-12T10:00:00.004321Z",
            "description": "When it was decided, by the service's clock.",
        },
    )
    actor = fields.String(
        allow_none=True,
        metadata={"example": "invitee", "description": "An account, an API key, or the invitee."},
    )
    data = fields.Dict(metadata={"example": {}})
    typed = fields.Dict(
        allow_none=True,
        metadata={
            "example": {"reason": "Sent to the wrong person"},
            "description": "What a person typed; null if nothing, or if it was erased.",
        },
    )
    commitment = fields.String(
        allow_none=True,
        metadata={
            "example": "kept",
            "description": "Compares `typed` with the hash in the event: `kept`, `changed`, `gone`"
            " (erased), or null if the event has no hash.",
        },
    )
    fault = fields.String(
        allow_none=True,
        metadata={
            "example": None,
            "description": "Why the event can't be read or applied. Always null in a sound log.",
        },
    )
    leaf_hash = fields.String(metadata={"example": _HASH})


class ChangeOutput(ResponseSchema):
    """A field before and after an event; null where there is no value."""

    before = fields.Raw(allow_none=True, metadata={"example": "active"})
    after = fields.Raw(allow_none=True, metadata={"example": "revoked"})


class StepOutput(EventOutput):
    """An event, and what it changed."""

    changed = fields.Dict(
        keys=fields.String(),
        values=fields.Dict(keys=fields.String(), values=fields.Nested(ChangeOutput)),
        metadata={
            "example": {f"link:{LINK_ID}": {"status": {"before": "active", "after": "revoked"}}},
            "description": "By kind and id, the fields that differ from before the event. The names"
            " of nested fields are joined by dots.",
        },
    )


class HistoryOutput(ResponseSchema):
    """Events in order, and the state after the last of them."""

    id = fields.UUID(metadata={"example": LINK_ID})
    events = fields.List(fields.Nested(StepOutput))
    state = fields.Dict(
        keys=fields.String(),
        values=fields.Dict(),
        metadata={
            "example": {f"link:{LINK_ID}": {"is_revoked": True}},
            "description": "After the last of these events. On the last page: at `as_of`, or now.",
        },
    )
    next_after = _next("after")


class EventPage(ResponseSchema):
    """Events in the order of the log."""

    items = fields.List(fields.Nested(EventOutput))
    next_after = _next("after")


class ProofOutput(ResponseSchema):
    """An inclusion proof for one event. Hashes are hexadecimal."""

    index = fields.Integer(
        metadata={"example": 16, "description": "The event's place in the tree, from 0."}
    )
    size = fields.Integer(
        metadata={"example": 17, "description": "How many events the checkpoint covers."}
    )
    leaf_hash = fields.String(metadata={"example": _HASH})
    proof = fields.List(
        fields.String(),
        metadata={"example": [_HASH], "description": "From the leaf up to the root."},
    )
    checkpoint = fields.String(
        metadata={
            "example": "book.example.org\n17\n…\n\n— book.example.org …\n",
            "description": "The signed checkpoint as text.",
        }
    )


class AccessOutput(ResponseSchema):
    """An access to the audit."""

    id = fields.Integer(metadata={"example": 5})
    at = Instant(
        metadata={"example": "2027-01-18T09:00:00Z", "description": "By the database's clock."}
    )
    actor = fields.String(metadata={"example": "account:5b2c0a34-3f5e-4f0e-8f83-0f6d3c5f1a22"})
    what = fields.String(metadata={"example": "GET /api/v1/audit/events?limit=50"})


class SecurityEntryOutput(ResponseSchema):
    """An entry of the security log."""

    position = fields.Integer(metadata={"example": 12})
    at = fields.String(
        metadata={
            "format": "date-time",
            "example": "2027-01-18T09:00:00.012345Z",
            "description": "When it was recorded, by the database's clock.",
        }
    )
    kind = fields.String(metadata={"example": "session.started"})
    actor = fields.String(
        metadata={
            "example": f"account:{_ACCOUNT_ID}",
            "description": "An account, an API key, the login of a command, `service` or"
            " `stranger`.",
        }
    )
    account_id = fields.UUID(
        allow_none=True,
        metadata={"example": _ACCOUNT_ID, "description": "The account that it concerns, if any."},
    )
    details = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        metadata={"example": {"how": "password", "browser": "Firefox, Linux"}},
    )
    addresses = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        allow_none=True,
        metadata={
            "example": {"address": "192.0.2.7"},
            "description": "Of the client, and of e-mail; null if there were none, or if they have"
            " been deleted.",
        },
    )
    commitment = fields.String(
        allow_none=True,
        metadata={"example": _HASH, "description": "The salted hash of the addresses."},
    )
    leaf_hash = fields.String(metadata={"example": _HASH})


class SecurityPage(ResponseSchema):
    """Entries of the security log, newest first."""

    items = fields.List(fields.Nested(SecurityEntryOutput))
    next_before = _next("before")


class AccessPage(ResponseSchema):
    """Accesses, newest first."""

    items = fields.List(fields.Nested(AccessOutput))
    next_before = _next("before")


class PeriodOutput(ResponseSchema):
    """A period, open at an end that is null."""

    since = fields.String(
        data_key="from",
        attribute="from",
        allow_none=True,
        metadata={"format": "date-time", "example": "2027-01-01T00:00:00Z"},
    )
    until = fields.String(
        data_key="to",
        attribute="to",
        allow_none=True,
        metadata={"format": "date-time", "example": "2027-02-01T00:00:00Z"},
    )


class HeadOutput(ResponseSchema):
    """The end of the log: its last position, and how many events there are."""

    position = fields.Integer(metadata={"example": 214})
    size = fields.Integer(metadata={"example": 201})


class LinkCounts(ResponseSchema):
    """The number of links in the period, by what became of them.

    Those that were replaced are not among the revoked.
    """

    issued = fields.Integer(metadata={"example": 40})
    redeemed = fields.Integer(metadata={"example": 31})
    revoked = fields.Integer(metadata={"example": 2})
    replaced = fields.Integer(metadata={"example": 1})
    expired = fields.Integer(metadata={"example": 3})


class BookingCounts(ResponseSchema):
    """The number of bookings in the period, by what became of them."""

    made = fields.Integer(metadata={"example": 31})
    rescheduled = fields.Integer(metadata={"example": 4})
    cancelled = fields.Integer(metadata={"example": 2})


class ReportCounts(ResponseSchema):
    """The counts of the period."""

    links = fields.Nested(LinkCounts)
    bookings = fields.Nested(BookingCounts)
    refused_attempts = fields.Dict(
        keys=fields.String(),
        values=fields.Integer(),
        metadata={
            "example": {"link-redeemed": 2},
            "description": "By reason. Those of the last days only: they are not events.",
        },
    )


class StatementOutput(ResponseSchema):
    """A statement on all events of some kind."""

    statement = fields.String(metadata={"example": "No link was redeemed more than once."})
    holds = fields.Boolean(metadata={"example": True})
    checked = fields.Integer(metadata={"example": 31})
    violations = fields.List(
        fields.Integer(),
        metadata={"example": [], "description": "The positions of the first events at fault."},
    )


class ReportOutput(ResponseSchema):
    """The proof of single use: the whole log, checked."""

    made_at = fields.String(metadata={"format": "date-time", "example": "2027-02-01T09:00:00Z"})
    period = fields.Nested(PeriodOutput)
    head = fields.Nested(HeadOutput)
    checkpoint = fields.String(
        allow_none=True,
        metadata={"example": None, "description": "The newest signed checkpoint, if there is one."},
    )
    counts = fields.Nested(ReportCounts)
    statements = fields.List(fields.Nested(StatementOutput))
    holds = fields.Boolean(
        metadata={"example": True, "description": "Whether every statement holds."}
    )
