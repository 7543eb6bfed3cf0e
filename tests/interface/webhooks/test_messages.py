"""What webhooks are told, how it is signed, and what it says of people."""

import json
import shutil
import subprocess
from typing import Any
from uuid import UUID

import pytest
from flask import Flask

from application.webhooks.webhooks import OVERLAP, WebhookEvent
from interface.web.owner_response_schemas import BookingOutput, LinkOutput
from interface.webhooks.message_schemas import TRIAL
from interface.webhooks.messages import trial_message
from projections.views import booking_calendar, link_list
from tests.interface.api.openapi import faults
from tests.support.clock import Clock
from tests.support.desk import Desk
from tests.support.examples import ADA, NOW, TOMORROW_AT_TEN
from tests.support.webhook_receiver import WebhookReceiver


@pytest.fixture
def life(host_desk: Desk) -> Any:
    """Lives the life of a link and its booking, and returns the booking's id."""

    def run() -> UUID:
        link_id = host_desk.new_link(
            recipient="Countess", note="First interview", reference="candidate-4711"
        )
        host_desk.change_link(link_id, note="Second interview")
        booking_id = host_desk.book(link_id, notes="By phone")
        host_desk.reschedule(booking_id, TOMORROW_AT_TEN)
        host_desk.change_place(booking_id, "Her office")
        host_desk.cancel(booking_id, reason="Ill")
        host_desk.revoke(host_desk.new_link(reference="candidate-4712"))
        return booking_id

    return run


def test_each_event_is_told_once_in_its_order_with_the_reference(
    receiver: WebhookReceiver, life: Any
) -> None:
    life()
    assert receiver.send() == ["sent"] * 9
    messages = receiver.messages()
    by_reference = {
        reference: [m["type"] for m in messages if m["data"]["reference"] == reference]
        for reference in ("candidate-4711", "candidate-4712")
    }
    assert by_reference == {
        "candidate-4711": [
            "link.issued",
            "link.changed",
            "link.redeemed",
            "booking.made",
            "booking.rescheduled",
            "booking.changed",
            "booking.cancelled",
        ],
        "candidate-4712": ["link.issued", "link.revoked"],
    }
    assert {message["timestamp"] for message in messages} == {"2026-11-23T08:00:00Z"}
    assert {each.answer for each in receiver.deliveries()} == {"HTTP 200"}


def test_messages_are_as_the_document_says(new_receiver: Any, life: Any, app: Flask) -> None:
    anonymous, full = new_receiver(), new_receiver(path="/full", personal_data=True)
    life()
    anonymous.send()
    document: Any = app.test_client().get("/api/openapi.json").json
    names = {*WebhookEvent, TRIAL}
    assert set(document["webhooks"]) == names
    messages = [json.loads(body) for body in (*anonymous.server.bodies, trial_message(NOW))]
    assert {message["type"] for message in messages} == names
    assert len(messages) == 2 * 9 + 1
    for message in messages:
        (content,) = document["webhooks"][message["type"]]["post"]["requestBody"][
            "content"
        ].values()
        assert faults(document, content["schema"], message) == []
    assert {each.state for each in full.deliveries()} == {"sent"}


def test_data_has_the_form_of_the_api(new_receiver: Any, life: Any) -> None:
    receiver = new_receiver(personal_data=True)
    booking_id = life()
    receiver.send()
    told = {message["type"]: message["data"] for message in receiver.messages()}
    services = receiver.services
    row = booking_calendar.booking(services.database, booking_id)
    assert told["booking.cancelled"] == BookingOutput().dump(row) | {"reference": "candidate-4711"}
    assert told["booking.cancelled"]["location"] == "Her office"
    assert told["booking.rescheduled"]["location"] == "Room 1"
    link = LinkOutput().dump(link_list.link(services.database, row.link_id, now=NOW))
    made = told["booking.made"]
    assert told["link.redeemed"] == link | {
        "booking": link["booking"]
        | {"start": made["start"], "end": made["end"], "status": "confirmed"}
    }
    assert set(told["link.issued"]) == set(link)
    assert told["link.changed"]["note"] == "Second interview"
    assert told["link.issued"]["status"] == "active"
    assert told["link.revoked"]["status"] == "revoked"


def test_without_personal_data_nothing_is_said_of_people(
    receiver: WebhookReceiver, other_program: Any, life: Any
) -> None:
    life()
    receiver.send()
    said = b"".join(other_program.bodies).decode()
    typed = ("Ada", "ada@", "Countess", "interview", "By phone", "Her office", "Ill")
    assert [word for word in typed if word in said] == []
    for message in receiver.messages():
        if message["type"].startswith("booking."):
            assert (message["data"]["invitee"], message["data"]["notes"]) == (None, None)


def test_nothing_is_said_of_somebody_who_is_forgotten_before_the_message_is_sent(
    new_receiver: Any, host_desk: Desk, life: Any, other_program: Any
) -> None:
    receiver = new_receiver(personal_data=True)
    host_desk.forget(life())
    receiver.send()
    said = b"".join(other_program.bodies).decode()
    assert ADA.name not in said
    assert "Countess" not in said
    assert "candidate-4711" not in said


def test_messages_carry_no_token(
    receiver: WebhookReceiver, host_desk: Desk, other_program: Any
) -> None:
    link_id = host_desk.new_link()
    receiver.send()
    assert receiver.services.tokens.for_link(link_id) not in other_program.bodies[0].decode()


def test_a_webhook_is_told_of_the_events_that_it_names_from_its_creation_on(
    host_desk: Desk, new_receiver: Any
) -> None:
    earlier = host_desk.new_link()
    receiver = new_receiver(WebhookEvent.BOOKING_MADE, WebhookEvent.LINK_REVOKED)
    host_desk.book(earlier)
    host_desk.new_link()
    receiver.send()
    assert [message["type"] for message in receiver.messages()] == ["booking.made"]


def test_for_a_day_after_a_rotation_both_secrets_verify_and_then_only_the_new_one(
    receiver: WebhookReceiver, host_desk: Desk, other_program: Any, clock: Clock
) -> None:
    webhook = receiver.webhook
    new = receiver.services.webhooks.rotate_secret(webhook.owner_id, webhook.id, now=NOW).secret
    assert new != receiver.secret
    host_desk.new_link()
    receiver.send()
    assert receiver.messages(new) == receiver.messages(receiver.secret)
    for kept in (other_program.bodies, other_program.requests):
        kept.clear()
    clock.time += OVERLAP
    host_desk.new_link()
    receiver.send()
    assert len(receiver.messages(new)) == 1
    with pytest.raises(Exception, match="No matching signature"):
        receiver.messages(receiver.secret)


_IN_JAVASCRIPT = """
const {createHmac} = require("node:crypto");
const [secret, id, timestamp, body] = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
const key = Buffer.from(secret.replace("whsec_", ""), "base64");
const mac = createHmac("sha256", key).update(`${id}.${timestamp}.${body}`, "utf8");
console.log("v1," + mac.digest("base64"));
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no node")
def test_a_program_in_another_language_computes_the_same_signature(
    new_receiver: Any, host_desk: Desk, other_program: Any
) -> None:
    receiver = new_receiver(personal_data=True)
    host_desk.new_link(recipient="Zoë Ünlü ✓")
    receiver.send()
    (headers,) = receiver.headers()
    signed = [receiver.secret, headers["webhook-id"], headers["webhook-timestamp"]]
    done = subprocess.run(
        ["node", "-e", _IN_JAVASCRIPT],
        input=json.dumps([*signed, other_program.bodies[0].decode()]),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == headers["webhook-signature"]
