"""A booking service of one owner with one calendar, written by hand: two tables and two calls.

The calls take and return the same JSON as ours, on the same paths. A link is used up by an UPDATE
that finds it unused, and PostgreSQL keeps bookings apart. There is no history, no view, no
replay, no account, no metrics and no log line for each request: all that it leaves out makes it
faster, so the comparison does not flatter us. It can be told to send mails of bookings, as ours
does; see `tests.benchmarks.crud.mails`.
"""

import hashlib
import hmac
from datetime import UTC, datetime, time, timedelta
from secrets import token_urlsafe
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import psycopg
from flask import Flask, Response, jsonify, request
from marshmallow import Schema, ValidationError, fields, validate
from psycopg.rows import dict_row
from psycopg.types.range import TimestamptzRange
from psycopg_pool import ConnectionPool

from tests.benchmarks.crud import mails

TABLES = """
    CREATE TABLE links (
        id uuid PRIMARY KEY,
        token_sha256 bytea NOT NULL UNIQUE,
        recipient text,
        note text,
        issued_at timestamptz NOT NULL,
        expires_at timestamptz NOT NULL,
        used_at timestamptz
    );
    CREATE TABLE bookings (
        id uuid PRIMARY KEY,
        link_id uuid NOT NULL UNIQUE REFERENCES links,
        slot tstzrange NOT NULL,
        name text NOT NULL,
        email text NOT NULL,
        time_zone text,
        notes text,
        made_at timestamptz NOT NULL,
        EXCLUDE USING gist (slot WITH &&)
    )"""
INSERT_LINK = """
    INSERT INTO links (id, token_sha256, recipient, note, issued_at, expires_at)
    VALUES (%s, %s, %s, %s, %s, %s)"""
USE_LINK = """
    UPDATE links SET used_at = %s WHERE token_sha256 = %s AND used_at IS NULL AND expires_at > %s
    RETURNING id"""
FIND_LINK = "SELECT used_at FROM links WHERE token_sha256 = %s"
INSERT_BOOKING = """
    INSERT INTO bookings (id, link_id, slot, name, email, time_zone, notes, made_at)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"""

CALENDAR_ID = UUID("ca1e0da2-0000-4000-8000-000000000003")
CALENDAR = {
    "name": "Intro call",
    "location": "",
    "description": "",
    "duration_minutes": 1,
    "time_zone": "UTC",
}
ZONE = ZoneInfo("UTC")
OPEN_HOURS = {weekday: [(time.min, time.max)] for weekday in range(7)}
DURATION = timedelta(minutes=1)
WINDOW = timedelta(days=365)
LINK_LIFE = timedelta(days=90)
PUBLIC_URL = "https://book.example.org"


class LinkInput(Schema):
    """A link to issue."""

    recipient = fields.String(allow_none=True, validate=validate.Length(max=200))
    note = fields.String(allow_none=True, validate=validate.Length(max=2000))
    expires_in_days = fields.Integer(strict=True, validate=validate.Range(1, 365))


class InviteeInput(Schema):
    """The person who books."""

    name = fields.String(required=True, validate=validate.Length(1, 200))
    email = fields.Email(required=True)
    time_zone = fields.String(allow_none=True, validate=validate.Length(max=100))


class RedeemInput(Schema):
    """A booking to make."""

    start = fields.AwareDateTime(required=True, format="iso")
    invitee = fields.Nested(InviteeInput, required=True)
    notes = fields.String(allow_none=True, validate=validate.Length(max=2000))


class Refused(Exception):
    """A request that is refused, with the status and the name of the problem."""

    def __init__(self, status: int, problem: str, errors: Any = None) -> None:
        super().__init__(problem)
        self.status = status
        self.document = {"type": f"/problems/{problem}", "status": status, "errors": errors}


def new_pool(conninfo: str, connections: int) -> ConnectionPool[psycopg.Connection[Any]]:
    """Returns a pool of connections that commit each statement unless told otherwise."""
    options = {"autocommit": True, "row_factory": dict_row}
    return ConnectionPool(conninfo, kwargs=options, min_size=1, max_size=connections, open=True)


def create_tables(conninfo: str) -> None:
    """Creates the two tables, and that of the mails."""
    with psycopg.connect(conninfo, autocommit=True) as conn:
        conn.execute(TABLES)
        conn.execute(mails.OUTBOX)


