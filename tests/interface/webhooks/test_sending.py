"""How messages get to receivers that fail, hang, redirect or talk without end."""

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from application.deliveries.claims import CLAIM
from application.deliveries.delivery import Outcome
from application.deliveries.sender import MOST_ATTEMPTS
from application.webhooks.secrets import WebhookSecrets
from application.webhooks.webhooks import MOST_WEBHOOKS, WebhookEvent
from domain.errors import Invalid
from interface.bootstrap import Services
from interface.outgoing.allowed_addresses import AllowedAddresses
from interface.outgoing.http_client import HttpClient
from interface.web.problems import Overloaded
from interface.webhooks import trial
from interface.webhooks.trial import Trial, try_webhook
from tests.support.claims import claims_of
from tests.support.clock import Clock
from tests.support.desk import Desk
from tests.support.examples import NOW, SECRET
from tests.support.other_server import OtherServer, answer, other_server
from tests.support.projector import apply_log
from tests.support.webhook_receiver import WebhookReceiver, new_webhook

Answer = Callable[[], Iterable[bytes]]


def says(status: str, **headers: str) -> Answer:
    return lambda: [answer(b"secret words", status, **headers)]


def a_flood() -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n"
    for _ in range(1000):
        yield b"x" * 10_000


def types(server: OtherServer) -> list[str]:
    return [body.split(b'"')[3].decode() for body in server.bodies]


@pytest.mark.parametrize(
    "status", ["400 Bad", "404 Not Found", "500 Oops", "503 Busy", "302 Moved"]
)
def test_an_answer_other_than_2xx_is_recorded_and_the_message_is_sent_again(
    receiver: WebhookReceiver, host_desk: Desk, clock: Clock, status: str
) -> None:
    receiver.server.answer = says(status, Location="http://127.0.0.1:1/")
    host_desk.new_link()
    assert receiver.send() == ["due"]
    assert [each.answer for each in receiver.deliveries()] == [f"HTTP {status[:3]}"]
    receiver.server.answer = says("204 No Content")
    clock.advance(seconds=1)
    assert receiver.send() == ["sent"]
    first, second = receiver.headers()
    assert first["webhook-id"] == second["webhook-id"]
    assert first["webhook-timestamp"] != second["webhook-timestamp"]
    assert len(receiver.messages()) == 2


def test_a_message_is_parked_after_a_dozen_attempts(
    receiver: WebhookReceiver, host_desk: Desk, clock: Clock
) -> None:
    receiver.server.answer = says("500 Oops")
    host_desk.new_link()
    for _ in range(MOST_ATTEMPTS - 1):
        assert receiver.send() == ["due"]
        clock.advance(days=1)
    assert receiver.send() == ["parked"]
    assert len(receiver.server.requests) == MOST_ATTEMPTS


def test_what_waits_for_a_message_is_not_held_by_the_claim_of_another_sender(
    receiver: WebhookReceiver, host_desk: Desk
) -> None:
    host_desk.revoke(host_desk.new_link())
    apply_log(receiver.conninfo)
    claims = claims_of(receiver.services)
    (late,) = claims.claim("webhook", most=9, now=NOW)
    (mine,) = claims.claim("webhook", most=9, now=NOW + CLAIM)  # the first claim has expired
    _, waiting = receiver.deliveries()
    claims.settle(Outcome.postponed(late, answer="HTTP 500", until=NOW + CLAIM / 2))
    assert receiver.deliveries()[1] == waiting
    until = NOW + 2 * CLAIM
    claims.settle(Outcome.postponed(mine, answer="HTTP 500", until=until))
    assert [each.next_attempt_at for each in receiver.deliveries()] == [until, until]


def test_a_redirect_is_not_followed(receiver: WebhookReceiver, host_desk: Desk) -> None:
    with other_server() as inside:
        location = f"http://{inside.authority}/admin"
        receiver.server.answer = says("307 Moved", Location=location)
        host_desk.new_link()
        assert receiver.send() == ["due"]
        assert inside.requests == []


