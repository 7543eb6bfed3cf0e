"""Calendar feeds: the bookings of an owner as a file that calendar programs poll."""

from datetime import timedelta
from functools import partial

from flask import Response
from werkzeug.http import is_resource_modified

from application.calendar_feeds import CalendarFeed, FeedDetail, FeedNotFound, SubscribedFeed
from application.people.email_address import has_public_domain
from application.people.rate_limits import FORGED_TOKENS
from domain.booking import BookingStatus
from interface import i18n
from interface.current_request import this_request
from interface.i18n import gettext
from interface.web.entity_tags import tag_of
from interface.web.icalendar_file import MEDIA_TYPE, Entry, Person, feed_file
from interface.web.rate_limits import count_failure
from interface.web.request_context import read_database, services
from projections import feed_contents
from projections.feed_contents import FeedState
from projections.views.booking_calendar import BookingRow

# A view may show a change only some time after it happened. Whoever read the feed in between and
# names that time in If-Modified-Since must not be told that nothing has changed.
SETTLED_AFTER = timedelta(minutes=1)


def feed_url(feed: CalendarFeed) -> str:
    """Returns the address at which calendar programs read the feed."""
    current = services()
    return f"{current.settings.public_url}/api/v1/feeds/{current.calendar_feeds.token_of(feed)}.ics"


def webcal_url(url: str) -> str:
    """Returns the address of a feed with the scheme that opens it in a calendar program."""
    return f"webcal:{url.partition(':')[2]}"


def feed_response(token: str) -> Response:
    """Returns the file of a feed, or 304 if the client has the newest one.

    That takes two small queries; the bookings are read only for a new file. Raises
    `FeedNotFound`, or `TooManyAttempts` after too many tokens that are forged or revoked.
    """
    current = services()
    try:
        feed = current.calendar_feeds.subscribed(token)
    except FeedNotFound:
        count_failure(FORGED_TOKENS)
        raise
    now = current.now()
    this_request().reads_newest = False
    state = feed_contents.state_of(read_database(), feed.owner_id, feed.calendar_id, now=now)
    changed_at = max(filter(None, (feed.created_at, state.changed_at, state.rebuilt_at)))
    response = Response(content_type=MEDIA_TYPE)
    response.set_etag(tag_of(feed, state), weak=True)
    response.last_modified = min(now, changed_at + SETTLED_AFTER)
    response.headers["Cache-Control"] = "private, no-cache"
    if is_resource_modified(
        this_request().environ, etag=response.headers["ETag"], last_modified=response.last_modified
    ):
        response.set_data(_file(feed, state))
    else:
        response.status_code = 304
    return response


def _file(feed: SubscribedFeed, state: FeedState) -> bytes:
    """Returns the file, in the owner's language."""
    current = services()
    rows = feed_contents.bookings_in(
        read_database(), feed.owner_id, feed.calendar_id, now=current.now()
    )
    service_address = current.settings.sender_address
    with i18n.reading(partial(i18n.locale_named, feed.language)):
        if feed.detail is FeedDetail.BUSY:
            return feed_file(
                [_entry(row, gettext("Busy")) for row in rows],
                name=gettext("Admit One: busy"),
                organizer=Person("Admit One", service_address),
            )
        is_public = has_public_domain(feed.owner_email)
        return feed_file(
            map(owners_entry, rows),
            name=f"Admit One: {state.calendar_name or gettext('Bookings')}",
            organizer=Person(feed.owner_name, feed.owner_email if is_public else service_address),
        )


def owners_entry(row: BookingRow) -> Entry:
    """Returns an entry with everything that the owner's page of the booking shows."""
    url = f"{services().settings.public_url}/bookings/{row.id}"
    invitee = row.invitee
    paragraphs = [
        "\n".join((invitee.name, invitee.email)) if invitee else None,
        row.notes,
        gettext("The invitee has been asked to choose another time.")
        if row.is_asked_to_reschedule
        else None,
        gettext("Your booking: %(url)s") % {"url": url},
    ]
    summary = gettext("%(calendar)s with %(host)s") % {
        "calendar": row.title,
        "host": invitee.name if invitee else gettext("[forgotten]"),
    }
    if row.status is BookingStatus.CANCELLED:  # which not every program shows
        summary = gettext("Cancelled: %(summary)s") % {"summary": summary}
    return _entry(
        row,
        summary,
        location=row.location or "",
        description="\n\n".join(filter(None, paragraphs)),
        url=url,
    )


def _entry(row: BookingRow, summary: str, **texts: str) -> Entry:
    return Entry(
        booking_id=row.id,
        version=row.version,
        slot=row.slot,
        status=row.status,
        summary=summary,
        host=services().settings.public_host,
        as_of=row.changed_at,
        **texts,
    )
