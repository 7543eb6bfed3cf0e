"""Checks that replaying the events of an aggregate gives the aggregate in memory."""

from typing import Any

from eventsourcing.application import project_aggregate
from eventsourcing.domain import Aggregate


def collected(aggregate: Aggregate, history: list[Any] | None = None) -> list[Any]:
    """Returns all events of an aggregate, checked to replay to its current state."""
    whole = [*(history or []), *aggregate.collect_events()]
    assert [event.originator_version for event in whole] == list(range(1, len(whole) + 1))
    assert {event.originator_id for event in whole} == {aggregate.id}
    assert project_aggregate(None, whole) == aggregate
    return whole


def copy_of(history: list[Any]) -> Any:
    """Returns the aggregate as another process would load it."""
    return project_aggregate(None, history)
