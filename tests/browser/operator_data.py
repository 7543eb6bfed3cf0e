"""Creates the faults that operators see: a parked event, rows that differ, a view that lags."""

from datetime import timedelta
from math import sin
from uuid import UUID

from psycopg.types.json import Jsonb

from interface.bootstrap import Services
from projections.catalogue import CATALOGUE
from projections.engine import positions
from projections.views import booking_calendar, calendar_list, link_list
from tests.support.desk import Desk
from tests.support.unappliable_event import unappliable_expiry

_DIFFERENCES = [
    {
        "table": link_list.NAME,
        "key": "0c1f5c1e-6f60-4e5f-9d36-2f7c6a3b9d10",
        "live": {"revoked_at": "2026-11-20T09:30:00+00:00", "replaced_by": None},
        "built": {"revoked_at": None, "replaced_by": None},
    },
    {
        "table": link_list.NAME,
        "key": "7d0f1d52-91a9-4a3b-8f70-5a1d6a52a0c4",
        "live": None,
        "built": {"position": 1204, "expires_at": "2027-01-31T09:30:00+00:00"},
    },
]


def add_operator_data(desk: Desk, calendar: UUID) -> None:
    """Adds all of it to a running service. What is parked stays so until somebody retries."""
    services = desk.services
    expiry = services.now() + timedelta(days=100)
    with unappliable_expiry(services.database, expiry):
        desk.revoke(desk.new_link(calendar, recipient="Vera Rubin", expires_at=expiry))
        wait_for_views(services)
    with services.database.connection() as conn:
        for name, height in ((link_list.NAME, 40), (booking_calendar.NAME, 0.4)):
            for number in range(200):
                ago = timedelta(seconds=15 * number if number < 120 else 15 * number + 300)
                conn.execute(
                    """INSERT INTO lag_samples VALUES (%s, now() - %s, 0, %s)
                    ON CONFLICT DO NOTHING""",
                    (name, ago, height * max(0.0, sin(number / 9)) ** 3),
                )
        rebuild = """INSERT INTO rebuilds (id, name, kind, state, by_projector, position, head,
            events, seconds, rows, differing, differences, finished_at)
            VALUES (gen_random_uuid(), %s, %s, %s, false, 41234, 98765, 41234, 75, %s, %s, %s, %s)
            """
        now = services.now()
        for name, kind, state, *found in (
            (link_list.NAME, "verify", "done", 88_210, 2, Jsonb(_DIFFERENCES), now),
            (booking_calendar.NAME, "rebuild", "done", 9_876, 0, Jsonb([]), now),
            # Begun by command, and not by the projector, which would go on with it.
            (calendar_list.NAME, "rebuild", "building", None, None, None, None),
        ):
            conn.execute(rebuild, (name, kind, state, *found))


def wait_for_views(services: Services) -> None:
    """Returns when the views show all that is in the log."""
    names = [projection.name for projection in CATALOGUE]
    positions.wait_for(services.database, names, services.event_store.head(), seconds=30)
