"""A thousand ways to change the log, and a thousand logs that nobody changed."""

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from random import Random
from time import monotonic
from uuid import UUID

import psycopg

from application.eventstore.mapper import JSONMapper
from domain.errors import LinkEnded, SlotRefused
from projections.rebuild.rebuild import Rebuild
from projections.views.transparency_log import TransparencyLog
from tests.projections.evidence.tampering import CHANGES, SignedLog
from tests.support.desk import Desk
from tests.support.every_event import everything_happens
from tests.support.examples import NOW, TOMORROW_AT_NINE
from tests.support.log_trigger import writable_log
from tests.support.service import running_service
from tests.support.stored_rows import log
from tests.support.waiting import wait_until

CANNOT_BE_HASHED = ("no time of this world", "a topic too long to be one")
COUNT = int(os.environ.get("FAULTS_MUTATIONS", "1000"))


def something_happens(desk: Desk, random: Random, calendar_id: UUID, links: list[UUID]) -> None:
    """Any of what people do, or an append that left a gap."""
    match random.randrange(6):
        case 0 | 1:
            links.append(desk.new_link(calendar_id, recipient="Countess"))
        case 2 | 3 if links:
            start = TOMORROW_AT_NINE + timedelta(days=random.randrange(20))
            try:
                made = desk.redeem(random.choice(links), start)
            except (LinkEnded, SlotRefused):
                return
            if random.random() < 0.3:
                desk.forget(made.value.booking.id)
        case 4:
            with desk.services.database.connection() as conn:
                conn.execute("SELECT nextval('stored_events_notification_id_seq')")
        case 5 if links:
            try:
                desk.revoke(random.choice(links))
            except LinkEnded:
                return


def test_every_one_of_a_thousand_changes_is_found_at_its_position(
    desk: Desk, conninfo: str, tmp_path: Path, catch_up: Callable[[], None]
) -> None:
    everything_happens(desk)
    random = Random(1)
    calendar_id, links = desk.new_calendar(), list[UUID]()
    for _ in range(60):
        something_happens(desk, random, calendar_id, links)
    catch_up()
    signed_log = SignedLog.of(conninfo, tmp_path / "checkpoints")
    names = sorted(CHANGES)
    found = named = 0
    for seed in range(COUNT):
        random = Random(seed)
        name = random.choice(names)
        rewrite_tree = seed % 5 == 0 and name not in CANNOT_BE_HASHED
        place = signed_log.change(CHANGES[name], random, rewrite_tree=rewrite_tree)
        verdict = signed_log.verify()
        found += verdict.fault is not None
        named += verdict.position == place
        signed_log.restore()
    signed_log.close()
    print(f"\n{COUNT} changes: {found} found, {named} named by their position")
    assert (found, named) == (COUNT, COUNT)


def test_no_unchanged_log_of_a_thousand_is_reported(
    desk: Desk, conninfo: str, tmp_path: Path, catch_up: Callable[[], None]
) -> None:
    """Each is the one before and a little more, signed now and then by a clock that jumps."""
    everything_happens(desk)
    random = Random(2)
    calendar_id, links = desk.new_calendar(), list[UUID]()
    signed_log = None
    for number in range(COUNT):
        something_happens(desk, random, calendar_id, links)
        if random.random() < 0.5:
            catch_up()
        if number % 50 == 0:
            catch_up()
            Rebuild(conninfo, [TransparencyLog()], JSONMapper()).run()
        if signed_log is None or random.random() < 0.2:
            catch_up()
            clock = NOW + timedelta(days=random.randrange(-9, 9))
            signed_log = SignedLog.of(conninfo, tmp_path / "checkpoints", now=clock)
        verdict = signed_log.verify()
        assert verdict.fault is None, (number, verdict)
    print(f"\n{COUNT} honest logs: no alarm")


def test_a_running_service_names_a_changed_event_by_itself_within_40_seconds(
    tmp_path: Path, new_database: Callable[[], str]
) -> None:
    conninfo = new_database()
    with running_service(tmp_path, conninfo) as service:
        service.new_booking()
        size = len(log(conninfo))
        signed = f"2*/*0{size}.checkpoint"  # the day and the size
        wait_until(lambda: list((tmp_path / "checkpoints").glob(signed)), seconds=90)
        with psycopg.connect(conninfo, autocommit=True) as superuser, writable_log(superuser):
            place = superuser.execute(
                """UPDATE stored_events
                SET state = convert_to(replace(convert_from(state, 'UTF8'), '0', '1'), 'UTF8')
                WHERE topic = 'link.redeemed' RETURNING notification_id"""
            ).fetchone()
        changed_at = monotonic()
        assert place is not None
        told = f"NOT AS RECORDED (log): position {place[0]}: "
        output = tmp_path / "service.log"
        wait_until(lambda: told in output.read_text())
        seconds = monotonic() - changed_at
        print(f"\nnamed after {seconds:.0f} s")
        assert seconds < 40
        assert 'admitone_evidence_fault{check="log"} 1.0' in service.call("GET", "/metrics").text
        assert service.call("GET", "/readyz").status_code == 200
