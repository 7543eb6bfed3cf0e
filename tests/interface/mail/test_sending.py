"""How mails get to a mail server: retried, parked, and each once although many send."""

import threading
from collections.abc import Collection
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from threading import Event
from uuid import UUID

import psycopg
import pytest

from application.deliveries import sender as sending
from application.deliveries import sender_session
from application.deliveries.channel import Send as Sending
from application.deliveries.claims import CLAIM
from application.deliveries.deliveries import DeliveryNotFound, DeliveryOver
from application.deliveries.delivery import Delivery, DeliveryState, Outcome
from application.deliveries.sender import MOST_ATTEMPTS, Sender, pause_after
from application.eventstore import advisory_locks
from interface.bootstrap import Services
from interface.mail import smtp
from interface.mail.channel import MailChannel
from interface.runtime.retention_loop import delete_due
from interface.smtp_address import SmtpServer
from tests.interface.mail.conftest import Send
from tests.support.claims import claim_mail, claims_of, take_over_mail
from tests.support.clock import Clock
from tests.support.desk import Desk
from tests.support.examples import NOW, TOMORROW_AT_NINE
from tests.support.mail_server import HOST, MailServer
from tests.support.projector import apply_log
from tests.support.service import free_port
from tests.support.waiting import at_once, wait_until


def answers(services: Services) -> list[str | None]:
    return [each.answer for each in services.deliveries.newest(limit=100)]


def test_what_the_server_answered_is_stored(
    booking_id: UUID, send: Send, mailing: Services
) -> None:
    assert send() == ["sent", "sent"]
    found = mailing.deliveries.newest(limit=10, booking_id=booking_id)
    assert sorted(each.answer or "" for each in found) == [
        "250 OK, queued as 1",
        "250 OK, queued as 2",
    ]
    assert {(each.attempts, each.sent_at) for each in found} == {(1, NOW)}


def test_one_connection_carries_all_that_is_due(
    booking_id: UUID, send: Send, mail_server: MailServer
) -> None:
    send()
    assert len(mail_server.mails) == 2
    assert len(mail_server.sessions) == 1


def test_a_mail_that_is_refused_for_now_is_tried_again_later(
    booking_id: UUID, send: Send, mail_server: MailServer, clock: Clock, mailing: Services
) -> None:
    mail_server.refusals += ["451 4.7.1 Greylisted"]
    assert send() == ["due", "sent"]
    assert "451 4.7.1 Greylisted" in answers(mailing)
    clock.advance(seconds=1)
    assert send() == ["sent", "sent"]


def test_a_mail_that_is_refused_for_good_is_parked_until_somebody_retries_it(
    booking_id: UUID, send: Send, mail_server: MailServer, mailing: Services
) -> None:
    mail_server.refusals += ["550 5.1.1 No such user"]
    assert send() == ["parked", "sent"]
    (parked,) = mailing.deliveries.newest(limit=10, state=DeliveryState.PARKED)
    assert parked.answer == "550 5.1.1 No such user"
    mailing.deliveries.retry(parked.id, now=NOW)
    assert send() == ["sent", "sent"]
    with pytest.raises(DeliveryOver):
        mailing.deliveries.retry(parked.id, now=NOW)
    with pytest.raises(DeliveryNotFound):
        mailing.deliveries.retry(booking_id, now=NOW)


def test_what_was_sent_is_deleted_after_the_days_of_the_setting_and_what_was_given_up_stays(
    booking_id: UUID, send: Send, mail_server: MailServer, mailing: Services, clock: Clock
) -> None:
    mail_server.refusals += ["550 5.1.1 No such user"]
    assert send() == ["parked", "sent"]
    kept = replace(mailing, settings=replace(mailing.settings, deliveries_days=2))
    clock.advance(days=2)
    assert "Deleted 0 old deliveries." in delete_due(kept, stop=Event())
    clock.advance(seconds=1)
    assert "Deleted 1 old delivery." in delete_due(kept, stop=Event())
    assert send() == ["parked"]


def test_a_mail_is_parked_after_a_dozen_attempts(
    booking_id: UUID, send: Send, mail_server: MailServer, clock: Clock
) -> None:
    mail_server.refusals += ["421 Try later"] * 2 * MOST_ATTEMPTS
    for _ in range(MOST_ATTEMPTS):
        assert "parked" not in send()
        clock.advance(days=1)
        if not mail_server.refusals[2:]:
            break
    assert send() == ["parked", "parked"]
    assert mail_server.mails == []


def test_the_pauses_grow_from_a_second_to_a_day() -> None:
    longest = [max(pause_after(n) for _ in range(200)) for n in range(1, MOST_ATTEMPTS + 1)]
    assert longest[0] <= timedelta(seconds=1)
    assert longest == sorted(longest) or longest[-1] > timedelta(hours=20)
    assert longest[-1] <= timedelta(days=1)