@pytest.mark.parametrize(
    ("talk", "seconds", "sentence"),
    [
        (a_flood, 60, "The answer of the other server is too large."),
        ("hang", 0.5, "The other server did not answer in time."),
        ("drip", 0.5, "The other server did not answer in time."),
    ],
)
def test_a_receiver_that_hangs_or_talks_without_end_is_left(
    receiver: WebhookReceiver,
    host_desk: Desk,
    monkeypatch: pytest.MonkeyPatch,
    talk: Any,
    seconds: float,
    sentence: str,
) -> None:
    over = threading.Event()

    def hang() -> Iterator[bytes]:
        over.wait(30)
        yield b""

    def drip() -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\nX: "
        while not over.wait(0.05):
            yield b"x"

    send = receiver.services.webhooks.send
    hurried = replace(receiver.services.webhooks)
    vars(hurried)["send"] = lambda *args, **more: send(*args, **more, seconds=seconds)
    hurrying = WebhookReceiver(
        receiver.server,
        replace(receiver.services, webhooks=hurried),
        receiver.webhook,
        receiver.conninfo,
    )
    receiver.server.answer = {"hang": hang, "drip": drip}.get(talk, talk)
    host_desk.new_link()
    try:
        assert hurrying.send() == ["due"]
        assert [each.answer for each in receiver.deliveries()] == [sentence]
    finally:
        over.set()


def test_a_receiver_that_gives_no_answer_is_left_alone_for_a_while(
    services: Services, receiver: WebhookReceiver, host_desk: Desk, clock: Clock
) -> None:
    receiver.server.answer = lambda: [b""]
    host_desk.new_links(host_desk.new_calendar(), 3)
    assert receiver.send() == ["due"] * 3
    assert len(receiver.server.requests) == 1
    assert {each.attempts for each in receiver.deliveries()} == {1}
    receiver.server.answer = says("200 OK")
    clock.advance(seconds=15)
    assert receiver.send() == ["sent"] * 3


def test_messages_to_a_slow_receiver_come_behind_those_to_all_others(
    receiver: WebhookReceiver, host_desk: Desk, clock: Clock
) -> None:
    def slowly() -> list[bytes]:
        clock.advance(seconds=5)
        return [answer()]

    def at_once() -> list[bytes]:
        told_before.append(len(receiver.server.requests))
        return [answer()]

    receiver.server.answer = slowly
    host_desk.new_links(host_desk.new_calendar(), 4)
    told_before: list[int] = []
    with other_server() as quick:
        quick.answer = at_once
        services, owner_id = receiver.services, receiver.webhook.owner_id
        new_webhook(services, owner_id, f"http://{quick.authority}/", WebhookEvent.LINK_REVOKED)
        host_desk.revoke(host_desk.new_link())
        assert set(receiver.send()) == {"sent"}
    assert told_before == [1]


def test_an_address_that_is_no_longer_allowed_is_not_reached(
    receiver: WebhookReceiver, host_desk: Desk
) -> None:
    strict = HttpClient(AllowedAddresses())
    services = replace(
        receiver.services, webhooks=replace(receiver.services.webhooks, outgoing=strict)
    )
    refused = WebhookReceiver(receiver.server, services, receiver.webhook, receiver.conninfo)
    host_desk.new_link()
    assert refused.send() == ["due"]
    assert "not allowed" in (refused.deliveries()[0].answer or "")
    assert receiver.server.requests == []


def test_messages_about_one_link_wait_for_each_other_and_for_no_others(
    receiver: WebhookReceiver, host_desk: Desk, clock: Clock
) -> None:
    answers = iter([says("500 Oops")])
    receiver.server.answer = lambda: next(answers, says("200 OK"))()
    booking_id = host_desk.book(host_desk.new_link())
    host_desk.new_link()
    assert receiver.send() == ["due"] * 3 + ["sent"]
    host_desk.cancel(booking_id)
    assert receiver.send() == ["due"] * 3 + ["sent"] + ["due"]
    clock.advance(seconds=1)
    assert receiver.send() == ["sent"] * 5
    assert types(receiver.server)[-4:] == [
        "link.issued",
        "link.redeemed",
        "booking.made",
        "booking.cancelled",
    ]


