"""Calendar feeds: addresses at which calendar programs read the bookings of an owner."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid4

from application.eventstore.database import Database
from application.eventstore.event_sourced_application import EventSourcedApplication
from application.people.tokens import InvalidToken, Tokens
from domain.calendar import Calendar
from domain.errors import Invalid, NotFound, Sentence

MOST_FEEDS = 50

_SELECT = """SELECT id, owner_id, calendar_id, detail, created_at
    FROM calendar_feeds WHERE owner_id = %s"""
_SUBSCRIBED = """
    SELECT feed.id, owner_id, calendar_id, detail, feed.created_at, owner.name AS owner_name,
        email AS owner_email, language
    FROM calendar_feeds AS feed JOIN accounts AS owner ON owner.id = owner_id
    WHERE feed.id = %s AND owner.disabled_at IS NULL"""
_TOO_MANY = Sentence("There can be at most {number} feeds.", number=MOST_FEEDS)


class FeedNotFound(NotFound):
    """There is no such feed."""


class FeedDetail(StrEnum):
    """The detail in which a feed shows bookings: everything, or only that the owner is busy."""

    FULL = "full"
    BUSY = "busy"


@dataclass(frozen=True)
class CalendarFeed:
    """A feed of one calendar; of all calendars of its owner if `calendar_id` is None."""

    id: UUID
    owner_id: UUID
    calendar_id: UUID | None
    detail: FeedDetail
    created_at: datetime


@dataclass(frozen=True)
class SubscribedFeed(CalendarFeed):
    """A feed with what its file says of its owner, and in which language."""

    owner_name: str
    owner_email: str
    language: str | None


class CalendarFeeds:
    """The feeds of all owners."""

    def __init__(self, event_store: EventSourcedApplication, tokens: Tokens) -> None:
        self._event_store = event_store
        self._database = event_store.database
        self._tokens = tokens

    def create(
        self, *, owner_id: UUID, calendar_id: UUID | None, detail: FeedDetail, now: datetime
    ) -> CalendarFeed:
        """Creates a feed. Raises `CalendarNotFound`, or `Invalid` beyond the limit."""
        if calendar_id is not None:
            self._event_store.get_own(Calendar, calendar_id, owner_id)
        feed = CalendarFeed(uuid4(), owner_id, calendar_id, detail, now)
        with self._database.connection() as conn, conn.transaction():
            # One after the other, so that two requests do not exceed the limit together.
            conn.execute("SELECT FROM accounts WHERE id = %s FOR NO KEY UPDATE", (owner_id,))
            if len(conn.execute(_SELECT, (owner_id,)).fetchall()) >= MOST_FEEDS:
                raise Invalid({"detail": [_TOO_MANY]})
            conn.execute(
                "INSERT INTO calendar_feeds (id, owner_id, calendar_id, detail, created_at)"
                " VALUES (%s, %s, %s, %s, %s)",
                (feed.id, owner_id, calendar_id, detail, now),
            )
        return feed

    def all(self, owner_id: UUID) -> list[CalendarFeed]:
        """Returns the feeds of an owner in the order of their creation."""
        return feeds_of(self._database, owner_id)

    def one(self, owner_id: UUID, feed_id: UUID) -> CalendarFeed:
        """Returns a feed of this owner. Raises `FeedNotFound`."""
        found = self._database.fetch_objects(_feed, f"{_SELECT} AND id = %s", (owner_id, feed_id))
        if not found:
            raise FeedNotFound
        return found[0]

    def revoke(self, owner_id: UUID, feed_id: UUID) -> None:
        """Revokes a feed: its address opens nothing any more. Raises `FeedNotFound`."""
        with self._database.connection() as conn:
            statement = "DELETE FROM calendar_feeds WHERE owner_id = %s AND id = %s"
            if conn.execute(statement, (owner_id, feed_id)).rowcount == 0:
                raise FeedNotFound

    def token_of(self, feed: CalendarFeed) -> str:
        """Returns the token in the address of a feed."""
        return self._tokens.for_feed(feed.id)

    def subscribed(self, token: str) -> SubscribedFeed:
        """Returns the feed that the token opens. Raises `FeedNotFound` if it is forged or revoked.

        A forged token is refused without a query.
        """
        try:
            feed_id = self._tokens.feed_id(token)
        except InvalidToken:
            raise FeedNotFound from None
        found = self._database.fetch_objects(_subscribed, _SUBSCRIBED, (feed_id,))
        if not found:
            raise FeedNotFound
        return found[0]


def feeds_of(database: Database, owner_id: UUID) -> list[CalendarFeed]:
    """Returns the feeds of an owner in the order of their creation."""
    return database.fetch_objects(_feed, f"{_SELECT} ORDER BY created_at, id", (owner_id,))


def _feed(detail: str, **columns: object) -> CalendarFeed:
    return CalendarFeed(detail=FeedDetail(detail), **columns)  # type: ignore[arg-type]


def _subscribed(detail: str, **columns: object) -> SubscribedFeed:
    return SubscribedFeed(detail=FeedDetail(detail), **columns)  # type: ignore[arg-type]
