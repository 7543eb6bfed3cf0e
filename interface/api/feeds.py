"""Endpoints about calendar feeds: for their owner, and for the programs that read them."""

from dataclasses import asdict
from typing import Any
from uuid import UUID

from flask import Response

from application.calendar_feeds import CalendarFeed, FeedNotFound
from application.people.rate_limits import TooManyAttempts
from domain.errors import CalendarNotFound
from interface.api.calls import address_of
from interface.api.decorators import Blueprint, caller, requires
from interface.api.openapi import LOCATION, has_etag, refuses
from interface.web.calendar_feed import feed_response, feed_url
from interface.web.connection_response_schemas import FeedList, FeedOutput
from interface.web.request_context import services
from interface.web.request_schemas import FeedInput

blueprint = Blueprint(
    "feeds",
    __name__,
    url_prefix="/api/v1/feeds",
    description="Addresses at which the owner's calendar programs read bookings.",
)


@blueprint.route("")
@requires("bookings")
@blueprint.response(200, FeedList)
def list_feeds() -> Any:
    """List calendar feeds.

    In the order of their creation. Revoked feeds are not listed.
    """
    return {"items": [_output(each) for each in services().calendar_feeds.all(caller().account_id)]}


@blueprint.route("", methods=["POST"])
@requires("bookings")
@blueprint.arguments(FeedInput)
@refuses(CalendarNotFound)
@blueprint.response(201, FeedOutput, headers=LOCATION)
def create(body: dict[str, Any]) -> Any:
    """Create a calendar feed.

    Whoever has its `url` can read the feed until it is revoked, without a key. With the detail
    `busy` it says when the owner is booked, and nothing about people. An owner has at most 50.
    """
    current = services()
    feed = current.calendar_feeds.create(owner_id=caller().account_id, now=current.now(), **body)
    return _output(feed), {"Location": address_of("feeds.read", feed_id=feed.id)}


@blueprint.route("/<uuid:feed_id>")
@requires("bookings")
@refuses(FeedNotFound)
@blueprint.response(200, FeedOutput)
def read(feed_id: UUID) -> Any:
    """Read what is known of a calendar feed.

    This is the feed's address and what it shows; the bookings are at the address.
    """
    return _output(services().calendar_feeds.one(caller().account_id, feed_id))


@blueprint.route("/<uuid:feed_id>", methods=["DELETE"])
@requires("bookings")
@refuses(FeedNotFound)
@blueprint.response(204)
def revoke(feed_id: UUID) -> None:
    """Revoke a calendar feed.

    Its address no longer works.
    """
    services().calendar_feeds.revoke(caller().account_id, feed_id)


@blueprint.route("/<token>.ics")
@refuses(FeedNotFound, TooManyAttempts)
@has_etag
@blueprint.response(200, {"type": "string"}, content_type="text/calendar")
def subscribe(token: str) -> Response:
    """Read a calendar feed as an iCalendar file.

    The token, which stands in the `url` of the feed, is the only credential. The file holds the
    bookings that ended less than 90 days ago or are still to come, at most 1,000 of them: those
    that begin last. A cancelled booking is an entry with `STATUS:CANCELLED`. The response also
    has `Last-Modified`, and its language is the owner's.
    """
    return feed_response(token)


def _output(feed: CalendarFeed) -> dict[str, Any]:
    return asdict(feed) | {"url": feed_url(feed)}
