"""Callers who share a transaction: whatever happens to it, each is told its own truth."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from uuid import UUID, uuid4

import psycopg
import pytest
from eventsourcing.persistence import StoredEvent
from psycopg.conninfo import conninfo_to_dict

from application.eventstore import append_statement, group_commit
from application.eventstore.database import Database, PatientConnection
from application.eventstore.deadline import deadline
from application.eventstore.group_commit import Append, NoTurn
from application.eventstore.recorder import (
    CHANNEL,
    EventRecorder,
    Forgotten,
    PersonalDataRow,
    StaleRead,
    VersionConflict,
)
from domain.errors import Unavailable
from tests.application.eventstore.turns import (
    Answer,
    answer,
    sharing_a_transaction,
    somebody_elses_turn,
    waiting_for_a_lock,
)
from tests.support.database_proxy import Loss, Proxy
from tests.support.stored_rows import SALT, log, personal_data, query, stored, typed
from tests.support.waiting import wait_until

CALLERS = 6


def id_of(event: StoredEvent) -> UUID:
    assert isinstance(event.originator_id, UUID)
    return event.originator_id


@pytest.fixture
def recorder(database: Database) -> EventRecorder:
    return EventRecorder(database)


@pytest.fixture
def distant(proxy: Proxy) -> Iterator[EventRecorder]:
    """Writes through the proxy."""
    database = Database(proxy.conninfo, max_pool_size=2)
    yield EventRecorder(database)
    database.close()


def an_append(
    event: StoredEvent, *, read: Mapping[UUID, int] | None = None, patience: float = 60.0
) -> Append:
    read = read or {}
    return Append(append_statement.rows([event], (), (), read), read, patience=patience)


def append(recorder: EventRecorder, events: Sequence[StoredEvent]) -> Callable[[], Sequence[int]]:
    return partial(recorder.insert_events, events, personal_data=[typed(events[0])])


def appends(
    recorder: EventRecorder,
) -> tuple[list[list[StoredEvent]], list[Callable[[], Sequence[int]]]]:
    """Two new events for each caller, and the calls that append them."""
    events = [[stored(), stored()] for _ in range(CALLERS)]
    return events, [append(recorder, each) for each in events]


def must_be_recorded_once(
    conninfo: str, events: list[list[StoredEvent]], answers: list[Answer]
) -> None:
    """Each caller's events are in the log once, at the positions that it was told."""
    at: dict[tuple[object, int], int] = {(row[1], row[2]): row[0] for row in log(conninfo)}
    assert len(at) == 1 + 2 * len(events)  # and that of the append ahead of them
    assert answers == [
        [at[event.originator_id, event.originator_version] for event in each] for each in events
    ]
    assert set(personal_data(conninfo)) == {(each[0].originator_id, 1) for each in events}


def test_callers_who_wait_share_a_transaction_and_a_notification(
    recorder: EventRecorder, conninfo: str
) -> None:
    events, calls = appends(recorder)
    with psycopg.connect(conninfo, autocommit=True) as listener:
        listener.execute(f"LISTEN {CHANNEL}".encode())
        answers = sharing_a_transaction(recorder, conninfo, calls)
        assert len(list(listener.notifies(timeout=60, stop_after=2))) == 2
    must_be_recorded_once(conninfo, events, answers)
    transactions = query(conninfo, "SELECT xmin::text, count(*) FROM stored_events GROUP BY 1")
    assert sorted(count for _, count in transactions) == [1, 2 * CALLERS]


