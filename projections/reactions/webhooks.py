"""The messages to owners' programs that the life of a link and of its booking causes."""

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.rows import DictRow

from application.deliveries import outbox
from application.deliveries.delivery import Audience, NewDelivery
from application.deliveries.outbox import WEBHOOK
from application.webhooks.webhooks import Listener, finding_any_listener, listeners
from domain.booking import Booking
from domain.link import SingleUseLink
from projections.engine.projection import Memory
from projections.engine.tables import Write
from projections.reactions.reaction import Reaction, first_events, noting


class WebhookReaction(Reaction):
    """Adds a message to each webhook that wants to be told of an event."""

    name = "webhooks_v1"
    handlers = noting(
        SingleUseLink.Issued,
        SingleUseLink.Changed,
        SingleUseLink.Redeemed,
        SingleUseLink.Revoked,
        Booking.Made,
        Booking.Rescheduled,
        Booking.Changed,
        Booking.Cancelled,
    )

    def react(
        self, conn: Connection[DictRow], noted: Sequence[tuple[int, Any]], memory: Memory
    ) -> list[Write]:
        """Returns what adds the messages about these events; `conn` is for reading.

        That nobody has a webhook is remembered, and what is written fails if that has changed.
        """
        is_remembered = "is_listened_to" in memory
        if not is_remembered:
            memory["is_listened_to"] = finding_any_listener().execute(conn) > 0
        if not memory["is_listened_to"]:
            return [Write(finding_any_listener(), "webhooks")] if is_remembered else []
        first = first_events(conn, noted)
        by_owner: dict[UUID, list[Listener]] = {}
        for each in listeners(conn, {event.owner_id for event in first.values()}):
            by_owner.setdefault(each.owner_id, []).append(each)
        deliveries: list[NewDelivery] = []
        for position, event in noted:
            created = first[event.originator_id]
            deliveries += _caused_by(event, position, created, by_owner.get(created.owner_id, []))
        return [Write(query) for query in outbox.adding(deliveries)]


def _caused_by(
    event: Any, position: int, created: Any, webhooks: Sequence[Listener]
) -> Iterator[NewDelivery]:
    """Yields the messages about one event. `created` is the first event of its link or booking."""
    is_about_booking = isinstance(created, Booking.Made)
    link_id = created.link_id if is_about_booking else event.originator_id
    for webhook in webhooks:
        if event.TOPIC in webhook.events and position > webhook.since_position:
            yield NewDelivery(
                channel=WEBHOOK,
                kind=event.TOPIC,
                audience=Audience.OWNER,
                target=str(webhook.id),
                owner_id=created.owner_id,
                due_at=event.timestamp,
                booking_id=event.originator_id if is_about_booking else None,
                link_id=link_id,
                subject=link_id,
                fact=position,
                fact_version=event.originator_version,
            )
