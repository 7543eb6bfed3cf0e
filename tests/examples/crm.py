"""A tiny CRM: it shares a link with each contact, hears of bookings, and shows them.

python crm.py CALENDAR_ID NAME…, with the address of the API in API and an owner's key in KEY.
The service has to reach it: in ADMITONE_OUTGOING_NETWORKS, if both run on one machine.
Needs the standard library only. Ctrl-C or SIGTERM ends it and removes its webhook.
"""

import base64
import hashlib
import hmac
import json
import os
import signal
import sys
import time
from dataclasses import dataclass
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.request import Request, urlopen

API, KEY = os.environ["API"], os.environ["KEY"]


def call(method: str, path: str, body: Any = None) -> Any:
    """Sends a request of the owner's and returns the JSON of the answer, if there is any."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    with urlopen(Request(API + path, data, headers, method=method), timeout=30) as answer:
        return json.loads(answer.read() or "null")


@dataclass
class Contact:
    """Somebody with a link of their own, and what they booked with it."""

    name: str
    booking: str = "nothing booked"
    told_at: datetime | None = None


class Crm(ThreadingHTTPServer):
    """Shows the contacts on GET / and takes messages on POST /hook."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.contacts: dict[str, Contact] = {}
        self.known: set[str] = set()
        self.secret = b""

    def is_signed(self, message_id: str, sent_at: str, signatures: str, body: bytes) -> bool:
        """Whether the service has signed the message, and within five minutes of now."""
        if not sent_at.isdecimal() or abs(time.time() - int(sent_at)) > 300:
            return False
        signed = f"{message_id}.{sent_at}.".encode() + body
        right = b"v1," + base64.b64encode(hmac.digest(self.secret, signed, hashlib.sha256))
        # There are two while the secret is being rotated.
        return any(hmac.compare_digest(right, each) for each in signatures.encode().split(b" "))

    def note(self, message: dict[str, Any]) -> None:
        """Puts the booking beside the contact whose reference the link has."""
        booking = message["data"]
        contact = self.contacts.get(booking["reference"])
        happened_at = datetime.fromisoformat(message["timestamp"])
        # A message that was sent again may come after a newer one.
        if contact and (contact.told_at is None or happened_at >= contact.told_at):
            contact.booking = f"{booking['title']} {booking['status']} {booking['start']}"
            contact.told_at = happened_at


class Handler(BaseHTTPRequestHandler):
    """One request to the CRM."""

    server: Crm

    def do_GET(self) -> None:
        """Shows each contact with their booking."""
        lines = [f"{each.name}: {each.booking}\n" for each in self.server.contacts.values()]
        self.answer(200, "".join(lines))

    def do_POST(self) -> None:
        """Takes a message, once."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        message_id, sent_at, signatures = (
            self.headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature")
        )
        if not self.server.is_signed(message_id, sent_at, signatures, body):
            self.answer(401, "This is not signed by the service.\n")
            return
        if message_id not in self.server.known:
            self.server.note(json.loads(body))
            self.server.known.add(message_id)
        self.answer(200, "")

    def answer(self, status: int, text: str) -> None:
        """Sends plain text."""
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: Any) -> None:
        """Prints nothing."""


def main() -> None:
    """Adds the webhook, issues a link for each contact, and takes messages until it is ended."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    calendar, *names = sys.argv[1:]
    with Crm() as crm:
        events = ["booking.made", "booking.rescheduled", "booking.cancelled"]
        webhook = call("POST", "/webhooks", {"url": f"{crm.url}/hook", "events": events})
        crm.secret = base64.b64decode(webhook["secret"].removeprefix("whsec_"))
        try:
            for number, name in enumerate(names, 1):
                wanted = {"recipient": name, "reference": f"contact-{number}"}
                link = call("POST", f"/calendars/{calendar}/links", wanted)
                crm.contacts[wanted["reference"]] = Contact(name)
                print(name, link["url"])
            print("CRM", crm.url, flush=True)
            crm.serve_forever()
        except KeyboardInterrupt:
            pass
        finally:
            call("DELETE", f"/webhooks/{webhook['id']}")


if __name__ == "__main__":
    main()
