"""Events are stored as plain JSON, and every form ever written can be read."""

import json
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import psycopg
import pytest
from eventsourcing.domain import Aggregate, CanMutateAggregate
from eventsourcing.persistence import StoredEvent
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg.rows import dict_row

from application.eventstore.mapper import EVENT_CLASSES, JSONMapper, UnknownTopic
from domain.agenda import AgendaDay
from domain.booking import Booking
from domain.calendar import Calendar
from domain.link import SingleUseLink
from domain.offer import Offer
from domain.schedule import Schedule
from interface.bootstrap import Services
from tests.application.eventstore.golden_events import COMMITMENT, EVENTS, event_of
from tests.support.examples import ACTOR, CALENDAR, IN_90_DAYS, LINK, NOW, OWNER, TERMS

GOLDEN = Path(__file__).parent / "golden"
AGGREGATES: tuple[type[Any], ...] = (Calendar, Schedule, SingleUseLink, AgendaDay, Booking)
# Asked for by the library because the first event of the class has another name.
NEVER_TRIGGERED = {"link.created", "agenda.created", "booking.created"}

mapper = JSONMapper()


def golden_files() -> list[Path]:
    return sorted(GOLDEN.iterdir())


def topic_of(file: Path) -> str:
    topic, found = re.subn(r"\.v\d+\.json$", "", file.name)
    assert found, f"{file.name} is not named <topic>.v<number>.json"
    return topic


def version_of(file: Path) -> int:
    return int(file.name.split(".")[-2].removeprefix("v"))


def stored(topic: str, state: bytes) -> StoredEvent:
    """The row of the example event of that topic, with another state."""
    example = EVENTS[topic]
    return StoredEvent(
        originator_id=example.originator_id,
        originator_version=example.originator_version,
        topic=topic,
        state=state,
    )


def events_of(aggregate: type[Any]) -> Iterator[type[Any]]:
    """Event classes that an aggregate declares itself; the library adds a base named Event."""
    for name, inner in vars(aggregate).items():
        if isinstance(inner, type) and issubclass(inner, CanMutateAggregate) and name != "Event":
            yield inner


@pytest.mark.parametrize("file", golden_files(), ids=lambda file: file.name)
def test_every_golden_file_loads(file: Path) -> None:
    topic = topic_of(file)
    assert mapper.to_domain_event(stored(topic, file.read_bytes())) == event_of(file.name)


@pytest.mark.parametrize("topic", EVENTS)
def test_each_event_is_written_byte_for_byte_as_its_newest_golden_file(topic: str) -> None:
    versions = [file for file in golden_files() if topic_of(file) == topic]
    newest = max(versions, key=version_of)
    row = mapper.to_stored_event(EVENTS[topic])
    assert (row.topic, row.state + b"\n") == (topic, newest.read_bytes())
    assert row.originator_id == EVENTS[topic].originator_id
    assert row.originator_version == EVENTS[topic].originator_version


def test_every_event_that_can_be_written_has_a_golden_file() -> None:
    assert {topic_of(file) for file in golden_files()} == {kind.TOPIC for kind in EVENT_CLASSES}
    assert set(EVENTS) == {kind.TOPIC for kind in EVENT_CLASSES}


def test_every_event_of_every_aggregate_has_a_topic_of_its_own_and_can_be_written() -> None:
    kinds = [kind for aggregate in AGGREGATES for kind in events_of(aggregate)]
    topics = [kind.TOPIC for kind in kinds] + [kind.TOPIC for kind in AGGREGATES]
    assert len(set(topics)) == len(topics)
    written = {kind for kind in kinds if kind.TOPIC not in NEVER_TRIGGERED}
    assert written == set(EVENT_CLASSES)
    for aggregate in AGGREGATES:
        for kind in events_of(aggregate):
            assert kind.TOPIC.startswith(f"{aggregate.TOPIC}.")


@pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)
def test_every_event_says_who_caused_it(event: Any) -> None:
    assert event.actor in (ACTOR, "invitee")


@pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)
def test_a_stored_event_is_plain_json_without_what_the_row_says_already(event: Any) -> None:
    state = mapper.to_stored_event(event).state
    fields = json.loads(state)
    assert not fields.keys() & {"originator_id", "originator_version", "originator_topic"}
    assert fields["timestamp"] == "2026-11-23T08:00:00.012345Z"
    for name, value in fields.items():
        if isinstance(was := getattr(event, name), UUID):
            assert value == str(was)
        if isinstance(was, datetime):
            assert value == was.isoformat().replace("+00:00", "Z")
    for name in ("__", "_type_", "datetime", "UUID", type(event).__name__, "domain."):
        assert name.encode() not in state


@pytest.mark.parametrize("file", golden_files(), ids=lambda file: file.name)
def test_times_are_read_with_the_utc_object_that_slots_require(file: Path) -> None:
    event: Any = mapper.to_domain_event(stored(topic_of(file), file.read_bytes()))
    times = [value for value in vars(event).values() if isinstance(value, datetime)]
    assert times
    assert all(time.tzinfo is UTC for time in times)


