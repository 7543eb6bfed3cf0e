"""Senders find what is due by index, however much was sent before."""

from contextlib import closing
from datetime import timedelta
from uuid import UUID

from msgspec.structs import replace

from application.deliveries import outbox
from application.deliveries.claims import Claims
from application.deliveries.delivery import Audience, NewDelivery, Outcome
from interface.bootstrap import Services
from tests.support.examples import LINK, NOW, OWNER
from tests.support.plans import JOINS_OF_ALL, prepared_plans, scans_of_all

RUNS = 7  # psycopg prepares what is run for the sixth time


def test_no_plan_of_a_sender_reads_all_deliveries(services: Services, conninfo: str) -> None:
    """The plans are made once, while PostgreSQL believes that the table is as good as empty."""
    messages = [
        NewDelivery(
            channel=outbox.WEBHOOK,
            kind="link.issued",
            audience=Audience.OWNER,
            owner_id=OWNER,
            due_at=NOW,
            fact=fact,
            subject=LINK,
        )
        for fact in range(RUNS)
    ]
    with services.database.connection() as conn:
        for query in outbox.adding(messages):
            query.execute(conn)
    with closing(Claims.of_senders(conninfo)) as claims:
        now = NOW
        for _ in range(RUNS):
            claimed = claims.claim(outbox.WEBHOOK, most=32, now=now)
            claims.release(claimed, now=now)
            claims.release_until(outbox.WEBHOOK, [now], sender=None, now=now)
            with claims._database.checked_out() as conn:
                claims.take_over(conn, [outbox.WEBHOOK, outbox.MAIL], before=now, now=now)
            (message,) = claims.claim(outbox.WEBHOOK, most=32, now=now)
            now += timedelta(minutes=1)
            claims.settle(Outcome.postponed(message, answer="HTTP 500", until=now))
        with claims._database.checked_out() as conn:
            plans = [plan for statement, plan in prepared_plans(conn) if "deliveries" in statement]
    assert len(plans) == 6  # claim, release, release until, take over, settle, hold
    for plan in plans:
        assert [join for join in JOINS_OF_ALL if join in plan] == []
        assert [scan for scan in scans_of_all(plan) if " on deliveries" in scan] == []


def test_the_same_event_causes_the_same_under_one_id_for_ever(services: Services) -> None:
    """The id becomes the Message-ID of a mail."""
    message = NewDelivery(
        channel=outbox.WEBHOOK,
        kind="link.issued",
        audience=Audience.OWNER,
        owner_id=OWNER,
        due_at=NOW,
        fact=7,
        link_id=LINK,
        subject=LINK,
    )
    for later in (timedelta(), timedelta(days=1)):
        with services.database.connection() as conn:
            for query in outbox.adding([replace(message, due_at=NOW + later)]):
                query.execute(conn)
    (row,) = services.database.fetch_all("SELECT id, due_at FROM deliveries")
    assert row == {"id": UUID("51fadfe0-3404-27ec-17aa-b5a5dcaf4cb8"), "due_at": NOW}
