"""Settings → Webhooks."""

from dataclasses import replace
from typing import Any

import pytest

from application.webhooks.webhooks import Webhook, WebhookEvent
from interface.bootstrap import Services
from interface.pages.owner import webhooks
from interface.pages.shared.deliveries import EVENTS
from interface.webhooks.trial import Trial
from tests.interface.pages.page_text import error_at, text, words
from tests.support.examples import NOW
from tests.support.owner import Owner
from tests.support.signed_in_browser import SignedIn

PAGE = "/settings/webhooks"
URL = "https://93.184.216.34/hook"
NEW: dict[str, Any] = {"url": f" {URL} ", "events": ["booking.made", "link.issued"]}


@pytest.fixture
def webhook(person: SignedIn, services: Services) -> Webhook:
    """A webhook that the person has added by the form."""
    assert person.post(PAGE, NEW).status_code == 201
    (added,) = services.webhooks.all(person.account.id)
    return added


def of(webhook: Webhook, action: str = "") -> str:
    return f"{PAGE}/{webhook.id}{action}"


def test_a_webhook_is_added_and_its_secret_is_shown_once(
    person: SignedIn, services: Services
) -> None:
    assert f'href="{PAGE}"' in text(person.get("/settings/connections"))
    added = person.post(PAGE, NEW)
    assert "It can't be shown again." in words(added)
    assert 'value="whsec_' in text(added)
    (webhook,) = services.webhooks.all(person.account.id)
    assert (webhook.url, webhook.personal_data) == (URL, False)
    assert webhook.events == (WebhookEvent.LINK_ISSUED, WebhookEvent.BOOKING_MADE)
    assert "whsec_" not in text(person.get(of(webhook)))
    assert f"{URL} Link created, Booking made Active" in words(person.get(PAGE))


@pytest.mark.parametrize(
    ("changes", "field", "error"),
    [
        ({"url": ""}, "url", "Enter the address of your program."),
        ({"url": "http://127.0.0.1/"}, "url", "This address is not allowed"),
        ({"events": []}, "events", "Select at least one event."),
    ],
)
def test_what_is_wrong_with_the_form_is_explained_beside_its_field(
    person: SignedIn, webhook: Webhook, changes: dict[str, Any], field: str, error: str
) -> None:
    for page in (PAGE, of(webhook)):
        answer = person.post(page, NEW | changes)
        assert answer.status_code == 422
        assert error_at(answer, field).startswith(error)


def test_a_webhook_is_changed_paused_resumed_and_deleted(
    person: SignedIn, webhook: Webhook, services: Services
) -> None:
    def done(answer: Any) -> str:
        assert answer.status_code == 303
        return words(person.get(answer.headers["Location"]))

    changes = {"url": URL, "events": ["booking.cancelled"], "personal_data": "true"}
    assert "Changes saved." in done(person.post(of(webhook), changes))
    changed = services.webhooks.one(person.account.id, webhook.id)
    assert changed == replace(webhook, events=(WebhookEvent.BOOKING_CANCELLED,), personal_data=True)
    assert "Paused: nothing is sent to your program." in done(person.post(of(webhook, "/pause")))
    assert "Webhook resumed." in done(person.post(of(webhook, "/resume")))
    assert "Delete this webhook?" in words(person.get(of(webhook, "/delete")))
    assert "Webhook deleted." in done(person.post(of(webhook, "/delete")))
    assert person.get(of(webhook)).status_code == 404


def test_a_new_secret_is_shown_once_with_the_end_of_the_old_one(
    person: SignedIn, webhook: Webhook
) -> None:
    answer = person.post(of(webhook, "/rotate-secret"))
    assert 'value="whsec_' in text(answer)
    assert "messages are also signed with the previous secret." in words(answer)


def test_a_test_message_shows_the_answer(
    person: SignedIn, webhook: Webhook, monkeypatch: pytest.MonkeyPatch, services: Services
) -> None:
    with services.database.connection() as conn:
        conn.execute("UPDATE webhooks SET url = 'http://127.0.0.1:9/'")
    page = words(person.post(of(webhook, "/test")))
    assert "Your program has not accepted the test message. Answer: This address is not" in page
    monkeypatch.setattr(webhooks, "try_webhook", lambda *_: Trial(True, "HTTP 204"))
    page = words(person.post(of(webhook, "/test")))
    assert "Your program has accepted the test message. Answer: HTTP 204" in page


def test_the_log_shows_each_message_and_sends_it_again(
    person: SignedIn, owner: Owner, webhook: Webhook, services: Services
) -> None:
    owner.book(owner.new_link())
    assert "Link created" in words(person.get(of(webhook)))
    found = services.deliveries.newest(limit=9, target=str(webhook.id))
    with services.database.connection() as conn:
        conn.execute(
            "UPDATE deliveries SET state = 'parked', answer = 'HTTP 500' WHERE kind = 'link.issued'"
        )
        conn.execute(
            """UPDATE deliveries SET state = 'sent', sent_at = %s, answer = 'HTTP 200'
            WHERE kind = 'booking.made'""",
            (NOW,),
        )
    page = words(person.get(of(webhook)))
    assert "given up HTTP 500 Send again" in page
    assert "HTTP 200 Send again" in page
    for each in found:
        answer = person.post(of(webhook, f"/deliveries/{each.id}"))
        assert "sent again within seconds" in words(person.get(answer.headers["Location"]))
    assert {each.state for each in services.deliveries.newest(limit=9, target=str(webhook.id))} == {
        "due"
    }


def test_a_receiver_that_is_gone_is_named_as_the_reason_of_the_pause(
    person: SignedIn, webhook: Webhook, services: Services
) -> None:
    services.webhooks.pause_gone(webhook)
    assert "wants no more messages (HTTP 410)" in words(person.get(of(webhook)))


def test_messages_to_webhooks_are_not_among_the_mails_of_a_booking(
    person: SignedIn, owner: Owner, webhook: Webhook
) -> None:
    booking = owner.book(owner.new_link())
    page = words(person.get(f"/bookings/{booking['booking_id']}"))
    assert "Booking made" not in page
    assert "Confirmation, to the invitee" in page


def test_every_event_has_a_name() -> None:
    assert set(EVENTS) == set(WebhookEvent)
