"""The sender killed again and again while mails go out.

`FAULTS_SENDER_KILLS` (100) is how often.
"""

import os
from pathlib import Path

from interface.bootstrap import Services
from interface.mail.channel import MailChannel
from tests.interface.mail.sender_kills import every_fact_is_told_however_often_senders_are_killed

KILLS = int(os.environ.get("FAULTS_SENDER_KILLS", "100"))


def test_every_mail_arrives_under_one_id_and_none_again_after_a_rebuild(
    services: Services, conninfo: str, tmp_path: Path
) -> None:
    arrived = every_fact_is_told_however_often_senders_are_killed(
        services, conninfo, tmp_path, kills=KILLS
    )
    repeated = sum(count - 1 for count in arrived.values())
    print(f"\nkilled {KILLS} times: {len(arrived)} mails arrived, {repeated} of them again")
    assert repeated <= KILLS * MailChannel.at_once