def test_a_server_that_is_not_there_is_named_and_the_mail_waits(
    booking_id: UUID, mailing: Services, conninfo: str
) -> None:
    nowhere = replace(mailing.settings, smtp_url=SmtpServer(HOST, free_port()))
    services = replace(mailing, settings=nowhere)
    apply_log(conninfo)
    assert Sender(claims_of(services), MailChannel(services), now=services.now).send_some(Event())
    waiting = next(each for each in services.deliveries.newest(limit=9) if each.attempts)
    assert (waiting.state, waiting.attempts) == (DeliveryState.DUE, 1)
    assert "127.0.0.1" in (waiting.answer or "")


def test_a_claim_is_one_senders_alone_until_it_expires(
    booking_id: UUID, mailing: Services, conninfo: str, clock: Clock
) -> None:
    apply_log(conninfo)
    claim = partial(claim_mail, mailing)
    first, second = claim(), claim()
    assert first is not None
    assert second is not None
    assert first.id != second.id
    assert claim() is None
    later = NOW + CLAIM
    again = claim(now=later)
    assert again is not None
    assert (again.id, again.attempts) == (first.id, 2)
    claims_of(mailing).settle(Outcome.sent(first, answer="too late", now=later))
    assert "too late" not in answers(mailing)
    claims_of(mailing).settle(Outcome.sent(again, answer="in time", now=later))
    assert "in time" in answers(mailing)


def test_only_what_a_killed_sender_has_claimed_is_taken_over(
    booking_id: UUID, mailing: Services, conninfo: str
) -> None:
    apply_log(conninfo)
    claim = partial(claims_of(mailing).claim, "mail", most=1, now=NOW)
    take_over = partial(take_over_mail, conninfo)
    with psycopg.connect(conninfo, autocommit=True) as living:
        living.execute("SELECT pg_advisory_lock_shared(%s, 1)", (advisory_locks.SENDER,))
        (alive,), (killed,) = claim(sender=1), claim(sender=2)
        take_over(before=NOW + CLAIM - timedelta(microseconds=1))
        assert claim() == []
        take_over()
        assert [(each.id, each.attempts) for each in claim()] == [(killed.id, 2)]
        living.execute("SELECT pg_advisory_unlock_all()")
        take_over()
        assert [(each.id, each.attempts) for each in claim()] == [(alive.id, 2)]


def test_a_claim_without_the_number_of_a_sender_is_left_until_it_expires(
    booking_id: UUID, mailing: Services, conninfo: str
) -> None:
    """Senders of earlier versions make such claims, and may be at work during an upgrade."""
    apply_log(conninfo)
    claims = claims_of(mailing)
    (numberless,) = claims.claim("mail", most=1, now=NOW, sender=None)
    (killed,) = claims.claim("mail", most=1, now=NOW, sender=1)
    take_over_mail(conninfo)
    again = claims.claim("mail", most=1, now=NOW) + claims.claim("mail", most=1, now=NOW)
    assert [each.id for each in again] == [killed.id]
    assert numberless.id in [each.id for each in claims.claim("mail", most=1, now=NOW + CLAIM)]


def test_a_sender_does_not_release_what_another_has_claimed_since(
    booking_id: UUID, mailing: Services, conninfo: str
) -> None:
    apply_log(conninfo)
    claims = claims_of(mailing)
    both = [*claims.claim("mail", most=2, now=NOW, sender=1)]
    take_over_mail(conninfo)
    (taken,) = claims.claim("mail", most=2, now=NOW, sender=2)
    claims.release(both, now=NOW)
    (released,) = claims.claim("mail", most=2, now=NOW, sender=3)
    assert {taken.id, released.id} == {each.id for each in both}
    assert claims.claim("mail", most=2, now=NOW, sender=3) == []


def test_a_claim_outlasts_the_longest_round() -> None:
    """The mail server is slow in its whole dialogue, and the database in each of four steps."""
    dialogue = timedelta(seconds=2 * smtp.WHOLE_SECONDS + 2 * smtp.ANSWER_SECONDS)
    database = timedelta(seconds=4 * sender_session.DATABASE_SECONDS)
    assert dialogue <= 3 / 4 * CLAIM
    assert dialogue + sending.LONGEST_BATCH + database < CLAIM


def test_a_sender_that_got_no_answer_releases_its_own_claims_alone(
    booking_id: UUID, mailing: Services, conninfo: str
) -> None:
    apply_log(conninfo)
    claims = claims_of(mailing)
    claim = partial(claims.claim, "mail", most=1, now=NOW)
    (mine,), (_,) = claim(sender=1), claim(sender=2)
    claims.release_until("mail", [NOW + CLAIM], sender=1, now=NOW)
    assert claim() == [mine]
    assert claim() == []


def test_a_sender_at_work_sends_what_a_killed_one_has_claimed(
    booking_id: UUID,
    sender: Sender,
    mailing: Services,
    mail_server: MailServer,
    conninfo: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sender_session, "ABANDONED", timedelta())
    apply_log(conninfo)
    assert claims_of(mailing).claim("mail", most=1, now=NOW, sender=1)
    stop = Event()
    thread = threading.Thread(target=sender.run, args=(stop,))
    thread.start()
    try:
        wait_until(lambda: len(mail_server.mails) == 2)
    finally:
        stop.set()
        thread.join(60)


