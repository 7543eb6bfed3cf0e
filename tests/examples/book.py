"""Issues a link, books with it, and reads the booking. Needs the standard library only.

python book.py CALENDAR_ID, with the address of the API in API and an owner's key in KEY.
"""

import json
import os
import sys
from typing import Any
from urllib.request import Request, urlopen
from uuid import uuid4

API, KEY = os.environ["API"], os.environ["KEY"]
OWNER = {"Authorization": f"Bearer {KEY}"}


def call(method: str, path: str, body: Any = None, headers: Any = ()) -> tuple[Any, str]:
    """Returns the JSON of the answer, and where in the log a write ended."""
    data = None if body is None else json.dumps(body).encode()
    sent = {"Content-Type": "application/json", **dict(headers)}
    with urlopen(Request(API + path, data, sent, method=method), timeout=30) as answer:
        return json.load(answer), answer.headers.get("X-Log-Position", "")


# The owner issues a link.
link, _ = call("POST", f"/calendars/{sys.argv[1]}/links", {"recipient": "Ada"}, OWNER)
print("link", link["url"])

# The invitee needs no key: the token of the link is enough.
free, _ = call("GET", f"/booking-links/{link['token']}/slots")
last = free["slots"][-1]["start"]
print("free", len(free["slots"]))

# After a lost answer, the same request with the same key gets the same booking.
booking, position = call(
    "POST",
    f"/booking-links/{link['token']}/redeem",
    {"start": last, "invitee": {"name": "Ada", "email": "ada@example.org"}},
    {"Idempotency-Key": str(uuid4())},
)

# The owner reads it. X-Min-Position waits until the view shows the write.
path = f"/bookings/{booking['booking_id']}"
read, _ = call("GET", path, headers=OWNER | {"X-Min-Position": position})
print("booking", read["status"], read["start"], read["invitee"]["name"])
