"""The library's own projection runner on our log and our views: one transaction an event."""

from time import perf_counter
from typing import Any

from eventsourcing.persistence import Tracking
from eventsourcing.postgres import PostgresTrackingRecorder
from eventsourcing.projection import Projection as LibraryProjection
from eventsourcing.projection import ProjectionRunner
from eventsourcing.utils import EnvType
from psycopg.conninfo import conninfo_to_dict

from application.eventstore.database import Database
from application.eventstore.event_sourced_application import EventSourcedApplication
from projections.catalogue import CATALOGUE
from projections.engine.tables import Rows

VIEWS = [projection for projection in CATALOGUE if projection.handlers]


class View(PostgresTrackingRecorder):
    """Our tables, written event by event."""

    def apply(self, event: Any, tracking: Tracking) -> None:
        """Writes rows and tracking in one transaction."""
        with self.datastore.transaction(commit=True) as cursor:
            for projection in VIEWS:
                if handler := projection.handlers.get(event.TOPIC):
                    rows = Rows()
                    rows.position = tracking.notification_id
                    handler(projection, event, rows)
                    for each in rows.writes():
                        each.run(cursor.connection)
            self._insert_tracking(cursor, tracking=tracking)


class OurViews(LibraryProjection[View]):
    """The projection class that the library requires."""

    name = "ourviews"

    def process_event(self, domain_event: Any, tracking: Tracking) -> None:
        """Applies one event."""
        self.view.apply(domain_event, tracking)


def rate(conninfo: str, count: int) -> float:
    """Returns the events applied per second for the first `count` events, into empty tables."""
    parts = conninfo_to_dict(conninfo)

    class OurLog(EventSourcedApplication):
        def __init__(self, env: EnvType | None = None) -> None:
            super().__init__(Database(conninfo))

    env = {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": str(parts["dbname"]),
        "POSTGRES_HOST": str(parts["host"]),
        "POSTGRES_PORT": str(parts.get("port", 5432)),
        "POSTGRES_USER": str(parts.get("user", "")),
        "POSTGRES_PASSWORD": str(parts.get("password", "")),
    }
    begun = perf_counter()
    with ProjectionRunner(
        application_class=OurLog, projection_class=OurViews, view_class=View, env=env
    ) as runner:
        runner.wait(count, timeout=600)
        return count / (perf_counter() - begun)
