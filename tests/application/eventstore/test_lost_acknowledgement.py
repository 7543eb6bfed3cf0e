"""When the network loses a request or its reply, nothing is recorded twice or denied."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from itertools import repeat
from time import monotonic

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from application.commands.redemption import RedemptionCommands
from application.eventstore import deadline as deadline_module
from application.eventstore import recorder as recorder_module
from application.eventstore.database import Database
from application.eventstore.deadline import REQUEST_SECONDS, deadline
from application.eventstore.event_sourced_application import EventSourcedApplication
from application.eventstore.recorder import EventRecorder, Forgotten, Unconfirmed, VersionConflict
from application.people.personal_data import commitment, find, without_empty
from domain.booking import Booking
from domain.errors import LinkRedeemed, Unavailable
from interface.bootstrap import Services
from tests.application.eventstore.turns import somebody_elses_turn
from tests.support.database_proxy import Loss, Proxy
from tests.support.desk import Desk
from tests.support.examples import (
    ADA,
    GRACE,
    LINK,
    TOMORROW_AT_NINE,
    TOMORROW_AT_TEN,
)
from tests.support.stored_rows import log, personal_data, stored, typed

TIMES = 100


@pytest.fixture
def recorder(proxy: Proxy) -> Iterator[EventRecorder]:
    """Writes through the proxy."""
    database = Database(proxy.conninfo, max_pool_size=1)
    yield EventRecorder(database)
    database.close()


@pytest.fixture
def rival(conninfo: str) -> Iterator[EventRecorder]:
    """Writes past the proxy."""
    database = Database(conninfo, max_pool_size=2)
    yield EventRecorder(database)
    database.close()


@pytest.fixture
def distant_desk(services: Services, proxy: Proxy) -> Iterator[Desk]:
    """A desk that redeems through the proxy."""
    event_store = EventSourcedApplication(Database(proxy.conninfo, max_pool_size=1))
    yield Desk(replace(services, redemptions=RedemptionCommands(event_store)))
    event_store.close()


def test_an_append_whose_reply_is_lost_returns_its_positions(
    recorder: EventRecorder, proxy: Proxy, conninfo: str
) -> None:
    answered = []
    for _ in range(TIMES):
        events = [stored(), stored()]
        proxy.lose([Loss.REPLY])
        positions = recorder.insert_events(events, personal_data=[typed(events[0])])
        answered += [
            (position, event.originator_id, 1)
            for position, event in zip(positions, events, strict=True)
        ]
    assert log(conninfo) == answered
    assert len(personal_data(conninfo)) == TIMES


@given(losses=st.lists(st.sampled_from([Loss.REQUEST, Loss.REPLY]), min_size=1, max_size=4))
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_an_append_is_recorded_once_whatever_is_lost(
    losses: list[Loss], recorder: EventRecorder, proxy: Proxy, conninfo: str
) -> None:
    before = log(conninfo)
    events = [stored(), stored()]
    proxy.lose(losses)
    positions = recorder.insert_events(events, personal_data=[typed(events[1])])
    assert log(conninfo)[len(before) :] == [
        (positions[0], events[0].originator_id, 1),
        (positions[1], events[1].originator_id, 1),
    ]
    assert (events[1].originator_id, 1) in personal_data(conninfo)


@pytest.mark.parametrize("loss", [Loss.REQUEST, Loss.REPLY])
def test_an_erasure_is_recorded_once_whatever_is_lost(
    loss: Loss, recorder: EventRecorder, proxy: Proxy, conninfo: str
) -> None:
    made, other = stored(LINK), stored()
    recorder.insert_events([made, other], personal_data=[typed(made), typed(other)])
    proxy.lose([loss, loss])
    positions = recorder.insert_events([stored(LINK, 2)], forgotten=[Forgotten(LINK, LINK)])
    assert log(conninfo)[2:] == [(positions[0], LINK, 2)]
    assert personal_data(conninfo) == [(other.originator_id, 1)]


def test_a_rival_append_during_a_lost_request_is_a_conflict(
    recorder: EventRecorder, rival: EventRecorder, proxy: Proxy, conninfo: str
) -> None:
    free, taken = stored(), stored(state='{"by":"us"}')
    theirs = stored(taken.originator_id, state='{"by":"the rival"}')

    def rival_is_first() -> Iterator[Loss]:
        rival.insert_events([theirs])
        yield Loss.REQUEST

    proxy.lose(rival_is_first())
    with pytest.raises(VersionConflict) as conflict:
        recorder.insert_events([free, taken])
    assert conflict.value.originator_id == taken.originator_id
    assert conflict.value.originator_version == 1
    assert [theirs.originator_id] == [row[1] for row in log(conninfo)]


def test_a_later_append_of_a_rival_does_not_hide_that_ours_was_recorded(
    recorder: EventRecorder, rival: EventRecorder, proxy: Proxy
) -> None:
    ours = stored()

    def rival_writes_on() -> Iterator[Loss]:
        yield Loss.REPLY
        rival.insert_events([stored(ours.originator_id, version=2)])
        yield Loss.REQUEST

    proxy.lose(rival_writes_on())
    [position] = recorder.insert_events([ours])
    assert [event.id for event in rival.select_notifications(0, 1)] == [position]


@pytest.fixture
def no_time_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the deadline come while a recorder waits before its second attempt."""
    late: list[float] = []

    def sleep(*_: object) -> bool:
        late.append(REQUEST_SECONDS)
        return len(late) == 1

    monkeypatch.setattr(deadline_module, "monotonic", lambda: monotonic() + sum(late))
    monkeypatch.setattr(recorder_module, "may_try_again", sleep)


