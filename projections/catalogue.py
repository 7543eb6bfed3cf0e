"""The lists of all projections and of all reactions."""

from psycopg import Connection
from psycopg.rows import DictRow

from domain.errors import NotFound
from projections.engine.projection import Projection
from projections.reactions.mail import MailReaction
from projections.reactions.reaction import Reaction
from projections.views.booking_calendar import BookingCalendar
from projections.views.calendar_list import CalendarList
from projections.views.link_list import LinkList
from projections.views.transparency_log import TransparencyLog

CATALOGUE: tuple[Projection, ...] = (
    CalendarList(),
    LinkList(),
    BookingCalendar(),
    TransparencyLog(),
)

REACTIONS: tuple[Reaction, ...] = (MailReaction(),)

FOLLOWERS: tuple[Projection, ...] = (*CATALOGUE, *REACTIONS)
"""All that the projector keeps up to date with the log."""


class ViewNotFound(NotFound):
    """There is no such view."""


def projection_named(name: str) -> Projection:
    """Returns the projection of that name, with or without version. Raises `ViewNotFound`."""
    for projection in CATALOGUE:
        if name in (projection.name, projection.name.rpartition("_v")[0]):
            return projection
    raise ViewNotFound


def create_views(conn: Connection[DictRow]) -> None:
    """Creates the views and reactions that are missing, in the transaction of `conn`.

    A view begins empty, to be built from the whole log, and a reaction at the head of the log.
    """
    for projection in FOLLOWERS:
        projection.create(conn)


def missing_views(conn: Connection[DictRow]) -> list[str]:
    """Returns the names of the views and reactions that the database does not have."""
    existing = {row["name"] for row in conn.execute("SELECT name FROM projection_positions")}
    return [projection.name for projection in FOLLOWERS if projection.name not in existing]
