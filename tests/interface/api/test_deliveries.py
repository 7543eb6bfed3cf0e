"""What an owner sees over the API of what was sent because of their bookings."""

from collections.abc import Callable

from application.deliveries.delivery import DeliveryState, Outcome
from interface.bootstrap import Services
from tests.support.claims import claim_mail, claims_of
from tests.support.examples import NINE, NOW
from tests.support.owner import Owner


def test_an_owner_sees_what_was_sent_because_of_a_booking_and_nobody_elses(
    owner: Owner, new_owner: Callable[..., Owner], services: Services
) -> None:
    booking_id = owner.redeem(owner.new_link(), NINE).json["booking_id"]
    owner.catch_up()
    first = claim_mail(services)
    while first is not None and first.booking_id is None:
        first = claim_mail(services)
    assert first is not None
    claims_of(services).settle(Outcome.sent(first, answer="250 OK", now=NOW))
    items = owner.get(f"/deliveries?booking_id={booking_id}").json["items"]
    (sent,) = (item for item in items if item["status"] == "sent")
    assert sent == {
        "id": str(first.id),
        "channel": "mail",
        "kind": "confirmation",
        "audience": sent["audience"],
        "booking_id": booking_id,
        "link_id": str(first.link_id),
        "status": "sent",
        "due_at": "2026-11-23T08:00:00Z",
        "attempts": 1,
        "next_attempt_at": None,
        "answer": "250 OK",
        "sent_at": "2026-11-23T08:00:00Z",
    }
    assert {item["kind"] for item in items} == {"confirmation", "reminder"}
    (due, *_) = (item for item in items if item["kind"] == "reminder")
    assert due["next_attempt_at"] == due["due_at"] == "2026-11-23T09:00:00Z"
    other = new_owner("Grace Other")
    theirs = other.get("/deliveries").json["items"]
    assert {(item["kind"], item["booking_id"]) for item in theirs} == {("new-key", None)}


def test_deliveries_come_in_pages_and_by_status(owner: Owner, services: Services) -> None:
    owner.redeem(owner.new_link(), NINE)
    owner.catch_up()
    found, cursor = [], ""
    while True:
        page = owner.get(f"/deliveries?limit=2{cursor}").json
        found += page["items"]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert found == owner.get("/deliveries").json["items"]
    assert len(found) == 5  # four about the booking, and one about the key
    claimed = claim_mail(services)
    assert claimed is not None
    claims_of(services).settle(Outcome.parked(claimed, answer="550 No"))
    (parked,) = owner.get("/deliveries?status=parked").json["items"]
    assert (parked["id"], parked["answer"]) == (str(claimed.id), "550 No")
    assert services.deliveries.newest(limit=9, state=DeliveryState.PARKED)[0].id == claimed.id