def test_messages_wait_until_the_one_before_them_is_due_or_is_retried(
    receiver: WebhookReceiver, host_desk: Desk
) -> None:
    answers = iter([says("500 Oops")])
    receiver.server.answer = lambda: next(answers, says("200 OK"))()
    host_desk.book(host_desk.new_link())
    assert receiver.send() == ["due"] * 3
    failed, *others = receiver.deliveries()
    assert {each.next_attempt_at for each in others} == {failed.next_attempt_at}
    assert {each.attempts for each in others} == {0}
    receiver.services.deliveries.retry(failed.id, now=NOW)
    assert receiver.send() == ["sent"] * 3


def test_what_was_given_up_no_longer_holds_up_what_came_after_it(
    receiver: WebhookReceiver, host_desk: Desk, conn: Any, clock: Clock
) -> None:
    receiver.server.answer = says("500 Oops")
    host_desk.book(host_desk.new_link())
    receiver.send()
    clock.advance(seconds=1)
    conn.execute("UPDATE deliveries SET state = 'parked' WHERE kind = 'link.issued'")
    receiver.server.answer = says("200 OK")
    assert receiver.send() == ["parked", "sent", "sent"]


def test_a_receiver_that_is_gone_pauses_its_webhook_until_the_owner_resumes_it(
    receiver: WebhookReceiver, host_desk: Desk
) -> None:
    receiver.server.answer = says("410 Gone")
    host_desk.new_links(host_desk.new_calendar(), 2)
    assert receiver.send() == ["parked", "ended"]
    (gone, _) = receiver.deliveries()
    assert gone.answer == "HTTP 410: the receiver wants no more messages."
    webhooks = receiver.services.webhooks
    owner_id, webhook_id = receiver.webhook.owner_id, receiver.webhook.id
    paused = webhooks.one(owner_id, webhook_id)
    assert (paused.is_active, paused.problem) == (False, "gone")
    assert webhooks.change(owner_id, webhook_id, url=paused.url).problem == "gone"
    host_desk.new_link()
    assert receiver.send() == ["parked", "ended", "ended"]
    assert len(receiver.server.requests) == 1
    resumed = webhooks.change(owner_id, webhook_id, is_active=True)
    assert (resumed.is_active, resumed.problem) == (True, None)
    receiver.server.answer = says("200 OK")
    assert webhooks.replay(owner_id, webhook_id, after=NOW, now=NOW) == 3
    assert receiver.send() == ["sent"] * 3


def test_another_address_of_a_paused_webhook_has_not_said_that_it_is_gone(
    receiver: WebhookReceiver, host_desk: Desk
) -> None:
    receiver.server.answer = says("410 Gone")
    host_desk.new_link()
    receiver.send()
    webhooks, webhook = receiver.services.webhooks, receiver.webhook
    changed = webhooks.change(webhook.owner_id, webhook.id, url=f"{webhook.url}/v2")
    assert (changed.is_active, changed.problem) == (False, None)


def test_a_replay_sends_again_under_the_same_id(
    receiver: WebhookReceiver, host_desk: Desk, clock: Clock
) -> None:
    host_desk.new_link()
    clock.advance(hours=1)
    host_desk.new_link()
    receiver.send()
    again = receiver.services.webhooks.replay
    owner_id, webhook_id = receiver.webhook.owner_id, receiver.webhook.id
    first, second = receiver.deliveries()
    assert again(owner_id, webhook_id, after=NOW, before=clock(), now=clock()) == 1
    receiver.send()
    assert again(owner_id, webhook_id, ids=[second.id], now=clock()) == 1
    receiver.send()
    ids = [headers["webhook-id"] for headers in receiver.headers()]
    assert ids == [ids[0], ids[1], ids[0], ids[1]]
    assert ids[0] != ids[1]
    assert {each.state for each in (first, second)} == {"sent"}


