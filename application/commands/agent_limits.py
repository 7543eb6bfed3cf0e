"""Limits the links that an assistant may issue with its key.

A key has two limits: the links of a day, and the open ones, which can still be used.

Whoever asks takes their share first, in a transaction of its own, and gives it back if that was
refused. So requests at the same moment exceed no limit, and what may have been issued counts, after
a crash too: that costs the assistant, not the owner.

The ids follow from the request, so they are known before the links are issued, and the log tells of
each of them whether it was issued, and whether it is open.
"""

import secrets
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg import Connection

from application.commands.repeated_issuing import IssuingKey
from application.eventstore.database import Database
from application.eventstore.event_sourced_application import EventSourcedApplication
from application.eventstore.loading import Wanted
from application.people.recent_callers import Caller
from domain.errors import AdmitOneError, IdempotencyMismatch, Unavailable
from domain.link import LinkStatus, SingleUseLink

DAY = timedelta(days=1)
UNANSWERED = timedelta(minutes=10)
"""The time for which a link that may still be issued counts: far longer than a request takes."""

_TAKEN = """SELECT coalesce(sum(links), 0) AS links,
        coalesce(bool_or(request = %(request)s), false) AS is_repeated
    FROM (SELECT DISTINCT request, links FROM agent_requests WHERE prefix = %(prefix)s) AS shares"""
_TAKE = """INSERT INTO agent_requests (prefix, request, attempt, links, at)
    SELECT %(prefix)s, %(request)s, %(attempt)s, %(links)s, coalesce(min(at), %(now)s)
    FROM agent_requests WHERE prefix = %(prefix)s AND request = %(request)s"""
_OPEN = """SELECT count(*) AS links FROM (
        SELECT link_id FROM agent_links WHERE prefix = %(prefix)s
        UNION SELECT unnest(%(new)s::uuid[])
        EXCEPT SELECT %(replaced)s::uuid
    ) AS open_links"""
_RESERVE = """INSERT INTO agent_links (prefix, link_id, request, at)
    SELECT %(prefix)s, unnest(%(new)s::uuid[]), %(request)s, %(now)s"""
_DROP = "DELETE FROM agent_links WHERE prefix = %s AND link_id = ANY(%s)"


class AgentLimitReached(AdmitOneError):
    """This key has issued as many links as it may in a day."""


class TooManyOpenLinks(AdmitOneError):
    """This key has as many open links as allowed. One must be used, revoked or expired first."""


@dataclass(frozen=True)
class _Request:
    """A request to issue links, which may be one that is repeated."""

    caller: Caller
    key: IssuingKey
    links: int
    replaced: UUID | None
    now: datetime
    attempt: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    """Tells the request from its repeats."""

    @property
    def share(self) -> str:
        """Names what the request and its repeats take of a day's limit, once."""
        return f"{self.links} {self.key.key}"

    @property
    def link_ids(self) -> list[UUID]:
        """The ids of the links that it issues."""
        return [self.key.link_id(place) for place in range(self.links)]


