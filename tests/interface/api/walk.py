"""A program that uses the generated client: from a new calendar to a cancelled booking."""

from uuid import uuid4

from generated_client import Client, Refused


def walk(owner: Client, invitee: Client) -> list[str]:
    """Goes all the way and returns what was seen. The invitee's client has no key."""
    seen: list[str] = []
    calendar = owner.calendars_create(
        {
            "name": "Intro call",
            "time_zone": "Europe/Paris",
            "duration_minutes": 30,
            "availability": {"weekly": {"monday": [["09:00", "12:00"]]}},
        }
    ).body
    link = owner.links_issue(
        calendar["id"],
        {"recipient": "Ada", "reference": "contact-1"},
        idempotency_key=str(uuid4()),
    ).body
    seen.append(f"link {link['status']}")

    token = link["token"]
    seen.append(f"calendar {invitee.booking_links_read(token).body['calendar']['name']}")
    *_, second, first = invitee.booking_links_slots(token, time_zone="Europe/London").body["slots"]
    booked = invitee.booking_links_redeem_link(
        token,
        {"start": first["start"], "invitee": {"name": "Ada", "email": "ada@example.org"}},
        idempotency_key=str(uuid4()),
    )
    try:
        invitee.booking_links_read(token)
    except Refused as refused:
        seen.append(f"refused {refused.problem['status']} {refused.problem['type']}")

    own = booked.body["manage_url"].rpartition("/")[2]
    seen.append(f"booking {invitee.manage_read(own).body['status']}")
    assert second in invitee.manage_slots(own).body["slots"]
    moved = invitee.manage_reschedule(own, {"start": second["start"]})
    assert moved.body["start"] == second["start"]
    cancelled = invitee.manage_cancel(own, {"reason": "Ill"})
    seen.append(f"booking {cancelled.body['status']}")

    position = int(cancelled.headers["x-log-position"])
    read = owner.bookings_read(booked.body["booking_id"], x_min_position=position).body
    seen.append(f"owner reads {read['status']}: {read['reason']}")
    listed = owner.bookings_list(
        calendar_id=calendar["id"], status="cancelled", x_min_position=position
    ).body
    seen.append(f"owner lists {len(listed['items'])}")
    return seen
