"""What a batch of events means for the rows of several views."""

from collections.abc import Iterable, Sequence

from application.eventstore.event_log import RecordedEvent
from application.eventstore.mapper import JSONMapper
from projections.engine.projection import Handler, Projection
from projections.engine.tables import Rows


def fold(
    projections: Sequence[Projection], batch: Iterable[RecordedEvent], mapper: JSONMapper
) -> list[Rows]:
    """What the batch does to the rows of each projection. Each event is decoded once, if at all."""
    folded = [Rows() for _ in projections]
    routes: dict[str, list[tuple[Handler, Projection, Rows]]] = {}
    for projection, rows in zip(projections, folded, strict=True):
        for topic, handler in projection.handlers.items():
            routes.setdefault(topic, []).append((handler, projection, rows))
    event_of = mapper.event
    for position, originator_id, version, topic, state, _ in batch:
        if route := routes.get(topic):
            event = event_of(originator_id, version, topic, state)
            for handler, projection, rows in route:
                handler(projection, event, position, rows)
    return folded
