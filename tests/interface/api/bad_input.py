"""Input that must be refused: the fields of each call, and wrong values for each kind of field."""

from copy import deepcopy
from typing import Any, NamedTuple

from tests.support.examples import (
    A_DAY,
    HALF_PAST_NINE,
    NINE,
    SCHEDULE_JSON,
    calendar_json,
    redeem_json,
)

HALF = "\ud800"  # one half of a surrogate pair: no character by itself
HUGE = 10**30

_NO_STRING: list[Any] = [True, False, 0, 1.5, HUGE, [], {}, ["x"], {"x": "y"}]
_NO_TEXT: list[Any] = [*_NO_STRING, "\0", "a\0b", "a\x07b", "\x1b[0m", "\x7f", HALF, f"a{HALF}b"]

NO_DATES = (
    *("", "today", "24.12.2026", "2026-12-24T00:00:00Z", "2026-13-01", "2026-02-30"),
    *("0000-01-01", "10000-01-01", "2026-1-1", "\0", HALF, "２０２６-12-24", "x" * 9999),
)

WRONG: dict[str, list[Any]] = {
    "text": [*_NO_TEXT, None, "x" * 4001, " " * 4001],
    "text or null": [*_NO_TEXT, "x" * 2001],
    "name": [*_NO_TEXT, None, "", " ", "\n", "\u200b\u3164", "two\nlines", "x" * 201],
    "email": [
        *_NO_TEXT,
        *(None, "", " ", "nobody", "@", "a@", "@b", "a b@c", "a@b c", "a@b\nBcc: x@y.z"),
        *("a@b,c@d.e", "a@@b", "x,y@z", '"<x>"@y', "foo@bar", "owner@localhost", "a@b.local"),
        "x" * 250 + "@b.cd",
    ],
    "zone": [
        *_NO_TEXT,
        *(None, "", " ", "../etc/passwd", "/etc/localtime", "Mars/Olympus", "europe/paris"),
        *("UTC\0", "Europe", "Europe/", "localtime", "posixrules", "+01:00", "x" * 9999),
    ],
    "zone or null": [*_NO_TEXT, "", "../etc/passwd", "Mars/Olympus", "Europe/Paris "],
    "url": [
        *_NO_TEXT,
        *(None, "", " ", "nowhere", "//93.184.216.34/", "file:///etc/passwd", "gopher://1.2.3.4/"),
        *("https://", "https://[", "https://a b/", "https://93.184.216.34:0/", "https://1.2.3/"),
        *("https://ada:secret@93.184.216.34/", "https://93.184.216.34/\r\nX: y", "x" * 9999),
    ],
    "whole": [None, True, False, "30", "", 1.5, 30.0, 1e308, -1, HUGE, -HUGE, [], [30], {}],
    "time": [
        *_NO_STRING,
        *(None, "", "now", HALF, "\0", "2026-11-24", "2026-11-24T09:00:00", "09:00:00Z"),
        *("0000-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "1999-12-31T23:59:59Z"),
        *("9999-12-31T23:59:59Z", "9999-12-31T23:59:59-14:00", "10000-01-01T00:00:00Z"),
        *("2026-02-30T09:00:00Z", "2026-11-24T24:00:01Z", "2026-11-24T09:00:60Z"),
        *("2026-11-24T09:00:00+25:00", "2026-11-24T09:00:00+99:99", "2026-11-24T09:00:00 Z"),
        *("2026-11-24 09:00:00Z", "２０２６-11-24T09:00:00Z", "20261124T090000Z", "x" * 9999),
        "2026-11-24T09:00:00Z\n",
    ],
    "day or null": [*_NO_STRING, "", *NO_DATES, "1999-12-31", "2200-01-01"],
    "flag": [None, 0, 1, HUGE, "", "true", "on", [], [True], {}],
    "id or null": [*_NO_TEXT, "", "x" * 36, "0" * 31],
    "choice": [*_NO_TEXT, None, "", "everything", "x" * 9999],
    "object": [None, True, 0, HUGE, "x", [], [{}]],
    "list": [None, True, 0, "x", {}, {"0": {}}],
    "hours": [
        *(None, True, 0, "09:00", {}, ["09:00", "17:00"], [[]], [["09:00"]], [["09:00"] * 3]),
        *([[9, 17]], [[None, None]], [["09:00", "09:00"]], [["17:00", "09:00"]]),
        *([["9:00", "17:00"]], [["09:00:00", "17:00"]], [["00:00", "24:01"]], [["25:00", "26:00"]]),
        *(
            [["24:00", "24:00"]],
            [["-1:00", "01:00"]],
            [["０９:00", "17:00"]],
            [["09:00\n", "17:00"]],
        ),
        *([["09:00", "12:00"], ["11:00", "13:00"]], [["09:00", "12:00"], ["09:00", "12:00"]]),
        *([["00:00", "24:00"], ["23:59", "24:00"]], [[HALF, "\0"]], [["09:00", "17:00"]] * 49),
    ],
}

for _kind in ("email", "whole", "object", "list"):
    WRONG[f"{_kind} or null"] = [value for value in WRONG[_kind] if value is not None]

NO_WEEKDAYS = ("Monday", "montag", "", "\0", HALF, "monday ", "x" * 9999)

NO_JSON = (
    *(b" ", b"{", b"{}}", b"{} trailing", b"{'a': 1}", b'{"a": 1,}', b'{"a": 01}', b"{}\0"),
    *(b"NaN", b'{"a": NaN}', b'{"a": Infinity}', b'{"a": -Infinity}'),
    *(b'{"a": "\0"}', b'{"a": "\xff"}', b'{"a": "\xed\xa0\x80"}'),
    b'{"a": ' + b"9" * 5000 + b"}",
    *(b"[" * 50_000, b'{"a":' * 13_000, b"[" * 30_000 + b"]" * 30_000),
)


class Call(NamedTuple):
    """A call that takes a body: one that would be granted, and the kind of each of its fields.

    `path` is filled in from a link, which nobody has used yet, and from a booking.
    """

    name: str
    method: str
    path: str
    body: dict[str, Any]
    kinds: dict[str, str]
    required: tuple[str, ...] = ()
    objects: tuple[str, ...] = ("",)

    def with_value(self, path: str, value: Any) -> dict[str, Any]:
        """The body with another value at a dotted path."""
        body: Any = deepcopy(self.body)
        inner = body
        *steps, last = path.split(".")
        for step in steps:
            inner = inner[int(step) if step.isdigit() else step]
        inner[int(last) if last.isdigit() else last] = value
        return dict(body)

    def with_field(self, place: str, name: str, value: Any) -> dict[str, Any]:
        """The body with one more field in the object at a dotted path; "" is the body itself."""
        inner: Any = self.body
        for step in filter(None, place.split(".")):
            inner = inner[int(step) if step.isdigit() else step]
        more = {**inner, name: value}
        return self.with_value(place, more) if place else more

    def without(self, path: str) -> dict[str, Any]:
        """The body without the field at a dotted path."""
        body = deepcopy(self.body)
        inner: Any = body
        *steps, last = path.split(".")
        for step in steps:
            inner = inner[step]
        del inner[last]
        return body


_TERMS = {
    "name": "name",
    "time_zone": "zone",
    "duration_minutes": "whole",
    "start_increment_minutes": "whole",
    "buffer_before_minutes": "whole",
    "buffer_after_minutes": "whole",
    "minimum_notice_minutes": "whole",
    "booking_window_days": "whole",
    "location": "text",
    "description": "text",
    "cancel_notice_minutes": "whole",
    "reschedule_notice_minutes": "whole",
    "reschedule_limit": "whole",
    "contact": "text",
    "reminder_minutes": "whole",
    "availability": "object",
    "availability.weekly": "object",
    "availability.weekly.monday": "hours",
    "availability.overrides": "object",
    "availability.overrides.2026-12-24": "hours",
}
_TERMS_REQUIRED = ("name", "time_zone", "duration_minutes", "availability")
_TERMS_OBJECTS = ("", "availability")
_AVAILABILITY = calendar_json()["availability"] | {"overrides": {"2026-12-24": []}}
_CALENDAR = calendar_json(availability=_AVAILABILITY)
_TEXTS = {"recipient": "Ada", "note": "n", "reference": "r"}
_TEXT_KINDS = dict.fromkeys(_TEXTS, "text or null")
_WISH = _TEXTS | {
    "expires_in_days": 30,
    "prefill": {"name": "Ada", "email": "ada@example.org"},
    "offer": {"from": A_DAY, "to": A_DAY, "slots": [NINE], "duration_minutes": 60},
}
_WISH_KINDS = _TEXT_KINDS | {
    "expires_in_days": "whole",
    "prefill": "object or null",
    "prefill.name": "text or null",
    "prefill.email": "email or null",
    "offer": "object or null",
    "offer.from": "day or null",
    "offer.to": "day or null",
    "offer.slots": "list or null",
    "offer.slots.0": "time",
    "offer.duration_minutes": "whole or null",
}
_BOOKING_KINDS = {
    "start": "time",
    "invitee": "object",
    "invitee.name": "name",
    "invitee.email": "email",
    "invitee.time_zone": "zone or null",
    "notes": "text or null",
}

CREATE = Call("create", "POST", "/calendars", _CALENDAR, _TERMS, _TERMS_REQUIRED, _TERMS_OBJECTS)
CHANGE = Call("change", "PATCH", "/calendars/{calendar_id}", _CALENDAR, _TERMS, (), _TERMS_OBJECTS)
ARCHIVE = Call("archive", "POST", "/calendars/{calendar_id}/archive", {}, {})
ISSUE = Call(
    "issue",
    "POST",
    "/calendars/{calendar_id}/links",
    _WISH,
    _WISH_KINDS,
    (),
    ("", "prefill", "offer"),
)
ISSUE_UNTIL = ISSUE._replace(
    name="issue until",
    body={"expires_at": "2026-12-01T00:00:00Z"},
    kinds={"expires_at": "time"},
    objects=("",),
)
ISSUE_BATCH = Call(
    "issue batch",
    "POST",
    "/calendars/{calendar_id}/links/batch",
    {"links": [{}, _WISH]},
    {"links": "list", "links.1": "object"}
    | {f"links.1.{field}": kind for field, kind in _WISH_KINDS.items()},
    ("links",),
    ("", "links.1"),
)
CHANGE_LINK = Call(
    "change link",
    "PATCH",
    "/links/{id}",
    _TEXTS | {"expires_at": "2026-12-01T00:00:00Z"},
    _TEXT_KINDS | {"expires_at": "time"},
)
REVOKE = Call("revoke", "POST", "/links/{id}/revoke", {"reason": "n"}, {"reason": "text or null"})
REPLACE = Call("replace", "POST", "/links/{id}/replace", {}, {})
REDEEM = Call(
    "redeem",
    "POST",
    "/booking-links/{token}/redeem",
    redeem_json(NINE, notes="n"),
    _BOOKING_KINDS,
    ("start", "invitee", "invitee.name", "invitee.email"),
    ("", "invitee"),
)

CHANGE_BOOKING = Call(
    "change booking",
    "PATCH",
    "/bookings/{booking_id}",
    {"location": "x"},
    {"location": "text"},
    ("location",),
)
CANCEL = Call(
    "cancel", "POST", "/manage/{manage_token}/cancel", {"reason": "n"}, {"reason": "text or null"}
)
RESCHEDULE = Call(
    "reschedule",
    "POST",
    "/manage/{manage_token}/reschedule",
    {"start": HALF_PAST_NINE},
    {"start": "time"},
    ("start",),
)
ASK = Call(
    "ask to reschedule",
    "POST",
    "/bookings/{booking_id}/ask-to-reschedule",
    {"message": "n"},
    {"message": "text or null"},
)

ADD_BUSY = Call(
    "add a busy calendar",
    "POST",
    "/busy-calendars",
    {"url": "https://93.184.216.34/secret.ics", "name": "Family"},
    {"url": "url", "name": "text or null"},
    ("url",),
)

ADD_WEBHOOK = Call(
    "add a webhook",
    "POST",
    "/webhooks",
    {"url": "https://93.184.216.34/hook", "events": ["link.issued"], "personal_data": True},
    {"url": "url", "events": "list", "personal_data": "flag"},
    ("url", "events"),
)

ADD_FEED = Call(
    "create a feed",
    "POST",
    "/feeds",
    {"calendar_id": None, "detail": "busy"},
    {"calendar_id": "id or null", "detail": "choice"},
    ("detail",),
)

CREATE_SCHEDULE = Call(
    "create a schedule",
    "POST",
    "/schedules",
    SCHEDULE_JSON,
    {
        field: kind
        for field, kind in _TERMS.items()
        if field in ("name", "time_zone") or field.startswith("availability")
    },
    ("name", "time_zone", "availability"),
    _TERMS_OBJECTS,
)

CALLS = (
    *(CREATE, CHANGE, ARCHIVE, ISSUE, ISSUE_UNTIL, ISSUE_BATCH),
    *(CHANGE_LINK, REVOKE, REPLACE, REDEEM),
    *(CHANGE_BOOKING, RESCHEDULE, ASK, CANCEL),
    *(ADD_BUSY, ADD_WEBHOOK, ADD_FEED, CREATE_SCHEDULE),
)
