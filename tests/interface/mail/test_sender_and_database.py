"""Senders go on although the database fails them or keeps them waiting."""

from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from functools import partial
from itertools import product
from threading import Event
from typing import Any
from unittest.mock import Mock
from uuid import UUID

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from application.deliveries import claims as claims_of_senders
from application.deliveries import sender as sending
from application.deliveries import sender_session
from application.deliveries.channel import Send
from application.deliveries.claims import CLAIM, Claims
from application.deliveries.delivery import Delivery, DeliveryState, Outcome
from application.deliveries.sender import Sender
from application.deliveries.sender_session import SenderSession
from application.eventstore import advisory_locks
from application.eventstore.connection import connect
from application.eventstore.deadline import deadline
from domain.errors import Unavailable
from interface.bootstrap import Services
from interface.mail.channel import MailChannel
from interface.runtime.background_thread import background_thread
from tests.support.claims import claims_of, take_over_mail
from tests.support.clock import Clock
from tests.support.database_proxy import Proxy
from tests.support.mail_server import MailServer
from tests.support.projector import apply_log
from tests.support.waiting import wait_until

# In this database: other tests may run services in others of the server.
HELD = """FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'advisory' AND classid::bigint = %s AND datname = current_database()"""


class Channel:
    """A channel that keeps what it is given. A test says what happens before that."""

    name = "mail"

    def __init__(
        self, before_reading: Callable[[Collection[Delivery]], object], *, at_once: int = 32
    ) -> None:
        self.sent: list[UUID] = []
        self.at_once = at_once
        self._before_reading = before_reading

    def prepare(self, deliveries: Collection[Delivery]) -> Send:
        """Lets happen what the test says."""
        self._before_reading(deliveries)
        return self._send

    def slow_targets(self) -> Collection[str]:
        """Is as quick for all."""
        return ()

    def close(self) -> None:
        """Has kept nothing open."""

    def _send(self, delivery: Delivery) -> str:
        self.sent.append(delivery.id)
        return "250 OK"


def test_one_delivery_that_can_not_be_read_holds_up_no_other(
    booking_id: UUID, mailing: Services, conninfo: str
) -> None:
    apply_log(conninfo)
    claims = claims_of(mailing)
    first, other = claims.claim("mail", most=2, now=mailing.now())
    claims.release([first, other], now=mailing.now())

    def read(deliveries: Collection[Delivery]) -> None:
        if first.id in [each.id for each in deliveries]:
            raise Unavailable

    channel = Channel(read)
    sender = Sender(claims, channel, now=mailing.now)
    with pytest.raises(Unavailable):  # as if the database were away
        sender.send_some(Event())
    assert sender.send_some(Event()) == 2
    assert channel.sent == [other.id]
    (waiting,) = mailing.deliveries.newest(limit=9, state=DeliveryState.DUE)
    assert (waiting.id, waiting.attempts, waiting.answer) == (first.id, 1, "Unavailable")