def test_a_removed_webhook_gets_nothing_more(receiver: WebhookReceiver, host_desk: Desk) -> None:
    receiver.server.answer = says("500 Oops")
    host_desk.new_link()
    receiver.send()
    receiver.services.webhooks.remove(receiver.webhook.owner_id, receiver.webhook.id)
    host_desk.new_link()
    assert receiver.send() == ["ended"]


def test_two_webhooks_are_told_of_the_same_event_under_different_ids(
    receiver: WebhookReceiver, host_desk: Desk
) -> None:
    url = f"http://{receiver.server.authority}/other"
    new_webhook(receiver.services, receiver.webhook.owner_id, url)
    host_desk.new_link()
    receiver.send()
    assert len({headers["webhook-id"] for headers in receiver.headers()}) == 2


def test_a_secret_that_no_key_opens_parks_the_message_and_says_what_to_do(
    receiver: WebhookReceiver, host_desk: Desk
) -> None:
    other_keys = replace(receiver.services.webhooks, secrets=WebhookSecrets(["another key"]))
    services = replace(receiver.services, webhooks=other_keys)
    other = WebhookReceiver(receiver.server, services, receiver.webhook, receiver.conninfo)
    host_desk.new_link()
    assert other.send() == ["parked"]
    assert "replace the secret" in (other.deliveries()[0].answer or "")


def test_the_sender_encrypts_secrets_anew_so_that_an_old_key_can_be_dropped(
    receiver: WebhookReceiver, host_desk: Desk, conn: Any
) -> None:
    ours, (stored,) = receiver.services.webhooks, conn.execute("SELECT * FROM webhooks")
    assert receiver.secret not in str(stored)
    replace(ours, secrets=WebhookSecrets(["the new key", SECRET])).renew_encryption()
    host_desk.new_link()
    later = replace(ours, secrets=WebhookSecrets(["the new key"]))
    services = replace(receiver.services, webhooks=later)
    WebhookReceiver(receiver.server, services, receiver.webhook, receiver.conninfo).send()
    assert len(receiver.messages()) == 1


def test_a_trial_says_what_the_receiver_answers(
    receiver: WebhookReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    services, webhook = receiver.services, receiver.webhook
    receiver.server.answer = says("204 No Content")
    assert try_webhook(services, webhook.owner_id, webhook.id) == Trial(True, "HTTP 204")
    assert receiver.messages() == [
        {"type": "webhook.test", "timestamp": "2026-11-23T08:00:00Z", "data": {}}
    ]
    receiver.server.answer = says("403 Forbidden")
    assert try_webhook(services, webhook.owner_id, webhook.id) == Trial(False, "HTTP 403")
    receiver.server.answer = lambda: [b""]
    failed = try_webhook(services, webhook.owner_id, webhook.id)
    assert failed == Trial(False, "The request got no usable answer.")
    monkeypatch.setattr(trial, "_turns", threading.BoundedSemaphore(1))
    trial._turns.acquire()
    with pytest.raises(Overloaded):
        try_webhook(services, webhook.owner_id, webhook.id)


def test_an_owner_has_at_most_ten_webhooks(receiver: WebhookReceiver) -> None:
    owner_id = receiver.webhook.owner_id
    url = receiver.webhook.url
    for _ in range(MOST_WEBHOOKS - 1):
        new_webhook(receiver.services, owner_id, url)
    with pytest.raises(Invalid):
        new_webhook(receiver.services, owner_id, url)


def test_a_webhook_of_a_disabled_account_is_told_nothing(
    receiver: WebhookReceiver, host_desk: Desk
) -> None:
    accounts = receiver.services.accounts
    accounts.disable(accounts.by_id(receiver.webhook.owner_id), now=NOW)
    host_desk.new_link()
    assert receiver.send() == ["ended"]
    assert receiver.headers() == []
