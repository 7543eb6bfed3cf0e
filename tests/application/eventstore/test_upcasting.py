"""A worked example: an event whose shape changed twice, and what was written before.

`Room.Booked` of version 1 had the hours as text; version 2 has their beginning and their end;
version 3 says who is expected. What was written stays as it was: old shapes are upcast when
they are read, one step a version.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest
from eventsourcing.domain import Aggregate
from eventsourcing.persistence import StoredEvent

from application.eventstore.mapper import EVENT_CLASSES, JSONMapper
from tests.application.eventstore.golden_events import EVENTS
from tests.support.examples import NOW

GOLDEN = Path(__file__).parent / "golden_example"
ROOM = UUID("40040000-0000-4000-8000-000000000009")


class Room(Aggregate):
    """An aggregate of this example."""

    TOPIC = "room"

    class Created(Aggregate.Created):
        """The library asks for one."""

        TOPIC = "room.created"

    class Booked(Aggregate.Event):
        """The room was booked for a number of guests, at least one."""

        TOPIC = "room.booked"
        class_version = 3
        begins_at: datetime
        ends_at: datetime
        guests: int

        @staticmethod
        def upcast_v1_v2(state: dict[str, Any]) -> None:
            """`hours` were "9-11", UTC, on the day of the event's timestamp."""
            first, _, last = state.pop("hours").partition("-")
            day = state["timestamp"][:10]
            state["begins_at"] = f"{day}T{first:0>2}:00:00Z"
            state["ends_at"] = f"{day}T{last:0>2}:00:00Z"

        @staticmethod
        def upcast_v2_v3(state: dict[str, Any]) -> None:
            """Nobody was asked how many would come."""
            state["guests"] = 1


def booked(guests: int) -> Any:
    kind: Any = Room.Booked
    return kind(
        originator_id=ROOM,
        originator_version=1,
        timestamp=NOW,
        begins_at=NOW + timedelta(hours=1),
        ends_at=NOW + timedelta(hours=3),
        guests=guests,
    )


def row(state: bytes, topic: str = "room.booked") -> StoredEvent:
    return StoredEvent(ROOM, 1, topic, state)


mapper = JSONMapper([Room.Booked])


@pytest.mark.parametrize(("version", "guests"), [(1, 1), (2, 1), (3, 5)])
def test_every_shape_that_was_ever_written_is_read_as_the_newest(version: int, guests: int) -> None:
    state = (GOLDEN / f"room.booked.v{version}.json").read_bytes()
    event: Any = mapper.to_domain_event(row(state))
    assert event == booked(guests)
    assert vars(event) == vars(booked(guests))
    assert event.begins_at.tzinfo is UTC


def test_the_newest_shape_is_written_with_its_version() -> None:
    written = mapper.to_stored_event(booked(5))
    assert written.state + b"\n" == (GOLDEN / "room.booked.v3.json").read_bytes()


@pytest.mark.parametrize("version", [0, 4, -1])
def test_a_version_that_is_not_known_is_refused(version: int) -> None:
    state = (GOLDEN / "room.booked.v3.json").read_bytes()
    with pytest.raises(msgspec.ValidationError, match=f"room.booked has no version {version}"):
        mapper.to_domain_event(row(state.replace(b"3,", f"{version},".encode(), 1)))


def test_an_old_shape_that_comes_out_wrong_is_refused() -> None:
    state = (GOLDEN / "room.booked.v1.json").read_bytes()
    with pytest.raises(msgspec.ValidationError):
        mapper.to_domain_event(row(state.replace(b"9-11", b"noon")))


def test_a_class_that_lacks_a_step_is_refused_before_anything_is_read() -> None:
    class Unfinished(Aggregate.Event):
        TOPIC = "room.unfinished"
        class_version = 2

    with pytest.raises(AttributeError, match="upcast_v1_v2"):
        JSONMapper([Unfinished])


@pytest.mark.parametrize("kind", EVENT_CLASSES, ids=lambda kind: kind.TOPIC)
def test_an_event_of_a_later_class_version_is_refused(kind: type[Any]) -> None:
    ours = JSONMapper()
    written = ours.to_stored_event(EVENTS[kind.TOPIC])
    later = getattr(kind, "class_version", 1) + 1
    state = msgspec.json.encode(msgspec.json.decode(written.state) | {"class_version": later})
    with pytest.raises(msgspec.ValidationError):
        ours.event(ROOM, 1, kind.TOPIC, state)
