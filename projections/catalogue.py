"""The one list of all projections."""

from psycopg import Connection
from psycopg.rows import DictRow

from projections.booking_calendar import BookingCalendar
from projections.calendar_list import CalendarList
from projections.link_list import LinkList
from projections.projection import Projection

CATALOGUE: tuple[Projection, ...] = (CalendarList(), LinkList(), BookingCalendar())


def create_views(conn: Connection[DictRow]) -> None:
    """Make the views that are not there yet, empty, in the transaction of `conn`."""
    for projection in CATALOGUE:
        projection.create(conn)