def test_whoever_joins_while_the_leader_yields_shares_its_transaction(
    recorder: EventRecorder, conninfo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = stored(), stored()
    with ThreadPoolExecutor() as threads:
        late = []

        def another_joins() -> None:
            late.append(threads.submit(recorder.insert_events, [second]))
            wait_until(lambda: len(recorder.queue) == 2)

        monkeypatch.setattr("application.eventstore.recorder.sched_yield", another_joins)
        positions = [*recorder.insert_events([first]), *late[0].result()]
    assert [(row[0], row[1]) for row in log(conninfo)] == [
        (positions[0], first.originator_id),
        (positions[1], second.originator_id),
    ]
    [(transactions,)] = query(conninfo, "SELECT count(DISTINCT xmin::text) FROM stored_events")
    assert transactions == 1


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_a_read_is_compared_with_the_newest_events_whatever_isolation_the_database_prefers(
    new_database: Callable[[], str], level: str
) -> None:
    conninfo = new_database()
    name = conninfo_to_dict(conninfo)["dbname"]
    query(conninfo, f"ALTER DATABASE {name} SET default_transaction_isolation = '{level}'")
    database = Database(conninfo)
    recorder = EventRecorder(database)
    read = stored()
    recorder.insert_events([read])
    with (
        PatientConnection.connect(conninfo, autocommit=True) as ahead,
        ThreadPoolExecutor() as threads,
    ):
        ahead.execute("BEGIN")
        change = append_statement.rows([stored(read.originator_id, 2)], [], [], {})
        append_statement.append(ahead, [change], 1000)
        late = threads.submit(recorder.insert_events, [stored()], unchanged={id_of(read): 1})
        wait_until(lambda: waiting_for_a_lock(conninfo) or late.done())
        ahead.execute("COMMIT")
        with pytest.raises(StaleRead):
            late.result()
    database.close()
    assert len(log(conninfo)) == 2


def test_each_caller_hears_of_its_own_conflict_and_the_others_are_recorded(
    recorder: EventRecorder, conninfo: str
) -> None:
    read, taken, changed = stored(), stored(), stored()
    recorder.insert_events(
        [read, taken, changed, stored(changed.originator_id, 2)], personal_data=[typed(taken)]
    )
    before = len(log(conninfo))
    bad = PersonalDataRow(uuid4(), 1, SALT, {"name": "\0"})
    fine, also_fine, clean = stored(), stored(), stored()
    answers = sharing_a_transaction(
        recorder,
        conninfo,
        [
            partial(recorder.insert_events, [fine], unchanged={id_of(read): 1}),
            partial(recorder.insert_events, [stored(), taken]),
            partial(recorder.insert_events, [stored()], unchanged={id_of(changed): 1}),
            partial(recorder.insert_events, [stored()], personal_data=[bad]),
            partial(
                recorder.insert_events,
                [stored()],
                forgotten=[Forgotten(id_of(taken), id_of(taken))],
                unchanged={uuid4(): 1},
            ),
            append(recorder, [also_fine, clean]),
        ],
    )
    conflict, stale, refused, ahead = answers[1:5]
    assert type(conflict) is VersionConflict
    assert (conflict.originator_id, conflict.originator_version) == (taken.originator_id, 1)
    assert type(stale) is StaleRead
    assert (stale.originator_id, stale.originator_version) == (changed.originator_id, 1)
    assert isinstance(refused, psycopg.errors.UntranslatableCharacter)
    assert type(ahead) is StaleRead
    found: dict[object, int] = {row[1]: row[0] for row in log(conninfo)[before + 1 :]}
    assert found.keys() == {fine.originator_id, also_fine.originator_id, clean.originator_id}
    assert answers[0] == [found[fine.originator_id]]
    assert answers[5] == [found[also_fine.originator_id], found[clean.originator_id]]
    assert personal_data(conninfo) == [(id_of(taken), 1), (id_of(also_fine), 1)]


def test_whoever_shares_a_transaction_with_a_conflict_is_recorded_in_the_next_one(
    recorder: EventRecorder, conninfo: str
) -> None:
    taken = stored()
    recorder.insert_events([taken])
    conflicting, fine = an_append(stored(taken.originator_id)), an_append(stored())
    recorder.queue.join(conflicting)
    recorder.queue.join(fine)
    recorder.lead(conflicting)
    assert isinstance(conflicting.outcome, VersionConflict)
    assert fine.outcome is None
    recorder.lead(fine)
    assert fine.outcome == [log(conninfo)[-1][0]]


def test_whoever_shares_a_transaction_with_a_stale_read_is_recorded_in_the_next_one(
    recorder: EventRecorder, conninfo: str
) -> None:
    changed = stored()
    recorder.insert_events([changed, stored(changed.originator_id, 2)])
    stale, fine = an_append(stored(), read={id_of(changed): 1}), an_append(stored())
    recorder.queue.join(stale)
    recorder.queue.join(fine)
    recorder.lead(stale)
    assert isinstance(stale.outcome, StaleRead)
    assert fine.outcome is None
    assert len(log(conninfo)) == 2
    recorder.lead(fine)
    assert fine.outcome == [log(conninfo)[-1][0]]


def test_of_callers_with_the_same_version_the_first_wins(
    recorder: EventRecorder, conninfo: str
) -> None:
    event = stored()
    rivals = [stored(event.originator_id, state=f'{{"by":{number}}}') for number in range(CALLERS)]
    calls = [partial(recorder.insert_events, [rival]) for rival in rivals]
    winner, *losers = sharing_a_transaction(recorder, conninfo, calls)
    assert winner == [log(conninfo)[-1][0]]
    assert {type(loser) for loser in losers} == {VersionConflict}
    assert len(log(conninfo)) == 2


def test_a_caller_behind_a_rival_who_fails_is_recorded(
    recorder: EventRecorder, conninfo: str
) -> None:
    taken, wanted = stored(), stored()
    recorder.insert_events([taken])
    calls = [
        partial(recorder.insert_events, [stored(wanted.originator_id), taken]),
        partial(recorder.insert_events, [wanted]),
    ]
    rival, ours = sharing_a_transaction(recorder, conninfo, calls)
    assert isinstance(rival, VersionConflict)
    assert ours == [log(conninfo)[-1][0]]


def test_a_caller_who_read_what_another_one_changes_before_it_has_a_stale_read(
    recorder: EventRecorder, conninfo: str
) -> None:
    calendar = stored()
    recorder.insert_events([calendar])
    reads = {id_of(calendar): 1}
    calls = [
        partial(recorder.insert_events, [stored()], unchanged=reads),
        partial(recorder.insert_events, [stored(calendar.originator_id, 2)]),
        partial(recorder.insert_events, [stored()], unchanged=reads),
    ]
    before, change, after = sharing_a_transaction(recorder, conninfo, calls)
    assert [before, change] == [[position] for position, _, _ in log(conninfo)[-2:]]
    assert isinstance(after, StaleRead)


def test_a_change_that_is_committed_while_the_append_waits_for_its_turn_is_a_stale_read(
    recorder: EventRecorder, conninfo: str
) -> None:
    calendar = stored()
    recorder.insert_events([calendar])
    append = partial(
        recorder.insert_events,
        [stored()],
        unchanged={id_of(calendar): 1},
    )
    with ThreadPoolExecutor() as threads:
        with somebody_elses_turn(conninfo) as rival:
            ours = threads.submit(answer, append)
            wait_until(lambda: waiting_for_a_lock(conninfo))
            rival.execute(
                "INSERT INTO stored_events (originator_id, originator_version, topic, state)"
                " VALUES (%s, 2, 'test.happened', '{}')",
                (calendar.originator_id,),
            )
            rival.commit()
        assert isinstance(ours.result(), StaleRead)
    assert len(log(conninfo)) == 2


@pytest.mark.parametrize(
    "losses", [[Loss.REPLY], [Loss.REQUEST], [Loss.REPLY, Loss.REQUEST], [Loss.REQUEST, Loss.REPLY]]
)
def test_callers_whose_transaction_is_lost_are_all_recorded_once(
    losses: list[Loss], distant: EventRecorder, proxy: Proxy, conninfo: str
) -> None:
    events, calls = appends(distant)
    proxy.lose([Loss.NOTHING, *losses])
    answers = sharing_a_transaction(distant, conninfo, calls)
    must_be_recorded_once(conninfo, events, answers)


def test_a_rival_during_a_lost_request_is_a_conflict_for_one_caller_only(
    distant: EventRecorder, recorder: EventRecorder, proxy: Proxy, conninfo: str
) -> None:
    events, calls = appends(distant)
    theirs = stored(events[0][1].originator_id, state='{"by":"the rival"}')

    def rival_is_first() -> Iterator[Loss]:
        yield Loss.NOTHING
        recorder.insert_events([theirs])
        yield Loss.REQUEST

    proxy.lose(rival_is_first())
    conflict, *answers = sharing_a_transaction(distant, conninfo, calls)
    assert isinstance(conflict, VersionConflict)
    assert conflict.originator_id == theirs.originator_id
    assert set(personal_data(conninfo)) == {(each[0].originator_id, 1) for each in events[1:]}
    assert all(isinstance(positions, list) for positions in answers)


def test_a_caller_without_patience_is_told_and_the_others_are_recorded(
    recorder: EventRecorder, conninfo: str
) -> None:
    patient, impatient = stored(), stored()

    def insert_impatiently() -> Sequence[int]:
        with deadline(0.8):
            return recorder.insert_events([impatient])

    with ThreadPoolExecutor() as threads:
        with somebody_elses_turn(conninfo):
            first = threads.submit(answer, partial(recorder.insert_events, [stored()]))
            wait_until(lambda: waiting_for_a_lock(conninfo))
            queued = threads.submit(answer, insert_impatiently)
            behind = threads.submit(answer, partial(recorder.insert_events, [patient]))
            assert isinstance(queued.result(), Unavailable)
            assert not first.done()
        assert [first.result(), behind.result()] == [[row[0]] for row in log(conninfo)]
    assert impatient.originator_id not in {row[1] for row in log(conninfo)}


def test_a_turn_that_does_not_come_is_told_to_the_least_patient_and_the_others_go_again(
    recorder: EventRecorder, conninfo: str
) -> None:
    impatient, patient = an_append(stored(), patience=0.1), an_append(stored())
    recorder.queue.join(impatient)
    recorder.queue.join(patient)
    with somebody_elses_turn(conninfo):
        recorder.lead(impatient)
    assert isinstance(impatient.outcome, NoTurn)
    assert patient.outcome is None
    recorder.lead(patient)
    assert patient.outcome == [row[0] for row in log(conninfo)]


def test_a_connection_that_is_stuck_holds_up_nobody_else(
    distant: EventRecorder,
    proxy: Proxy,
    conninfo: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(group_commit, "STUCK_SECONDS", 0.1)
    ours, theirs = stored(), stored()
    proxy.lose([Loss.REST])
    with ThreadPoolExecutor() as threads:
        stopped = threads.submit(answer, partial(distant.insert_events, [ours]))
        proxy.rest_is_missing.wait()
        assert distant.insert_events([theirs])
        assert not stopped.done()
        proxy.cut()
        assert isinstance(stopped.result(), list)
    assert [row[1] for row in log(conninfo)] == [theirs.originator_id, ours.originator_id]
