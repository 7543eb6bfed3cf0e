"""Random commands, the states that they saved, and the comparison with what replay shows."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from random import Random
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from psycopg import Connection
from psycopg.rows import DictRow

from application.audit.replay import replay_of
from application.eventstore.mapper import JSONMapper
from domain.errors import ChangeRefused, LinkEnded, SlotRefused
from tests.support.desk import Desk
from tests.support.every_event import everything_happens
from tests.support.examples import NOW, TOMORROW_AT_NINE

MAPPER = JSONMapper()


class SavedState(NamedTuple):
    """What an aggregate was in memory when its events were saved up to a position."""

    position: int
    aggregate_id: UUID
    state: dict[str, Any]


def commands_at_random(desk: Desk, *, seed: int, count: int) -> list[SavedState]:
    """Gives every command once, and random ones until `count` states have been saved.

    Returns the states.
    """
    saved: list[SavedState] = []
    store = desk.services.event_store
    record = store.record

    def noting(*aggregates: Any, **more: Any) -> Any:
        changed = [aggregate for aggregate in aggregates if aggregate.pending_events]
        position = record(*aggregates, **more)
        for aggregate in changed:
            public = {k: v for k, v in vars(aggregate).items() if not k.startswith("_")}
            state = msgspec.to_builtins(public, str_keys=True) | {"version": aggregate.version}
            saved.append(SavedState(position, aggregate.id, state))
        return position

    vars(store)["record"] = noting
    try:
        everything_happens(desk)
        _at_random(desk, Random(seed), lambda: len(saved) < count)
    finally:
        del vars(store)["record"]
    return saved


def _at_random(desk: Desk, random: Random, goes_on: Callable[[], bool]) -> None:
    calendar_id = desk.new_calendar()
    links: list[UUID] = []
    bookings: list[UUID] = []
    while goes_on():
        start = TOMORROW_AT_NINE + timedelta(days=random.randrange(20))
        try:
            match random.randrange(7):
                case 0 | 1:
                    links.append(desk.new_link(calendar_id))
                case 2 | 3 if links:
                    bookings.append(desk.redeem(random.choice(links), start).value.booking.id)
                case 4 if links:
                    desk.revoke(random.choice(links))
                case 5 if bookings:
                    desk.cancel(random.choice(bookings))
                case 6 if bookings:
                    desk.forget(random.choice(bookings))
        except (LinkEnded, SlotRefused, ChangeRefused):
            continue


def check_replay(conn: Connection[DictRow], saved: Sequence[SavedState]) -> None:
    """Compares each saved state with the replay up to its position. `status` of links apart."""
    for position, aggregate_id, state in saved:
        replay = replay_of(conn, aggregate_id, MAPPER, now=NOW, as_of=position)
        replay.skip(position)
        (name,) = [name for name in replay.state() if name.endswith(str(aggregate_id))]
        replayed = replay.state()[name]
        if name.startswith("link:"):
            del replayed["status"]
        assert replayed == state, (position, name)