def issue_link(
    conn: psycopg.Connection[Any], recipient: str | None, note: str | None, life: timedelta
) -> dict[str, Any]:
    """Stores a new link and returns it with its token, which is stored as a hash only."""
    link_id, token, now = uuid4(), token_urlsafe(32), datetime.now(UTC)
    conn.execute(INSERT_LINK, (link_id, _sha256(token), recipient, note, now, now + life))
    return {
        "id": link_id,
        "url": f"{PUBLIC_URL}/b/{token}",
        "token": token,
        "status": "active",
        "calendar_id": CALENDAR_ID,
        "recipient": recipient,
        "note": note,
        "issued_at": _in_utc(now),
        "expires_at": _in_utc(now + life),
    }


def redeem_link(
    conn: psycopg.Connection[Any],
    token: str,
    start: datetime,
    invitee: dict[str, Any],
    notes: Any,
    *,
    tells: bool = False,
) -> UUID:
    """Uses a link up and stores the booking, together; returns its id. Raises `Refused`.

    If it `tells`, the mails of it are stored with them.
    """
    booking_id, now, digest = uuid4(), datetime.now(UTC), _sha256(token)
    try:
        with conn.transaction():
            used = conn.execute(USE_LINK, (now, digest, now)).fetchone()
            if used is None:
                raise _why_not(conn, digest)
            conn.execute(
                INSERT_BOOKING,
                (
                    booking_id,
                    used["id"],
                    TimestamptzRange(start, start + DURATION),
                    invitee["name"],
                    invitee["email"],
                    invitee.get("time_zone"),
                    notes,
                    now,
                ),
            )
            if tells:
                mails.put(conn, booking_id, invitee["email"])
    except psycopg.errors.ExclusionViolation:
        raise Refused(409, "slot-taken") from None
    return booking_id


def create_app(
    pool: ConnectionPool[psycopg.Connection[Any]], key_sha256: str, *, tells: bool = False
) -> Flask:
    """Builds the application. `key_sha256` is the hash of the owner's API key, in hexadecimal."""
    app = Flask(__name__)
    link_input, redeem_input = LinkInput(), RedeemInput()

    @app.errorhandler(Refused)
    def refuse(refusal: Refused) -> tuple[Response, int, dict[str, str]]:
        headers = {"Content-Type": "application/problem+json"}
        return jsonify(refusal.document), refusal.status, headers

    @app.get("/healthz")
    def health() -> str:
        return "ok"

    @app.post("/api/v1/calendars/<uuid:calendar_id>/links")
    def issue(calendar_id: UUID) -> tuple[Response, int]:
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or not hmac.compare_digest(_sha256(key).hex(), key_sha256):
            raise Refused(401, "unauthorized")
        if calendar_id != CALENDAR_ID:
            raise Refused(404, "not-found")
        typed = _loaded(link_input)
        days = typed.get("expires_in_days")
        with pool.connection() as conn:
            link = issue_link(
                conn,
                typed.get("recipient"),
                typed.get("note"),
                LINK_LIFE if days is None else timedelta(days=days),
            )
        return jsonify(link), 201

    @app.post("/api/v1/booking-links/<token>/redeem")
    def redeem(token: str) -> tuple[Response, int]:
        typed = _loaded(redeem_input)
        start, invitee = typed["start"].astimezone(UTC), typed["invitee"]
        if not is_offered(start, datetime.now(UTC)):
            raise Refused(422, "slot-not-offered")
        with pool.connection() as conn:
            booking_id = redeem_link(conn, token, start, invitee, typed.get("notes"), tells=tells)
        manage_url = f"{PUBLIC_URL}/m/{booking_id}"
        booked = {
            "booking_id": booking_id,
            "start": _in_utc(start),
            "end": _in_utc(start + DURATION),
            "calendar": CALENDAR,
            "invitee": invitee,
            "manage_url": manage_url,
            "ics_url": f"{manage_url}/booking.ics",
        }
        return jsonify(booked), 201

    return app


def is_offered(start: datetime, now: datetime) -> bool:
    """Returns True if a slot begins at `start`, and lies in open hours and in the window."""
    if not now < start <= now + WINDOW:
        return False
    local = start.astimezone(ZONE)
    for opens, closes in OPEN_HOURS[local.weekday()]:
        since_opening = local - datetime.combine(local.date(), opens, ZONE)
        if local.time() < closes and since_opening % DURATION == timedelta(0):
            return True
    return False


def _why_not(conn: psycopg.Connection[Any], digest: bytes) -> Refused:
    link = conn.execute(FIND_LINK, (digest,)).fetchone()
    if link is None:
        return Refused(404, "link-not-found")
    return Refused(410, "link-redeemed" if link["used_at"] else "link-expired")


def _loaded(schema: Schema) -> dict[str, Any]:
    try:
        typed: dict[str, Any] = schema.load(request.get_json())
    except ValidationError as error:
        raise Refused(422, "validation", error.messages) from error
    return typed


def _sha256(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _in_utc(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
