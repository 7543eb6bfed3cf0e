"""Requests for a new link in the place of one that has ended.

Whoever has a link can ask, without an account. So requests are rows outside the log: one for each
link, which limits them to what the owner has issued, and they are deleted once the owner answers,
once they are too old, or when the person is forgotten. Which link answered which is kept, without
a word about the person, so that nothing remains in the one who is forgotten in the other.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from application.deliveries import outbox
from application.deliveries.delivery import Audience, NewDelivery
from application.eventstore.database import Database
from application.people.email_address import spellings
from domain.errors import NotFound
from domain.link import SingleUseLink

NEW_LINK = "new-link"
"""The kind of the mail with the new link. Its target is the language of its reader."""
LINK_REQUEST = "link-request"
"""The kind of the mail that tells the owner of a request: one for each link, ever."""
KEPT_FOR = timedelta(days=90)
MOST_LISTED = 100
LONGEST_MESSAGE = 500
SWEPT_AT_ONCE = 5000

_COLUMNS = "link_id, owner_id, calendar_id, asked_at, name, email, message, language"
_ASK = f"""
    INSERT INTO link_requests ({_COLUMNS})
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (link_id) DO NOTHING"""  # noqa: S608
_SELECT = f"SELECT {_COLUMNS} FROM link_requests"  # noqa: S608 - a constant
_THIS = "owner_id = %s AND link_id = %s AND asked_at = %s"
_ANSWERING = f"""
    INSERT INTO answered_requests (new_link_id, link_id)
    SELECT %s, link_id FROM link_requests WHERE {_THIS}
    ON CONFLICT (new_link_id) DO UPDATE SET answered_at = answered_requests.answered_at"""  # noqa: S608
_ANSWERED = "UPDATE answered_requests SET answered_at = %s WHERE new_link_id = %s"
_IS_ANSWERED = "SELECT FROM answered_requests WHERE new_link_id = %s AND answered_at IS NOT NULL"
_END = f"DELETE FROM link_requests WHERE {_THIS}"  # noqa: S608 - a constant
_DISMISS = "DELETE FROM link_requests WHERE owner_id = %s AND link_id = %s"
_SWEEP = f"""
    DELETE FROM link_requests WHERE link_id IN (
        SELECT link_id FROM link_requests WHERE asked_at < %s
        ORDER BY asked_at LIMIT {SWEPT_AT_ONCE})"""  # noqa: S608 - a constant


class LinkRequestNotFound(NotFound):
    """This request has been answered already."""


@dataclass(frozen=True)
class LinkRequest:
    """A person who asks for a new link in the place of `link_id`. `asked_at` is UTC."""

    link_id: UUID
    owner_id: UUID
    calendar_id: UUID
    asked_at: datetime
    name: str
    email: str | None
    message: str | None
    language: str | None

    @property
    def key(self) -> str:
        """Returns the idempotency key of its answer."""
        return f"request:{self.link_id} {self.asked_at.isoformat()}"


class LinkRequests:
    """Stores, lists and ends requests."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def ask(
        self,
        link: SingleUseLink,
        *,
        name: str,
        email: str | None,
        message: str | None,
        language: str,
        now: datetime,
    ) -> None:
        """Stores a request, and has the owner told by mail the first time for this link.

        While there is a request for this link, it stays as it is.
        """
        values = (link.id, link.owner_id, link.calendar_id, now, name, email, message, language)
        mail = _mail(LINK_REQUEST, Audience.OWNER, link, now=now)
        with self._database.connection() as conn, conn.transaction():
            if conn.execute(_ASK.encode(), values).rowcount > 0:
                outbox.add(conn, mail)

    def all(self, owner_id: UUID) -> list[LinkRequest]:
        """Returns the first 100 requests to an owner, the oldest first."""
        return self._database.fetch_objects(
            LinkRequest,
            f"{_SELECT} WHERE owner_id = %s ORDER BY asked_at LIMIT {MOST_LISTED}",
            (owner_id,),
        )

    def one(self, owner_id: UUID, link_id: UUID) -> LinkRequest:
        """Returns the request for a link of this owner. Raises `LinkRequestNotFound`."""
        found = self._database.fetch_objects(
            LinkRequest, f"{_SELECT} WHERE owner_id = %s AND link_id = %s", (owner_id, link_id)
        )
        if not found:
            raise LinkRequestNotFound
        return found[0]

    def begin_to_answer(self, request: LinkRequest, new_link_id: UUID) -> None:
        """Stores which link is about to answer a request. Raises `LinkRequestNotFound`."""
        with self._database.connection() as conn:
            if conn.execute(_ANSWERING.encode(), (new_link_id, *_key(request))).rowcount == 0:
                raise LinkRequestNotFound

    def end_with(self, link: SingleUseLink, request: LinkRequest, *, now: datetime) -> None:
        """Ends a request with a new link, which goes by mail to an address that was given.

        Does nothing the second time. Raises `LinkRequestNotFound` if it has ended otherwise.
        """
        mail = _mail(NEW_LINK, Audience.INVITEE, link, request.language or "", now=now)
        with self._database.connection() as conn, conn.transaction():
            if conn.execute(_END.encode(), _key(request)).rowcount == 0:
                if conn.execute(_IS_ANSWERED, (link.id,)).rowcount == 0:
                    raise LinkRequestNotFound
                return
            conn.execute(_ANSWERED, (now, link.id))
            if request.email is not None:
                outbox.add(conn, mail)

    def dismiss(self, owner_id: UUID, link_id: UUID) -> None:
        """Ends a request without a new link. Does nothing the second time."""
        with self._database.connection() as conn:
            conn.execute(_DISMISS, (owner_id, link_id))

    def about(self, email: str) -> list[LinkRequest]:
        """Returns the requests with this e-mail address, whatever its case."""
        folded = [each.lower() for each in spellings(email)]
        return self._database.fetch_objects(
            LinkRequest, f"{_SELECT} WHERE lower(email) = ANY(%s) ORDER BY asked_at", (folded,)
        )

    def sweep(self, *, before: datetime) -> int:
        """Deletes all requests from before a moment, and returns how many there were."""
        swept = 0
        while count := self._database.run_idempotent(
            lambda conn: conn.execute(_SWEEP.encode(), (before,)).rowcount
        ):
            swept += count
        return swept


def _key(request: LinkRequest) -> tuple[UUID, UUID, datetime]:
    return request.owner_id, request.link_id, request.asked_at


def _mail(
    kind: str, audience: Audience, link: SingleUseLink, target: str = "", *, now: datetime
) -> NewDelivery:
    return NewDelivery(
        channel=outbox.MAIL,
        kind=kind,
        audience=audience,
        owner_id=link.owner_id,
        link_id=link.id,
        target=target,
        due_at=now,
    )


def report(requests: Collection[LinkRequest]) -> list[dict[str, Any]]:
    """Returns requests for the report of what is stored about a person."""
    return [
        {
            "link_id": each.link_id,
            "asked_at": each.asked_at,
            "name": each.name,
            "email": each.email,
            "message": each.message,
        }
        for each in requests
    ]
