"""A sender that is killed after a message has arrived, before it could note that."""

import os
import signal
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from interface.bootstrap import Services, utc_now
from tests.support.desk import ALWAYS_OPEN, Desk
from tests.support.examples import SECRET
from tests.support.mail_senders import mail_senders
from tests.support.other_server import OtherServer, answer
from tests.support.projector import apply_log
from tests.support.waiting import wait_until
from tests.support.webhook_receiver import WebhookReceiver

HOUR = timedelta(hours=1)


def test_the_message_arrives_again_under_the_same_id(
    services: Services,
    new_receiver: Any,
    host_desk: Desk,
    other_program: OtherServer,
    conninfo: str,
    tmp_path: Path,
) -> None:
    receiver: WebhookReceiver = new_receiver()
    receiver.services = replace(receiver.services, now=utc_now)
    host_desk.services = receiver.services
    link_id = host_desk.new_link(host_desk.new_calendar(**ALWAYS_OPEN))
    host_desk.book(link_id, utc_now().replace(minute=0, second=0, microsecond=0) + HOUR)
    apply_log(conninfo)
    settings = {
        "ADMITONE_SECRET_KEYS": SECRET,
        "ADMITONE_DATA": str(tmp_path),
        "ADMITONE_OUTGOING_NETWORKS": "127.0.0.1/32",
    }
    killed: list[int] = []

    def kill_first() -> Iterable[bytes]:
        if not killed:
            killed.append(pid)
            os.kill(pid, signal.SIGKILL)
        return [answer()]

    other_program.answer = kill_first
    with mail_senders(conninfo, **settings) as senders:
        pid = senders.start()
        senders.wait()
        pid = senders.start()
        wait_until(lambda: {each.state for each in receiver.deliveries()} == {"sent"})
        os.kill(pid, signal.SIGTERM)
        senders.wait()
    ids = [headers["webhook-id"] for headers in receiver.headers()]
    told = [message["type"] for message in receiver.messages()]
    assert (told[:2], ids[1]) == (["link.issued"] * 2, ids[0])
    by_id = dict(zip(ids, told, strict=True))
    assert list(by_id.values()) == ["link.issued", "link.redeemed", "booking.made"]
