"""The newest refused attempts of each link are stored for a limited time, without addresses."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from uuid import UUID

import psycopg
import pytest
from psycopg.rows import dict_row

from application.eventstore.database import Database
from application.people import refused_attempts as module
from application.people.refused_attempts import (
    MOST_KEPT,
    RefusedAttempt,
    RefusedAttemptCount,
    RefusedAttempts,
    by_reason,
)
from domain.booking import Booking
from domain.errors import Unavailable
from interface.bootstrap import Services
from tests.application.conftest import rows_of
from tests.support.desk import Desk
from tests.support.examples import CALENDAR, LINK, NOW
from tests.support.stored_rows import query
from tests.support.waiting import at_once

HOME, WORK = "2001:db8::17", "192.0.2.7"


@pytest.fixture
def attempts(services: Services) -> RefusedAttempts:
    """None was made yet."""
    return services.refused_attempts


def tries(
    attempts: RefusedAttempts,
    link_id: UUID = LINK,
    reason: str = "link-redeemed",
    address: str = HOME,
    after: timedelta = timedelta(),
) -> None:
    """Records a refused attempt some time after `examples.NOW`."""
    attempts.record(link_id, reason=reason, address=address, now=NOW + after)


def count(conninfo: str, link_id: UUID = LINK) -> int:
    """Returns the number of stored attempts with a link."""
    ((count,),) = query(
        conninfo, "SELECT count(*) FROM refused_attempts WHERE link_id = %s", link_id
    )
    return int(count)


def test_an_attempt_is_stored_with_its_time_and_reason(attempts: RefusedAttempts) -> None:
    tries(attempts)
    tries(attempts, reason="slot-taken", after=timedelta(minutes=1))
    tries(attempts, link_id=CALENDAR)
    assert attempts.newest(LINK) == [
        RefusedAttempt(NOW + timedelta(minutes=1), "slot-taken"),
        RefusedAttempt(NOW, "link-redeemed"),
    ]


def test_attempts_are_counted_by_reason_with_the_number_of_addresses(
    attempts: RefusedAttempts,
) -> None:
    for minute, address in enumerate((HOME, WORK, HOME)):
        tries(attempts, address=address, after=timedelta(minutes=minute))
    tries(attempts, reason="slot-taken", after=-timedelta(minutes=1))
    tries(attempts, link_id=CALENDAR)
    assert attempts.counts(LINK) == [
        RefusedAttemptCount("slot-taken", 1, NOW - timedelta(minutes=1), 1),
        RefusedAttemptCount("link-redeemed", 3, NOW + timedelta(minutes=2), 2),
    ]


def test_only_the_newest_attempts_of_each_link_are_stored(
    attempts: RefusedAttempts, conninfo: str
) -> None:
    tries(attempts, link_id=CALENDAR)
    for minute in range(MOST_KEPT + 3):
        tries(attempts, after=timedelta(minutes=minute))
        assert count(conninfo) == min(minute + 1, MOST_KEPT)
    newest = attempts.newest(LINK)
    assert len(newest) == MOST_KEPT
    assert newest[0].at == NOW + timedelta(minutes=MOST_KEPT + 2)
    assert newest[-1].at == NOW + timedelta(minutes=3)
    assert count(conninfo, CALENDAR) == 1


def test_many_attempts_at_once_are_all_stored_and_later_reduced_to_the_newest(
    attempts: RefusedAttempts, conninfo: str
) -> None:
    at_once([partial(tries, attempts)] * 40)
    assert count(conninfo) == 40
    for _ in range(2):
        at_once([partial(tries, attempts)] * 40)
    assert len(attempts.newest(LINK)) == MOST_KEPT
    assert attempts.counts(LINK)[0].times == MOST_KEPT
    tries(attempts)
    assert count(conninfo) == MOST_KEPT


def test_the_address_is_not_stored_and_its_hash_needs_the_key(
    attempts: RefusedAttempts, services: Services, conninfo: str
) -> None:
    tries(attempts, address=WORK)
    tries(RefusedAttempts(services.database, "another key of the same service"), address=WORK)
    stored = rows_of(conninfo, "refused_attempts")
    assert WORK not in stored
    assert WORK.encode().hex() not in stored
    hashes = query(conninfo, "SELECT address_hash FROM refused_attempts ORDER BY id")
    assert [len(found) for (found,) in hashes] == [32, 32]
    assert hashes[0] != hashes[1]


def test_attempts_that_are_too_old_are_deleted(
    attempts: RefusedAttempts, conninfo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_SWEEP", module._SWEEP.replace("5000", "2"))
    for minute in range(7):
        tries(attempts, after=timedelta(minutes=minute))
    assert attempts.sweep(before=NOW + timedelta(minutes=5)) == 5
    assert [attempt.at for attempt in attempts.newest(LINK)] == [
        NOW + timedelta(minutes=6),
        NOW + timedelta(minutes=5),
    ]
    assert attempts.sweep(before=NOW + timedelta(minutes=5)) == 0


def test_attempts_of_a_period_are_counted_by_reason(
    attempts: RefusedAttempts, conninfo: str
) -> None:
    for minute, reason in enumerate(("slot-taken", "link-redeemed", "link-redeemed")):
        tries(attempts, reason=reason, after=timedelta(minutes=minute))
    first, last = NOW + timedelta(minutes=1), NOW + timedelta(minutes=2)
    with psycopg.connect(conninfo, row_factory=dict_row) as conn:
        assert by_reason(conn, since=None, until=None) == {"slot-taken": 1, "link-redeemed": 2}
        assert by_reason(conn, since=first, until=last) == {"link-redeemed": 1}
        assert by_reason(conn, since=None, until=first) == {"slot-taken": 1}


def test_forgetting_an_invitee_deletes_the_attempts_with_their_links(
    desk: Desk, attempts: RefusedAttempts, conninfo: str
) -> None:
    other = desk.new_link()
    replaced = desk.new_link()
    link_id = desk.replace(replaced).value.id
    booking_id = desk.book(link_id)
    for each in (other, replaced, link_id):
        tries(attempts, each)
    desk.forget(booking_id)
    assert [count(conninfo, each) for each in (other, replaced, link_id)] == [1, 0, 0]


@pytest.mark.parametrize(
    "again", [lambda desk, link: desk.forget(Booking.id_for(link)), lambda desk, _: reapply(desk)]
)
def test_attempts_that_came_back_from_a_backup_are_deleted_again(
    desk: Desk, attempts: RefusedAttempts, conninfo: str, again: Callable[[Desk, UUID], None]
) -> None:
    link_id = desk.new_link()
    desk.forget(desk.book(link_id))
    tries(attempts, link_id)
    again(desk, link_id)
    assert count(conninfo, link_id) == 0


def reapply(desk: Desk) -> None:
    """Erase again; no row of personal data has come back."""
    assert desk.services.erasure.reapply() == 0


def test_an_erasure_that_fails_deletes_no_attempts(
    desk: Desk, attempts: RefusedAttempts, conninfo: str
) -> None:
    booking_id = desk.book(link_id := desk.new_link())
    tries(attempts, link_id)
    with psycopg.connect(conninfo) as conn:
        conn.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'no'; END $$"
        )
        conn.execute(
            "CREATE TRIGGER refuse BEFORE INSERT ON stored_events "
            "FOR EACH ROW EXECUTE FUNCTION refuse()"
        )
    try:
        with pytest.raises(psycopg.errors.RaiseException):
            desk.forget(booking_id)
    finally:
        query(conninfo, "DROP FUNCTION refuse CASCADE")
    assert count(conninfo, link_id) == 1


def test_recording_an_attempt_gives_up_quickly_without_a_database(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "RECORD_SECONDS", 0.05)
    database = Database("host=127.0.0.1 port=1 user=nobody dbname=none")
    with pytest.raises(Unavailable):
        tries(RefusedAttempts(database, "the key of a service"))
    database.close()
