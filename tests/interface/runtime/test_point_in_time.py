"""A drill: the database is brought back to a moment, from a copy and the archived write-ahead log.

What was booked by that moment is there, the service works on, and nobody who was forgotten later
comes back with it.
"""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

import psycopg
import pytest
from psycopg import Connection
from psycopg.rows import DictRow, dict_row

from application.people import personal_data
from domain.booking import Booking
from interface.bootstrap import apply_schema, build
from interface.reapplied_erasures import count_come_back
from interface.settings import Settings
from projections.evidence.checkpoint_signing import HistoryChanged
from projections.evidence.erasure_list import ErasureList
from projections.views import booking_calendar
from tests.support.command_line import Command
from tests.support.desk import Desk
from tests.support.examples import GRACE, NOW, OWNER, SECRET, TOMORROW_AT_NINE
from tests.support.postgres_server import PostgresServer, archive_all, wait_until_promoted
from tests.support.projector import apply_log, sign

BACK_TO = "before the mistake"


class Recovered(NamedTuple):
    """The database after its return, and what the log had at the moment and later."""

    conninfo: str
    settings: Settings
    kept: list[UUID]
    forgotten_later: UUID
    booked_later: UUID
    link_used_later: UUID


def connected(conninfo: str) -> Connection[DictRow]:
    return psycopg.connect(conninfo, autocommit=True, row_factory=dict_row)


@pytest.fixture(scope="module")
def recovered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recovered]:
    """A copy, bookings, a moment, more bookings and an erasure, and the return to the moment."""
    folder = tmp_path_factory.mktemp("recovery")
    archive = folder / "archive"
    archive.mkdir()
    settings = Settings(data=folder / "data", secret_keys=(SECRET,))
    with ExitStack() as stack:
        original = PostgresServer(folder / "original")
        original.create()
        original.start(archive_mode="on", archive_command=f"cp %p {archive}/%f")
        stack.callback(original.stop)
        apply_schema(original.conninfo)
        services = build(settings, original.conninfo, now=lambda: NOW)
        stack.callback(services.close)
        services.accounts.create(email="ada@example.org", name="Ada", roles=("owner",))
        desk = Desk(services)
        calendar_id = desk.new_calendar()

        def book(day: int) -> UUID:
            start = TOMORROW_AT_NINE + timedelta(days=day)
            link_id = desk.new_link(calendar_id, recipient="Somebody")
            return desk.redeem(link_id, start).value.booking.id

        kept = [book(0)]
        copy = original.copy_to(folder / "copy")
        kept.append(book(1))
        unused = desk.new_link(calendar_id, recipient="Somebody")
        apply_log(original.conninfo)
        sign(services, original.conninfo)
        with closing(connected(original.conninfo)) as conn:
            conn.execute("SELECT pg_create_restore_point(%s)", (BACK_TO,))
        desk.forget(kept[0])
        later = book(2)
        desk.forget(desk.book(unused, TOMORROW_AT_NINE + timedelta(days=4)))
        apply_log(original.conninfo)
        sign(services, original.conninfo)
        archive_all(original.conninfo)
        original.stop()

        (copy.folder / "recovery.signal").touch()
        copy.start(
            restore_command=f"cp {archive}/%f %p",
            recovery_target_name=BACK_TO,
            recovery_target_action="promote",
        )
        stack.callback(copy.stop)
        wait_until_promoted(copy.conninfo)
        yield Recovered(copy.conninfo, settings, kept, kept[0], later, unused)


def test_a_return_to_a_moment_keeps_bookings_and_erasures(
    recovered: Recovered, run: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADMITONE_DATABASE_URL", recovered.conninfo)
    monkeypatch.setenv("ADMITONE_SECRET_KEYS", SECRET)
    monkeypatch.setenv("ADMITONE_DATA", str(recovered.settings.data))
    services = build(recovered.settings, recovered.conninfo, now=lambda: NOW)
    with closing(services):
        store = services.event_store
        assert all(store.find(Booking, booking_id) for booking_id in recovered.kept)
        assert store.find(Booking, recovered.booked_later) is None

        # Nothing is signed for a log that has lost what was signed, until somebody says so.
        apply_log(recovered.conninfo)
        with pytest.raises(HistoryChanged):
            sign(services, recovered.conninfo)
        assert run("audit", "verify").status == 1
        done = run("audit", "checkpoints", "set-aside")
        assert done.status == 0, done
        assert run("audit", "verify").status == 0
        assert "nothing is set aside" in run("audit", "checkpoints", "set-aside").out

        # People who were forgotten after that moment are forgotten again. Somebody else who has
        # booked since, with a link that one of them had used, is not.
        assert count_come_back(services) == 3  # the booking, its link, and the other link
        desk = Desk(services)
        start = TOMORROW_AT_NINE + timedelta(days=4)
        anew = desk.book(recovered.link_used_later, start, invitee=GRACE)
        assert count_come_back(services) == 2
        assert "have personal data again" in run("doctor").out
        done = run("privacy", "reapply")
        assert done.out.splitlines() == [
            "Erased 2 rows that had come back.",
            "Recorded 1 erasure that the log had lost.",
            f"Left booking {anew} as it is: it was made after the return to an earlier moment,"
            " with a link that somebody who was forgotten had used. The link may still say who"
            " that was.",
        ]
        assert count_come_back(services) == 0
        assert not store.get(Booking, anew).is_invitee_forgotten
        assert len(personal_data.rows_of(services.database, anew)) == 1
        desk.forget(anew)
        assert store.get(Booking, recovered.forgotten_later).is_invitee_forgotten
        assert personal_data.find(services.database, recovered.kept[1], 1) is not None
        assert run("privacy", "reapply").out == "Erased 0 rows that had come back.\n"

        # The service goes on: it books, signs, and lists new erasures.
        calendar_id = store.get(Booking, recovered.kept[1]).calendar_id
        start = TOMORROW_AT_NINE + timedelta(days=3)
        booked = desk.redeem(desk.new_link(calendar_id), start).value.booking.id
        desk.forget(booked)
        apply_log(recovered.conninfo)
        sign(services, recovered.conninfo)
        assert run("audit", "verify").status == 0
        bookings = booking_calendar.bookings_of(services.database, OWNER, limit=9)
        assert {row.id for row in bookings} == {*recovered.kept, anew, booked}
        listed = ErasureList(recovered.settings.checkpoints_folder).all()
        assert [erasure.booking_id for erasure in listed] == [
            recovered.forgotten_later,
            anew,
            recovered.forgotten_later,
            anew,
            booked,
        ]