@pytest.mark.usefixtures("no_time_is_left")
def test_an_outcome_that_stays_unknown_is_unavailable_and_not_a_refusal(
    recorder: EventRecorder, proxy: Proxy, conninfo: str
) -> None:
    ours = stored()

    def reply_is_lost_and_then_everything() -> Iterator[Loss]:
        proxy.refuse()
        yield Loss.REPLY

    proxy.lose(reply_is_lost_and_then_everything())
    with pytest.raises(Unconfirmed):
        recorder.insert_events([ours])
    assert [row[1] for row in log(conninfo)] == [ours.originator_id]


def test_who_gets_no_turn_after_a_lost_reply_is_told_that_it_may_be_recorded(
    recorder: EventRecorder, proxy: Proxy, conninfo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "PATIENCE", 0.1)  # so that there is time for an answer
    with ExitStack() as stack:

        def reply_is_lost_and_then_the_turn_is_held() -> Iterator[Loss]:
            yield Loss.REPLY
            stack.enter_context(somebody_elses_turn(conninfo))
            yield Loss.NOTHING

        proxy.lose(reply_is_lost_and_then_the_turn_is_held())
        with pytest.raises(Unconfirmed):
            recorder.insert_events([stored()])


def test_requests_that_are_all_lost_are_unavailable_and_leave_nothing(
    recorder: EventRecorder, proxy: Proxy, conninfo: str
) -> None:
    proxy.lose(repeat(Loss.REQUEST))
    with deadline(0.5), pytest.raises(Unavailable):
        recorder.insert_events([stored()])
    assert log(conninfo) == []


def test_a_conflict_is_raised_at_once_and_not_retried(
    recorder: EventRecorder, rival: EventRecorder, proxy: Proxy
) -> None:
    event = stored()
    rival.insert_events([event])
    appends = []

    def counted() -> Iterator[Loss]:
        while True:
            appends.append(1)
            yield Loss.NOTHING

    proxy.lose(counted())
    with pytest.raises(VersionConflict):
        recorder.insert_events([event])
    assert len(appends) == 1


def test_a_client_that_stops_in_the_middle_of_an_append_does_not_block_others(
    recorder: EventRecorder, rival: EventRecorder, proxy: Proxy, conninfo: str
) -> None:
    ours, theirs = stored(), stored()

    def insert_patiently() -> None:
        with deadline(60):
            recorder.insert_events([ours])

    proxy.lose([Loss.REST])
    with ThreadPoolExecutor() as threads:
        stopped = threads.submit(insert_patiently)
        proxy.rest_is_missing.wait()
        rival.insert_events([theirs])
        proxy.cut()
        stopped.result()
    recorded = [theirs.originator_id, ours.originator_id]
    assert [row[1] for row in log(conninfo)] == recorded


def test_a_redemption_whose_reply_is_lost_is_still_acknowledged(
    desk: Desk, distant_desk: Desk, proxy: Proxy, conninfo: str
) -> None:
    for place, link_id in enumerate(desk.new_links(desk.new_calendar(), 40)):
        proxy.lose([Loss.REPLY])
        start = TOMORROW_AT_NINE + timedelta(days=place // 10, minutes=place % 10 * 30)
        booking = distant_desk.redeem(link_id, start).value.booking
        assert booking.id == desk.link(link_id).booking_id
        row = find(desk.services.database, booking.id)
        assert row is not None
        typed = {"name": ADA.name, "email": ADA.email, "time_zone": ADA.time_zone}
        assert commitment(row.salt, without_empty(typed)) == booking.personal_data
    assert desk.topics().count("booking.made") == 40
    assert len(personal_data(conninfo)) == 40


def test_a_link_redeemed_by_a_rival_during_a_lost_request_is_refused(
    desk: Desk, distant_desk: Desk, proxy: Proxy, conninfo: str
) -> None:
    link_id = desk.new_link()

    def grace_is_first() -> Iterator[Loss]:
        desk.redeem(link_id, TOMORROW_AT_TEN, GRACE)
        yield Loss.REQUEST

    proxy.lose(grace_is_first())
    with pytest.raises(LinkRedeemed):
        distant_desk.redeem(link_id)
    booking = desk.booking(Booking.id_for(link_id))
    assert booking.slot.start == TOMORROW_AT_TEN
    assert personal_data(conninfo) == [(booking.id, 1)]


@pytest.mark.usefixtures("no_time_is_left")
def test_a_request_repeated_after_an_unknown_outcome_gets_the_first_answer(
    desk: Desk, distant_desk: Desk, proxy: Proxy, conninfo: str
) -> None:
    link_id = desk.new_link()

    def reply_is_lost_and_then_everything() -> Iterator[Loss]:
        proxy.refuse()
        yield Loss.REPLY

    proxy.lose(reply_is_lost_and_then_everything())
    with pytest.raises(Unconfirmed):
        distant_desk.redeem(link_id, key="k-1")
    proxy.accept()
    booking = distant_desk.redeem(link_id, key="k-1").value.booking
    assert booking == desk.booking(Booking.id_for(link_id))
    assert len(personal_data(conninfo)) == 1