def test_what_was_tried_before_is_claimed_alone(
    booking_id: UUID, mailing: Services, conninfo: str
) -> None:
    apply_log(conninfo)
    with psycopg.connect(conninfo) as conn:
        conn.execute("UPDATE deliveries SET attempts = 1")
    claim = partial(claims_of(mailing).claim, "mail", most=16, now=NOW)
    assert [len(claim()) for _ in range(3)] == [1, 1, 0]


def test_a_sender_releases_what_it_has_not_come_to_within_a_second(
    booking_id: UUID, mailing: Services, conninfo: str, clock: Clock
) -> None:
    class SlowChannel:
        name, at_once = "mail", 16

        def prepare(self, deliveries: Collection[Delivery]) -> Sending:
            return self.send

        def send(self, delivery: Delivery) -> str:
            clock.advance(seconds=2)
            return "250 OK"

        def slow_targets(self) -> Collection[str]:
            return ()

        def close(self) -> None:
            """Does nothing."""

    apply_log(conninfo)
    sender = Sender(claims_of(mailing), SlowChannel(), now=mailing.now)
    assert sender.send_some(Event()) == 1
    (waiting,) = mailing.deliveries.newest(limit=9, state=DeliveryState.DUE)
    assert (waiting.attempts, waiting.next_attempt_at) == (0, NOW)
    assert sender.send_some(Event()) == 1
    assert mailing.deliveries.newest(limit=9, state=DeliveryState.DUE) == []


def test_many_senders_send_each_mail_once(
    host_desk: Desk, mailing: Services, mail_server: MailServer, conninfo: str
) -> None:
    calendar_id = host_desk.new_calendar()
    for n in range(8):
        host_desk.book(host_desk.new_link(calendar_id), NOW + timedelta(hours=4 + n / 2))
    apply_log(conninfo)
    with ExitStack() as channels:
        senders = [
            Sender(
                claims_of(mailing),
                channels.enter_context(closing(MailChannel(mailing))),
                now=mailing.now,
            )
            for _ in range(4)
        ]
        counts = at_once([partial(each.send_due, Event()) for each in senders])
    assert sum(counts) == 16
    assert [len(mails) for mails in mail_server.by_id().values()] == [1] * 16


def test_a_delivery_that_ends_its_sender_each_time_is_parked(
    booking_id: UUID, sender: Sender, mailing: Services, conninfo: str
) -> None:
    apply_log(conninfo)
    with psycopg.connect(conninfo) as conn:
        conn.execute("UPDATE deliveries SET attempts = %s", (MOST_ATTEMPTS,))
    assert sender.send_some(Event())
    assert len(mailing.deliveries.newest(limit=9, state=DeliveryState.PARKED)) == 1


def test_a_sender_finds_what_is_added_and_is_not_stopped_by_a_lost_connection(
    sender: Sender,
    host_desk: Desk,
    mailing: Services,
    mail_server: MailServer,
    conninfo: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sending, "POLL_SECONDS", 0.1)
    stop = Event()
    thread = threading.Thread(target=sender.run, args=(stop,))
    thread.start()
    try:
        host_desk.book(host_desk.new_link(), NOW + timedelta(hours=8))
        apply_log(conninfo)
        wait_until(lambda: len(mail_server.mails) == 2)
        with psycopg.connect(conninfo, autocommit=True) as conn:
            conn.execute(
                """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE application_name = 'admitone senders' AND datname = current_database()"""
            )
        host_desk.book(host_desk.new_link(), NOW + timedelta(hours=7))
        apply_log(conninfo)
        wait_until(lambda: len(mail_server.mails) == 4)
        host_desk.book(host_desk.new_link(), NOW + timedelta(hours=6))
        apply_log(conninfo)
        wait_until(lambda: len(mail_server.mails) == 6)
    finally:
        stop.set()
        thread.join(60)
    assert not thread.is_alive()


def test_without_a_mail_server_mails_become_files_that_only_their_owner_reads(
    booking_id: UUID, services: Services, host_desk: Desk, conninfo: str, tmp_path: Path
) -> None:
    sender = Sender(claims_of(services), MailChannel(services), now=services.now)
    apply_log(conninfo)
    assert sender.send_due(Event()) == 2
    files = sorted((tmp_path / "mail").iterdir())
    assert {f"written to {file}" for file in files} == set(answers(services))
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert any(b"To: Ada Lovelace <ada@example.org>\r\n" in file.read_bytes() for file in files)

    other = host_desk.book(host_desk.new_link(), TOMORROW_AT_NINE)
    apply_log(conninfo)
    sender.send_due(Event())
    host_desk.forget(booking_id)
    apply_log(conninfo)
    sender.send_due(Event())
    left = list((tmp_path / "mail").iterdir())
    assert len(left) == 2
    assert {file.name.partition(".")[0] for file in left} == {str(other)}
