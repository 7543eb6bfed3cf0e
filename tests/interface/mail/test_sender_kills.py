"""No mail is lost when senders are killed. `make faults` kills more of them."""

from pathlib import Path

from interface.bootstrap import Services
from interface.mail.channel import MailChannel
from tests.interface.mail.sender_kills import every_fact_is_told_however_often_senders_are_killed

KILLS = 10


def test_every_mail_arrives_under_one_id_and_none_again_after_a_rebuild(
    services: Services, conninfo: str, tmp_path: Path
) -> None:
    arrived = every_fact_is_told_however_often_senders_are_killed(
        services, conninfo, tmp_path, kills=KILLS
    )
    # What was sent and not recorded yet, because it was sent a moment before the kill.
    assert sum(count - 1 for count in arrived.values()) <= KILLS * MailChannel.at_once