class AgentLimits:
    """The limits of the keys that assistants act with."""

    def __init__(self, event_store: EventSourcedApplication) -> None:
        self._event_store = event_store

    @property
    def _database(self) -> Database:
        return self._event_store.database

    @contextmanager
    def issuing(
        self,
        caller: Caller,
        links: int,
        *,
        request: str | None,
        now: datetime,
        replaced: UUID | None = None,
    ) -> Iterator[str | None]:
        """Counts the links that the block issues by the idempotency key that it gets.

        The same `request` of the same key, for as many links, counts once. A link that is
        `replaced` makes room for the new one. Raises `AgentLimitReached` or `TooManyOpenLinks`
        instead of too many links.
        """
        if caller.links_a_day is None and caller.links_at_once is None:
            yield request
            return
        key = IssuingKey(caller.account_id, request or secrets.token_urlsafe(16))
        asked = _Request(caller, key, links, replaced, now)
        try:
            self._take(asked)
        except TooManyOpenLinks:
            self._take(asked, *self._found_in_log(asked))
        try:
            yield key.key
        except Unavailable:
            raise  # links may have been issued all the same
        except AdmitOneError as refusal:
            # Another request under the same key, with as many links, may have issued them.
            self._give_back(asked, of_the_day=not isinstance(refusal, IdempotencyMismatch))
            raise

    def _take(
        self, asked: _Request, ended: Collection[UUID] = (), issued: Collection[UUID] = ()
    ) -> None:
        """Takes a share of both limits, for this attempt alone.

        `ended` are links of the key that are no longer open, `issued` those of the request that
        were issued before.
        """
        with self._database.connection() as conn, conn.transaction():
            # One after the other, so that two requests do not exceed the limit together.
            conn.execute(
                "SELECT FROM api_keys WHERE prefix = %s FOR NO KEY UPDATE",
                (asked.caller.key_prefix,),
            )
            _take_of_the_day(conn, asked)
            if asked.caller.links_at_once is not None:
                conn.execute(_DROP, (asked.caller.key_prefix, list(ended)))
                _reserve(conn, asked, [each for each in asked.link_ids if each not in issued])

    def _found_in_log(self, asked: _Request) -> tuple[set[UUID], set[UUID]]:
        """Returns which links of the key are no longer open, and which of the request exist.

        Both stay true. So it does no harm that other requests go on meanwhile.
        """
        rows = self._database.fetch_all(
            "SELECT link_id, max(at) AS at FROM agent_links WHERE prefix = %s GROUP BY link_id",
            (asked.caller.key_prefix,),
        )
        reserved_at = {row["link_id"]: row["at"] for row in rows}
        wanted = dict.fromkeys([*reserved_at, *asked.link_ids])
        loaded = self._event_store.load(*(Wanted(SingleUseLink, each) for each in wanted))
        links = {link.id: link for link in loaded.all(SingleUseLink)}
        ended = {
            link_id
            for link_id, at in reserved_at.items()
            if (link_id in links and links[link_id].status(asked.now) != LinkStatus.ACTIVE)
            or (link_id not in links and at <= asked.now - UNANSWERED)
        }
        return ended, links.keys() & set(asked.link_ids)

    def _give_back(self, asked: _Request, *, of_the_day: bool) -> None:
        prefix = asked.caller.key_prefix

        def give_back(conn: Connection[Any]) -> None:
            conn.execute(
                "DELETE FROM agent_links WHERE prefix = %s AND request = %s",
                (prefix, asked.attempt),
            )
            if of_the_day:
                conn.execute(
                    "DELETE FROM agent_requests WHERE prefix = %s AND attempt = %s",
                    (prefix, asked.attempt),
                )

        self._database.run_idempotent(give_back)


def _take_of_the_day(conn: Connection[Any], asked: _Request) -> None:
    limit, prefix = asked.caller.links_a_day, asked.caller.key_prefix
    if limit is None:
        return
    conn.execute(
        "DELETE FROM agent_requests WHERE prefix = %s AND at <= %s", (prefix, asked.now - DAY)
    )
    values = {
        "prefix": prefix,
        "request": asked.share,
        "attempt": asked.attempt,
        "links": asked.links,
        "now": asked.now,
    }
    taken = conn.execute(_TAKEN, values).fetchone()
    if taken is not None and not taken["is_repeated"] and taken["links"] + asked.links > limit:
        raise AgentLimitReached
    conn.execute(_TAKE, values)


def _reserve(conn: Connection[Any], asked: _Request, new: list[UUID]) -> None:
    values = {
        "prefix": asked.caller.key_prefix,
        "new": new,
        "replaced": asked.replaced,
        "request": asked.attempt,
        "now": asked.now,
    }
    found = conn.execute(_OPEN, values).fetchone()
    if new and found is not None and found["links"] > (asked.caller.links_at_once or 0):
        raise TooManyOpenLinks
    conn.execute(_RESERVE, values)
