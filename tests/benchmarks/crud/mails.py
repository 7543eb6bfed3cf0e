"""The mails of the hand-written service, as its author would send them.

A booking puts two rows into an outbox, in its own transaction. `python -m
tests.benchmarks.crud.mails` takes them out, writes the mails with Jinja and Python's `email` into a
folder, as ours does without a mail server, and deletes the rows. A batch is one transaction, so
whoever kills it has some mails again.
"""

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from time import sleep
from typing import Any
from uuid import UUID

import psycopg
from jinja2 import Environment, FileSystemLoader, select_autoescape
from psycopg.rows import dict_row

from interface.runtime import low_priority, parent_watchdog

OUTBOX = """
    CREATE TABLE outbox (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        booking_id uuid NOT NULL REFERENCES bookings,
        recipient text NOT NULL
    )"""
PUT = "INSERT INTO outbox (booking_id, recipient) VALUES (%s, %s), (%s, %s)"
TAKE = """
    SELECT outbox.id, recipient, bookings.id AS booking_id, lower(slot) AS starts,
        upper(slot) AS ends, name, email, notes
    FROM outbox JOIN bookings ON bookings.id = booking_id
    ORDER BY outbox.id LIMIT %s FOR UPDATE OF outbox SKIP LOCKED"""
DONE = "DELETE FROM outbox WHERE id = ANY (%s)"
IS_EMPTY = "SELECT NOT EXISTS (SELECT FROM outbox)"

OWNER = "owner@example.org"
SENDER = "Bookings <bookings@example.org>"
BATCH = 32
SECONDS_BETWEEN_LOOKS = 0.5
TEMPLATES = Path(__file__).parent / "templates"


def put(conn: psycopg.Connection[Any], booking_id: UUID, invitee: str) -> None:
    """Puts the mails to the owner and to the invitee into the outbox."""
    conn.execute(PUT, (booking_id, OWNER, booking_id, invitee))


class Mails:
    """Writes what is in the outbox into a folder."""

    def __init__(self, conn: psycopg.Connection[Any], folder: Path) -> None:
        self._conn = conn
        self._folder = folder
        environment = Environment(
            loader=FileSystemLoader(TEMPLATES), autoescape=select_autoescape(["html"])
        )
        self._text = environment.get_template("booked.txt")
        self._html = environment.get_template("booked.html")

    def write_some(self) -> int:
        """Writes a batch of mails and returns their number."""
        with self._conn.transaction():
            rows: Sequence[dict[str, Any]] = self._conn.execute(TAKE, (BATCH,)).fetchall()
            for row in rows:
                self._write(row)
            if rows:
                self._conn.execute(DONE, ([row["id"] for row in rows],))
        return len(rows)

    def _write(self, row: dict[str, Any]) -> None:
        mail = EmailMessage()
        mail["From"] = SENDER
        mail["To"] = row["recipient"]
        mail["Subject"] = f"Intro call with {row['name']}"
        mail["Date"] = format_datetime(datetime.now(UTC))
        mail["Message-ID"] = f"<{row['booking_id']}.{row['id']}@example.org>"
        mail.set_content(self._text.render(row))
        mail.add_alternative(self._html.render(row), subtype="html")
        mail.add_alternative(_calendar(row), subtype="calendar", params={"method": "REQUEST"})
        (self._folder / f"{row['booking_id']}.{row['id']}.eml").write_bytes(mail.as_bytes())


def _calendar(row: dict[str, Any]) -> str:
    """Returns the booking as an iCalendar file."""
    form = "%Y%m%dT%H%M%SZ"
    return "\r\n".join(
        [
            *("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//CRUD//EN", "METHOD:REQUEST"),
            *("BEGIN:VEVENT", f"UID:{row['booking_id']}@example.org"),
            f"DTSTAMP:{datetime.now(UTC):{form}}",
            f"DTSTART:{row['starts'].astimezone(UTC):{form}}",
            f"DTEND:{row['ends'].astimezone(UTC):{form}}",
            f"SUMMARY:Intro call with {row['name']}",
            f"ORGANIZER:mailto:{OWNER}",
            f"ATTENDEE;RSVP=TRUE:mailto:{row['email']}",
            *("END:VEVENT", "END:VCALENDAR", ""),
        ]
    )


def main() -> None:
    """Writes mails until it is terminated, in the time that others leave, as our senders do."""
    parent_watchdog.end_with_parent()
    low_priority.take()
    folder = Path(os.environ["CRUD_MAILS"])
    folder.mkdir(exist_ok=True)
    url = os.environ["CRUD_DATABASE_URL"]
    with psycopg.connect(url, autocommit=True, row_factory=dict_row) as conn:
        mails = Mails(conn, folder)
        while True:
            if not mails.write_some():
                sleep(SECONDS_BETWEEN_LOOKS)


if __name__ == "__main__":
    main()
