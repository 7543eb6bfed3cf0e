"""Appends are all or nothing and in order, and every conflict names its row."""

import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from eventsourcing.persistence import IntegrityError

from application.eventstore import advisory_locks, append_statement
from application.eventstore import recorder as recorder_module
from application.eventstore.append_turn import STUCK_SECONDS, TurnHeld
from application.eventstore.database import Database, PatientConnection
from application.eventstore.deadline import deadline
from application.eventstore.event_sourced_application import EventSourcedApplication
from application.eventstore.mapper import UnknownTopic
from application.eventstore.recorder import CHANNEL, EventRecorder, Forgotten, VersionConflict
from domain.errors import Busy
from domain.link import SingleUseLink
from tests.application.eventstore.turns import somebody_elses_turn, waiting_for_a_lock
from tests.support.examples import LINK
from tests.support.stored_rows import log, personal_data, query, stored, typed
from tests.support.waiting import wait_until

WRITERS, APPENDS, EVENTS = 8, 60, 8


@pytest.fixture
def recorder(conninfo: str) -> Iterator[EventRecorder]:
    database = Database(conninfo, max_pool_size=WRITERS + 1)
    yield EventRecorder(database)
    database.close()


def after_all_who_wait(conninfo: str) -> list[tuple[int, UUID, int]]:
    """The log when everybody who is waiting for a turn has had it."""
    with somebody_elses_turn(conninfo):
        return log(conninfo)


def test_events_get_rising_positions_in_the_order_given(
    recorder: EventRecorder, conninfo: str
) -> None:
    events = [stored() for _ in range(500)]
    positions = recorder.insert_events(events)
    assert positions == sorted(positions)
    assert log(conninfo) == [
        (position, event.originator_id, 1)
        for position, event in zip(positions, events, strict=True)
    ]
    assert recorder.max_notification_id() == positions[-1]


def test_appending_no_events_writes_nothing(recorder: EventRecorder) -> None:
    assert recorder.insert_events([]) == []
    assert recorder.max_notification_id() is None


def test_an_aggregates_events_are_read_by_version(recorder: EventRecorder) -> None:
    first = stored()
    events = [first] + [stored(first.originator_id, version) for version in range(2, 6)]
    recorder.insert_events([*events, stored()])

    def read(**kwargs: int | bool) -> list[int]:
        found = recorder.select_events(first.originator_id, **kwargs)  # type: ignore[arg-type]
        return [event.originator_version for event in found]

    assert recorder.select_events(first.originator_id) == events
    assert read(gt=2) == [3, 4, 5]
    assert read(lte=2) == [1, 2]
    assert read(lte=0) == []
    assert read(desc=True, limit=2) == [5, 4]
    assert read(gt=1, lte=4, limit=2) == [2, 3]


def test_the_log_is_read_from_position_to_position(recorder: EventRecorder) -> None:
    events = [stored() for _ in range(4)]
    events.append(stored(topic="test.went_on"))
    p1, p2, p3, p4, p5 = recorder.insert_events(events)

    def read(start: int | None, limit: int = 10, **kwargs: object) -> list[int]:
        found = recorder.select_notifications(start, limit, **kwargs)  # type: ignore[arg-type]
        return [event.id for event in found]

    assert read(None) == [p1, p2, p3, p4, p5]
    assert read(p2) == [p2, p3, p4, p5]
    assert read(p2, inclusive_of_start=False) == [p3, p4, p5]
    assert read(p2, stop=p3) == [p2, p3]
    assert read(None, stop=0) == []
    assert read(None, limit=2) == [p1, p2]
    assert read(None, topics=["test.went_on"]) == [p5]


def test_the_recording_time_is_that_of_the_database(recorder: EventRecorder, conninfo: str) -> None:
    [(before,)] = query(conninfo, "SELECT clock_timestamp()")
    recorder.insert_events([stored(state='{"timestamp":"2001-01-01T00:00:00Z"}')])
    [(recorded_at, after)] = query(
        conninfo, "SELECT recorded_at, clock_timestamp() FROM stored_events"
    )
    assert before <= recorded_at <= after


