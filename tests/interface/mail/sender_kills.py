"""Kills senders at random points while they send, and checks what arrived."""

import os
import signal
from collections import Counter
from datetime import timedelta
from pathlib import Path
from random import Random
from time import sleep

from application.deliveries.delivery import DeliveryState
from interface.bootstrap import Services
from tests.projections.rebuild.rebuilds import rebuilt
from tests.support.desk import ALWAYS_OPEN, Desk
from tests.support.examples import NOW, SECRET
from tests.support.mail_senders import mail_senders
from tests.support.mail_server import HOST, running_mail_server
from tests.support.projector import apply_log
from tests.support.waiting import wait_until

BOOKINGS_A_KILL = 4
LONGEST_LIFE = 0.15  # seconds after the first mail of a sender
LONGEST_SECONDS = 600  # the sender gets little of a busy machine


def every_fact_is_told_however_often_senders_are_killed(
    services: Services, conninfo: str, data: Path, *, kills: int
) -> Counter[str]:
    """Kills so many senders, and returns how often each mail arrived."""
    _book(services, kills * BOOKINGS_A_KILL)
    apply_log(conninfo)
    random = Random(kills)
    with running_mail_server(hesitating=0.01) as server:
        settings = {
            "ADMITONE_SMTP_URL": f"smtp://{HOST}:{server.port}",
            "ADMITONE_SECRET_KEYS": SECRET,
            "ADMITONE_PUBLIC_URL": "https://book.example.org",
            "ADMITONE_DATA": str(data),
        }
        with mail_senders(conninfo, **settings) as senders:
            for _ in range(kills):
                before = len(server.mails)
                pid = senders.start()
                wait_until(lambda before=before: len(server.mails) > before or not _due(services))  # type: ignore[misc]
                sleep(random.uniform(0.0, LONGEST_LIFE))
                os.kill(pid, signal.SIGKILL)
                senders.wait()
            assert _due(services), "all mails were sent before the last kill"
            pid = senders.start()
            wait_until(lambda: not _due(services), LONGEST_SECONDS)
            arrived = Counter(str(mail["Message-ID"]) for mail in server.mails)
            rebuilt(conninfo)
            apply_log(conninfo)
            assert not _due(services)
            os.kill(pid, signal.SIGTERM)
            senders.wait()
        assert Counter(str(mail["Message-ID"]) for mail in server.mails) == arrived
    assert arrived.keys() == _expected(services)
    return arrived


def _book(services: Services, count: int) -> None:
    host = services.accounts.create(email="olivia@example.org", name="Olivia", roles=("owner",))
    desk = Desk(services, owner_id=host.id)
    calendar_id = desk.new_calendar(**ALWAYS_OPEN, duration_minutes=5, start_increment_minutes=5)
    links = desk.new_links(calendar_id, count)
    for n, link_id in enumerate(links):
        desk.book(link_id, NOW + timedelta(minutes=5 * n))


def _due(services: Services) -> int:
    return sum(each.due for each in services.deliveries.backlog(now=NOW))


def _expected(services: Services) -> set[str]:
    """Returns the ids of all mails that have been caused."""
    rows = services.deliveries.newest(limit=100_000)
    assert {each.state for each in rows} <= {DeliveryState.SENT, DeliveryState.ENDED}
    return {
        f"<{each.fact}.{each.kind}.{each.audience}@book.example.org>"
        for each in rows
        if each.state is DeliveryState.SENT
    }
