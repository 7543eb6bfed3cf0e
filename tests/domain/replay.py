"""Replay equals memory: what the events say is what the aggregate became."""

from typing import Any

from eventsourcing.application import project_aggregate
from eventsourcing.domain import Aggregate


def collected(aggregate: Aggregate, history: list[Any] | None = None) -> list[Any]:
    """The whole history of the aggregate, checked to lead to where it stands."""
    whole = [*(history or []), *aggregate.collect_events()]
    assert [event.originator_version for event in whole] == list(range(1, len(whole) + 1))
    assert {event.originator_id for event in whole} == {aggregate.id}
    assert project_aggregate(None, whole) == aggregate
    return whole


def copy_of(history: list[Any]) -> Any:
    """The aggregate as another process has it that read the same log."""
    return project_aggregate(None, history)
