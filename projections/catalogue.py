"""The lists of all projections and of all reactions."""

from collections.abc import Sequence

from psycopg import Connection
from psycopg.rows import DictRow

from domain.errors import NotFound
from projections.engine.projection import Projection
from projections.reactions.mail import MailReaction
from projections.reactions.reaction import Reaction
from projections.reactions.webhooks import WebhookReaction
from projections.views.booking_calendar import BookingCalendar
from projections.views.calendar_list import CalendarList
from projections.views.link_list import LinkList
from projections.views.schedule_list import ScheduleList
from projections.views.transparency_log import TransparencyLog

CATALOGUE: tuple[Projection, ...] = (
    CalendarList(),
    ScheduleList(),
    LinkList(),
    BookingCalendar(),
    TransparencyLog(),
)

REACTIONS: tuple[Reaction, ...] = (MailReaction(), WebhookReaction())

FOLLOWERS: tuple[Projection, ...] = (*CATALOGUE, *REACTIONS)
"""All that the projector keeps up to date with the log."""


class ViewNotFound(NotFound):
    """There is no such view."""


def projection_named(name: str) -> Projection:
    """Returns the projection of that name, with or without version. Raises `ViewNotFound`."""
    return _named(CATALOGUE, name)


def follower_named(name: str) -> Projection:
    """Like `projection_named`, for reactions too."""
    return _named(FOLLOWERS, name)


def _named(followers: Sequence[Projection], name: str) -> Projection:
    for follower in followers:
        if name in (follower.name, follower.name.rpartition("_v")[0]):
            return follower
    names = ", ".join(follower.name for follower in followers)
    raise ViewNotFound(f"There is no such view. The views are {names}.")


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