def test_a_sender_claims_nothing_more_without_the_session_that_keeps_its_claims(
    booking_id: UUID, mailing: Services, conninfo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply_log(conninfo)
    sessions: list[list[tuple[int]]] = []

    def end_the_session(_: object) -> None:
        with psycopg.connect(conninfo, autocommit=True) as conn:
            lock = (advisory_locks.SENDER,)
            sessions.append(conn.execute(f"SELECT pid {HELD}".encode(), lock).fetchall())
            conn.execute(f"SELECT pg_terminate_backend(pid, 5000) {HELD}".encode(), lock)

    monkeypatch.setattr(sending, "RECONNECT_SECONDS", 0.01)
    channel = Channel(end_the_session, at_once=1)
    with closing(SenderSession(conninfo, now=mailing.now)) as session:
        sender = Sender(claims_of(mailing), channel, now=mailing.now, session=session)
        stop = Event()
        with background_thread("sender", partial(sender.run, stop), stop):
            wait_until(lambda: len(channel.sent) == 2)
    assert [len(held) for held in sessions] == [1, 1]
    assert sessions[0] != sessions[1]


def test_a_session_that_replaces_another_has_the_locks_of_all_senders_of_the_process(
    mailing: Services, conninfo: str
) -> None:
    with (
        closing(SenderSession(conninfo, now=mailing.now)) as session,
        psycopg.connect(conninfo, autocommit=True) as conn,
    ):
        numbers = {session.add_sender("mail"), session.add_sender("webhook")}

        def holders() -> dict[int, set[int]]:
            rows = conn.execute(
                f"SELECT pid, objid::bigint {HELD}".encode(), (advisory_locks.SENDER,)
            ).fetchall()
            return {pid: {lock for of, lock in rows if of == pid} for pid, _ in rows}

        session.check()
        first = holders()
        assert list(first.values()) == [numbers]
        session.check()
        assert holders() == first
        session.doubt()
        session.check()
        wait_until(lambda: list(holders().values()) == [numbers] and holders() != first)


def test_what_was_sent_is_not_taken_over_while_its_sender_reconnects_to_record_it(
    booking_id: UUID, mailing: Services, conninfo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This is what happens when PgBouncer is killed and senders have sessions past it."""
    apply_log(conninfo)
    monkeypatch.setattr(sending, "DATABASE_SECONDS", 0.5)
    monkeypatch.setattr(claims_of_senders, "LOCK_SECONDS", 0.1)
    others, taken_over = claims_of(mailing), list[Delivery]()
    sessions: list[psycopg.Connection[Any]] = []

    def connect_after_another_has_looked(*args: Any, **options: Any) -> psycopg.Connection[Any]:
        if sessions:
            assert not sessions[-1].closed
            take_over_mail(conninfo, now=mailing.now())
            taken_over.extend(others.claim("mail", most=9, now=mailing.now()))
            proxy.accept()
        sessions.append(connect(*args, **options))
        return sessions[-1]

    monkeypatch.setattr(sender_session, "connect", connect_after_another_has_looked)
    with closing(Proxy(conninfo)) as proxy:

        def lose_the_database(_: object) -> None:
            proxy.refuse()
            proxy.cut()

        channel = Channel(lose_the_database)
        with (
            closing(Claims.of_senders(proxy.conninfo)) as claims,
            closing(SenderSession(conninfo, now=mailing.now)) as session,
        ):
            stop = Event()
            sender = Sender(claims, channel, now=mailing.now, session=session)
            with background_thread("sender", partial(sender.run, stop), stop):
                wait_until(lambda: not mailing.deliveries.backlog(now=mailing.now()))
    assert taken_over == []
    assert len(sessions) > 1
    assert len(channel.sent) == len(set(channel.sent)) == 2


def test_each_mail_is_sent_once_whichever_statement_of_a_sender_or_its_answer_is_lost(
    booking_id: UUID,
    mailing: Services,
    conninfo: str,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    apply_log(conninfo)
    execute = Claims._execute
    to_come: list[str] = []
    with (
        closing(Proxy(conninfo)) as proxy,
        closing(Claims.of_senders(proxy.conninfo)) as claims,
        psycopg.connect(conninfo, autocommit=True) as conn,
    ):

        def execute_or_lose(*args: Any) -> Any:
            fate = to_come.pop(0) if to_come else "arrives"
            if fate == "is lost":
                proxy.cut()
            result = execute(*args)
            if fate == "is answered in vain":
                proxy.cut()
                raise psycopg.OperationalError
            return result

        monkeypatch.setattr(Claims, "_execute", execute_or_lose)
        # Undisturbed, a sender claims both, settles one, releases the other after two seconds,
        # claims and settles that, and then claims in vain.
        for place, fate in product(range(6), ("is lost", "is answered in vain")):
            channel = Channel(lambda _: clock.advance(seconds=2))
            sender = Sender(claims, channel, now=mailing.now)
            to_come[:] = ["arrives"] * place + [fate]
            for _ in range(3):
                with suppress(Unavailable):
                    sender.send_due(Event())
            assert len(set(channel.sent)) == len(channel.sent) == 2, (place, fate)
            assert to_come == [], (place, fate)
            conn.execute(
                "UPDATE deliveries SET state = 'due', attempts = 0, next_attempt_at = due_at"
            )


def test_a_sender_claims_nothing_while_its_session_is_on_a_standby(
    booking_id: UUID,
    mailing: Services,
    conninfo: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A lock can be had there, which senders on the primary don't see."""
    apply_log(conninfo)
    monkeypatch.setattr(sending, "RECONNECT_SECONDS", 0.01)
    standby = make_conninfo(conninfo, options="-c default_transaction_read_only=on")
    channel = Channel(lambda _: None)
    with closing(SenderSession(standby, now=mailing.now)) as session:
        sender = Sender(claims_of(mailing), channel, now=mailing.now, session=session)
        stop = Event()
        with background_thread("sender", partial(sender.run, stop), stop):
            wait_until(lambda: "no mail is sent" in caplog.text)
    assert channel.sent == []


def test_senders_stay_on_a_host_where_another_session_keeps_them_waiting(
    booking_id: UUID, mailing: Services, conninfo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One has the connection that they share, and the other waits for it first."""
    apply_log(conninfo)
    with (
        closing(Claims.of_senders(conninfo)) as claims,
        psycopg.connect(conninfo) as another,
        ThreadPoolExecutor() as threads,
    ):
        left: list[object] = []
        monkeypatch.setattr(claims.hosts, "avoid", left.append)
        claimed = claims.claim("mail", most=2, now=mailing.now())
        another.execute("SELECT FROM deliveries FOR UPDATE")

        def settle(delivery: Delivery) -> None:
            with deadline(sender_session.DATABASE_SECONDS), pytest.raises(Unavailable):
                claims.settle(Outcome.sent(delivery, answer="250 OK", now=mailing.now()))

        assert len(list(threads.map(settle, claimed))) == 2
    assert left == []


def test_what_was_sent_while_the_database_got_lost_is_recorded_and_not_sent_again(
    booking_id: UUID,
    mailing: Services,
    mail_server: MailServer,
    conninfo: str,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    apply_log(conninfo)
    with closing(MailChannel(mailing)) as channel:
        sender = Sender(claims_of(mailing), channel, now=mailing.now)
        with monkeypatch.context() as lost:
            lost.setattr(Claims, "settle", Mock(side_effect=Unavailable))
            for _ in range(2):
                with pytest.raises(Unavailable):
                    sender.send_some(Event())
        assert len(mail_server.mails) == 2
        clock.advance(seconds=CLAIM.total_seconds())
        sender.send_due(Event())
    assert len(mail_server.mails) == 2
    assert {each.attempts for each in mailing.deliveries.newest(limit=9)} == {1}


def test_what_was_claimed_while_the_database_got_lost_is_sent_once_it_is_back(
    booking_id: UUID,
    mailing: Services,
    mail_server: MailServer,
    conninfo: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    apply_log(conninfo)
    claim = Claims.claim

    def lose_the_answer(*args: Any, **options: Any) -> None:
        assert claim(*args, **options)
        raise Unavailable

    with closing(MailChannel(mailing)) as channel:
        sender = Sender(claims_of(mailing), channel, now=mailing.now)
        for place, name, loss in (
            (Claims, "claim", lose_the_answer),
            (channel, "prepare", Mock(side_effect=Unavailable)),
        ):
            with monkeypatch.context() as lost:
                lost.setattr(place, name, loss)
                with pytest.raises(Unavailable):
                    sender.send_some(Event())
        assert mail_server.mails == []
        assert sender.send_due(Event()) == 2
    assert len(mail_server.mails) == 2
    assert {each.attempts for each in mailing.deliveries.newest(limit=9)} == {1}


def test_a_sender_leaves_a_host_of_the_database_that_does_not_answer(
    booking_id: UUID, mailing: Services, conninfo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ExitStack() as stack:
        proxy = stack.enter_context(closing(Proxy(conninfo)))
        hosts = [conninfo_to_dict(each) for each in (proxy.conninfo, conninfo)]
        both = {name: ",".join(str(each[name]) for each in hosts) for name in ("host", "port")}
        both_hosts = make_conninfo(conninfo, **both)
        claiming = stack.enter_context(closing(Claims.of_senders(both_hosts)))
        channel = stack.enter_context(closing(MailChannel(mailing)))
        sender = Sender(claiming, channel, now=mailing.now)
        assert sender.send_due(Event()) == 0
        apply_log(conninfo)
        with proxy.silence():
            with monkeypatch.context() as hasty:
                hasty.setattr(sending, "DATABASE_SECONDS", 0.2)
                hasty.setattr(claims_of_senders, "LOCK_SECONDS", 0.1)
                with pytest.raises(Unavailable):
                    sender.send_due(Event())
            assert sender.send_due(Event()) == 2
