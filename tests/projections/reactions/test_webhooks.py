"""Which messages to webhooks the events of links and bookings cause."""

from typing import Any

import pytest
from psycopg import Connection
from psycopg.rows import DictRow

from application.webhooks.webhooks import Webhook, WebhookEvent
from interface.bootstrap import Services
from projections.catalogue import FOLLOWERS
from projections.engine.runner import Runner
from tests.projections.rebuild.rebuilds import rebuilt
from tests.support.desk import Desk
from tests.support.projector import MAPPER, apply_log
from tests.support.webhook_receiver import new_webhook

URL = "https://93.184.216.34/hook"


@pytest.fixture
def host_desk(services: Services) -> Desk:
    """Gives the commands of an owner with an account."""
    account = services.accounts.create(email="olivia@example.org", name="Olivia", roles=("owner",))
    return Desk(services, owner_id=account.id)


@pytest.fixture
def webhook(services: Services, host_desk: Desk) -> Webhook:
    """A webhook of that owner that is told of everything."""
    return new_webhook(services, host_desk.owner_id, URL)


def messages(desk: Desk, conninfo: str) -> list[dict[str, Any]]:
    apply_log(conninfo)
    return desk.services.database.fetch_all(
        "SELECT * FROM deliveries WHERE channel = 'webhook' ORDER BY fact, target"
    )


def test_a_message_names_its_event_and_belongs_to_the_link(
    host_desk: Desk, webhook: Webhook, conninfo: str
) -> None:
    booking_id = host_desk.book(host_desk.new_link())
    issued, redeemed, made = messages(host_desk, conninfo)
    facts = {line["position"]: (line["topic"], line["version"]) for line in host_desk.log()}
    for row in (issued, redeemed, made):
        assert facts[row["fact"]] == (row["kind"], row["fact_version"])
        assert (row["state"], row["target"]) == ("due", str(webhook.id))
        assert (row["owner_id"], row["subject"]) == (host_desk.owner_id, row["link_id"])
    assert issued["link_id"] == host_desk.booking(booking_id).link_id
    assert [row["booking_id"] for row in (issued, redeemed, made)] == [None, None, booking_id]


def test_every_name_of_an_event_is_told_of(
    host_desk: Desk, webhook: Webhook, conninfo: str
) -> None:
    link_id = host_desk.new_link()
    host_desk.change_link(link_id, note="VIP")
    booking_id = host_desk.book(link_id)
    host_desk.reschedule(booking_id)
    host_desk.change_place(booking_id, "Room 2")
    host_desk.cancel(booking_id)
    host_desk.revoke(host_desk.new_link())
    assert {row["kind"] for row in messages(host_desk, conninfo)} == set(WebhookEvent)


def test_events_of_others_and_of_nobodys_interest_cause_nothing(
    desk: Desk, host_desk: Desk, webhook: Webhook, conninfo: str
) -> None:
    desk.new_booking(desk.new_calendar())
    host_desk.new_calendar()
    assert messages(host_desk, conninfo) == []


def test_the_first_webhook_of_all_is_told_by_a_runner_that_remembers_that_there_was_none(
    services: Services, host_desk: Desk, conninfo: str, conn: Connection[DictRow]
) -> None:
    runner = Runner(conninfo, FOLLOWERS, MAPPER)
    for _ in range(2):
        host_desk.new_link()
        runner.catch_up(conn)
    new_webhook(services, host_desk.owner_id, URL)
    host_desk.new_link()
    runner.catch_up(conn)
    assert [row["kind"] for row in messages(host_desk, conninfo)] == [WebhookEvent.LINK_ISSUED]


def test_neither_a_rebuild_nor_reading_the_log_again_causes_anything_twice(
    host_desk: Desk, webhook: Webhook, conninfo: str, conn: Any
) -> None:
    host_desk.book(host_desk.new_link())
    before = messages(host_desk, conninfo)
    rebuilt(conninfo)
    conn.execute("UPDATE projection_positions SET position = 0 WHERE name = 'webhooks_v1'")
    assert messages(host_desk, conninfo) == before
    assert len(before) == 3