@pytest.mark.parametrize("topic", ["link.created", "xml.dom.minidom:Document", "", "link.Issued"])
def test_an_unknown_topic_is_refused_and_never_causes_an_import(
    topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "xml.dom.minidom", raising=False)
    row = StoredEvent(originator_id=LINK, originator_version=1, topic=topic, state=b"{}")
    with pytest.raises(UnknownTopic):
        mapper.to_domain_event(row)
    assert "xml.dom.minidom" not in sys.modules


def test_an_event_without_a_registered_topic_is_not_written() -> None:
    foreign = Aggregate.Event(originator_id=LINK, originator_version=2, timestamp=NOW)
    with pytest.raises(UnknownTopic):
        mapper.to_stored_event(foreign)
    nameless = SingleUseLink.Created(
        originator_topic="link", originator_id=LINK, originator_version=1, timestamp=NOW
    )
    with pytest.raises(UnknownTopic):
        mapper.to_stored_event(nameless)


@pytest.mark.parametrize(
    "state",
    [
        b"",
        b"[]",
        b"{}",
        b'{"actor":"invitee","timestamp":"2026-11-23T08:00:00Z"}',
        b'{"actor":"invitee","booking_id":"1","timestamp":"2026-11-23T08:00:00Z"}',
    ],
)
def test_a_row_whose_state_has_the_wrong_form_is_refused(state: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        mapper.to_domain_event(stored("agenda.slot_released", state))


TIMES = st.datetimes(timezones=st.just(UTC))
TEXTS = st.text(st.characters(codec="utf-8"), max_size=50)


ANY_EVENT = {"originator_id": st.uuids(), "timestamp": TIMES, "actor": TEXTS}
OFFERS = st.builds(
    Offer,
    first_day=st.none() | st.dates(),
    last_day=st.none() | st.dates(),
    slots=st.none() | st.lists(TIMES).map(tuple),
    duration_minutes=st.none() | st.integers(1, 1440),
)
FIRST = {"originator_version": st.just(1), **ANY_EVENT}


@settings(deadline=None, max_examples=100)
@given(
    st.builds(
        SingleUseLink.Redeemed,
        originator_version=st.integers(1, 2**63 - 1),
        booking_id=st.uuids(),
        slot_start=TIMES,
        slot_end=TIMES,
        idempotency_key=st.none() | TEXTS,
        **ANY_EVENT,
    )
    | st.builds(
        SingleUseLink.Issued,
        originator_topic=st.just("link"),
        owner_id=st.uuids(),
        calendar_id=st.uuids(),
        expires_at=TIMES,
        offer=st.none() | OFFERS,
        personal_data=st.none() | TEXTS,
        idempotency_key=st.none() | TEXTS,
        **FIRST,
    )
    | st.builds(
        Calendar.Created,
        originator_topic=st.just("calendar"),
        owner_id=st.uuids(),
        terms=st.builds(type(TERMS), name=TEXTS, rules=st.just(TERMS.rules), location=TEXTS),
        **FIRST,
    )
    | st.builds(
        AgendaDay.Opened,
        originator_topic=st.just("agenda"),
        owner_id=st.uuids(),
        day=st.dates(),
        **FIRST,
    )
)
def test_any_event_is_read_as_it_was_written(event: Any) -> None:
    row = mapper.to_stored_event(event)
    assert mapper.to_domain_event(row) == event
    assert mapper.to_stored_event(mapper.to_domain_event(row)) == row


def test_an_auditor_reads_the_log_with_psql(services: Services, conninfo: str) -> None:
    link = SingleUseLink.issue(
        link_id=LINK,
        owner_id=OWNER,
        calendar_id=CALENDAR,
        expires_at=IN_90_DAYS,
        personal_data=COMMITMENT,
        actor=ACTOR,
        now=NOW,
    )
    with psycopg.connect(conninfo, row_factory=dict_row, autocommit=True) as conn:
        (before,) = conn.execute("SELECT clock_timestamp() AS now").fetchall()
        services.event_store.record(link)
        (line,) = conn.execute("SELECT *, clock_timestamp() AS now FROM log").fetchall()
    assert (line["topic"], line["id"], line["version"]) == ("link.issued", LINK, 1)
    assert line["data"] == {
        "actor": ACTOR,
        "calendar_id": str(CALENDAR),
        "class_version": 3,
        "expires_at": "2027-02-21T08:00:00Z",
        "idempotency_key": None,
        "offer": None,
        "owner_id": str(OWNER),
        "personal_data": COMMITMENT,
        "timestamp": "2026-11-23T08:00:00Z",
    }
    assert line["position"] == services.event_store.head()
    assert before["now"] <= line["recorded_at"] <= line["now"]  # the database's clock, not ours