@pytest.mark.parametrize("size", [3, 500])
def test_a_conflict_names_its_row_and_nothing_is_recorded(
    size: int, recorder: EventRecorder, conninfo: str
) -> None:
    events = [stored() for _ in range(size)]
    taken = events[size // 2]
    recorder.insert_events([taken])
    with pytest.raises(VersionConflict) as conflict:
        recorder.insert_events(events, personal_data=[typed(event) for event in events])
    assert conflict.value.originator_id == taken.originator_id
    assert conflict.value.originator_version == 1
    assert [row[1] for row in log(conninfo)] == [taken.originator_id]
    assert personal_data(conninfo) == []


def test_an_erasure_that_meets_a_conflict_deletes_nothing(
    recorder: EventRecorder, conninfo: str
) -> None:
    made, rivals = stored(LINK), stored(LINK, 2)
    recorder.insert_events([made, rivals], personal_data=[typed(made), typed(rivals)])
    with pytest.raises(VersionConflict):
        recorder.insert_events([stored(LINK, 2)], forgotten=[Forgotten(LINK, LINK)])
    assert len(personal_data(conninfo)) == 2
    recorder.insert_events([stored(LINK, 3)], forgotten=[Forgotten(LINK, LINK)])
    assert personal_data(conninfo) == []


def test_a_duplicate_row_of_personal_data_is_not_a_version_conflict(
    recorder: EventRecorder, conninfo: str
) -> None:
    event = stored()
    query(
        conninfo,
        "INSERT INTO personal_data VALUES (%s, 1, '\\x00', '{}')",
        event.originator_id,
    )
    with pytest.raises(IntegrityError, match="personal_data_pkey") as refusal:
        recorder.insert_events([event], personal_data=[typed(event)])
    assert not isinstance(refusal.value, VersionConflict)
    assert log(conninfo) == []


def test_an_append_that_is_killed_half_way_leaves_nothing_and_is_retried(
    recorder: EventRecorder, conninfo: str
) -> None:
    events = [stored() for _ in range(3)]
    rows = [typed(event) for event in events]

    def insert_patiently() -> Sequence[int]:
        with deadline(60):
            return recorder.insert_events(events, personal_data=rows)

    with ThreadPoolExecutor() as threads, psycopg.connect(conninfo) as rival:
        # The append has inserted its events when it waits for the rival's row.
        rival.execute(
            "INSERT INTO personal_data VALUES (%s, 1, '\\x00', '{}')", (rows[1].originator_id,)
        )
        append = threads.submit(insert_patiently)
        killed: set[int] = set()
        for _ in range(2):
            wait_until(lambda: set(waiting_for_a_lock(conninfo)) - killed)
            [pid] = waiting_for_a_lock(conninfo)
            query(conninfo, "SELECT pg_terminate_backend(%s)", pid)
            killed.add(pid)
        wait_until(lambda: set(waiting_for_a_lock(conninfo)) - killed)
        assert log(conninfo) == []
        assert personal_data(conninfo) == []
        rival.rollback()
        positions = append.result()
    assert [row[0] for row in log(conninfo)] == positions
    assert len(personal_data(conninfo)) == 3


def test_an_append_waits_until_the_one_before_it_is_committed(
    recorder: EventRecorder, conninfo: str
) -> None:
    first, second = stored(), stored()
    with (
        PatientConnection.connect(conninfo, autocommit=True) as ahead,
        ThreadPoolExecutor() as threads,
    ):
        ahead.execute("BEGIN")
        append_statement.append(ahead, [append_statement.rows([first], [], [], {})], 1000)
        append = threads.submit(recorder.insert_events, [second])
        wait_until(lambda: waiting_for_a_lock(conninfo) or append.done())
        assert log(conninfo) == []
        ahead.execute("COMMIT")
        append.result()
    assert [row[1] for row in log(conninfo)] == [first.originator_id, second.originator_id]


def test_an_append_that_finds_its_turn_held_is_told_so_and_leaves_nothing(
    recorder: EventRecorder, conninfo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "PATIENCE", 0.1)
    with somebody_elses_turn(conninfo), pytest.raises(TurnHeld):
        recorder.insert_events([stored()])
    assert after_all_who_wait(conninfo) == []
    assert recorder.insert_events([stored()])


def test_whoever_finds_others_ahead_is_told_to_come_again_and_leaves_nothing(
    recorder: EventRecorder, conninfo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "PATIENCE", 0.1)
    turn = f"SELECT pg_advisory_xact_lock({advisory_locks.APPEND}), pg_sleep({STUCK_SECONDS * 0.6})"
    with ThreadPoolExecutor(10) as threads:
        with somebody_elses_turn(conninfo):
            others = [threads.submit(query, conninfo, turn) for _ in range(10)]
            wait_until(lambda: len(waiting_for_a_lock(conninfo)) == len(others))
        with pytest.raises(Busy):
            recorder.insert_events([stored()])
        for other in others:
            other.result()
    assert log(conninfo) == []


def test_a_reader_who_follows_the_log_while_many_write_misses_nothing(
    recorder: EventRecorder, conninfo: str
) -> None:
    def write() -> None:
        for _ in range(APPENDS):
            recorder.insert_events([stored() for _ in range(EVENTS)])

    def read_on(seen: list[int]) -> bool:
        batch = recorder.select_notifications(
            seen[-1] if seen else 0, 500, inclusive_of_start=False
        )
        seen += [event.id for event in batch]
        return bool(batch)

    seen: list[int] = []
    with ThreadPoolExecutor(WRITERS) as threads:
        writers: list[Future[None]] = [threads.submit(write) for _ in range(WRITERS)]
        while not all(writer.done() for writer in writers):
            read_on(seen)
        for writer in writers:
            writer.result()
    while read_on(seen):
        pass
    assert seen == [row[0] for row in log(conninfo)]
    assert len(seen) == WRITERS * APPENDS * EVENTS


def test_an_append_notifies_listeners(recorder: EventRecorder, conninfo: str) -> None:
    with psycopg.connect(conninfo, autocommit=True) as listener:
        listener.execute(f"LISTEN {CHANNEL}".encode())
        recorder.insert_events([stored(), stored()])
        heard = list(listener.notifies(timeout=60, stop_after=1))
    assert [notify.channel for notify in heard] == [CHANNEL]


def test_an_unknown_topic_is_refused_and_nothing_is_imported(
    recorder: EventRecorder,
    conninfo: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "imported_by_a_row.py").write_text("class Event:\n    pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    recorder.insert_events([stored(LINK, topic="imported_by_a_row:Event")])
    bookings = EventSourcedApplication(Database(conninfo))
    with pytest.raises(UnknownTopic, match="imported_by_a_row"):
        bookings.find(SingleUseLink, LINK)
    bookings.close()
    assert "imported_by_a_row" not in sys.modules


@pytest.mark.parametrize(
    "name", ["POSTGRES_ENABLE_DB_FUNCTIONS", "EVENTSOURCEDAPPLICATION_POSTGRES_ENABLE_DB_FUNCTIONS"]
)
def test_the_librarys_own_insert_function_is_refused_at_the_start(
    name: str, conninfo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "yes")
    with pytest.raises(RuntimeError, match="POSTGRES_ENABLE_DB_FUNCTIONS is set"):
        EventSourcedApplication(Database(conninfo))
    monkeypatch.setenv(name, "no")
    EventSourcedApplication(Database(conninfo)).close()
