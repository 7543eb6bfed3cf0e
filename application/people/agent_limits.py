"""How many links an assistant may issue in a day with its key: a bound for what it is talked into.

Whoever asks takes their share first, in a transaction of its own, and gives it back if that was
refused. So requests at the same moment exceed no limit, and what may have been issued counts, after
a crash too: that costs the assistant, not the owner.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from application.eventstore.database import Database
from application.people.recent_callers import Caller
from domain.errors import AdmitOneError, IdempotencyMismatch, Unavailable

DAY = timedelta(days=1)

_TAKE = """INSERT INTO agent_requests (prefix, request, links, at)
    VALUES (%(prefix)s, %(request)s, %(links)s, %(now)s)"""


class AgentLimitReached(AdmitOneError):
    """This key has issued as many links as it may in a day."""


class AgentLimits:
    """The limits of the keys that assistants act with."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextmanager
    def issuing(
        self, caller: Caller, links: int, *, request: str | None, now: datetime
    ) -> Iterator[None]:
        """Counts the links that the block issues. Raises `AgentLimitReached` instead of too many.

        The same `request` of the same key, for as many links, counts once.
        """
        if caller.links_a_day is None:
            yield
            return
        taken = f"{links} {request or secrets.token_urlsafe(16)}"
        is_new = self._take(caller, links, taken, now)
        try:
            yield
        except (Unavailable, IdempotencyMismatch):
            raise  # links may have been issued all the same, by this request or its like
        except AdmitOneError:
            if is_new:
                self._give_back(caller, taken)
            raise

    def _take(self, caller: Caller, links: int, request: str, now: datetime) -> bool:
        """Takes a share; returns False for a request that has taken its share before."""
        prefix = caller.key_prefix
        with self._database.connection() as conn, conn.transaction():
            # One after the other, so that two requests do not exceed the limit together.
            conn.execute("SELECT FROM api_keys WHERE prefix = %s FOR NO KEY UPDATE", (prefix,))
            conn.execute(
                "DELETE FROM agent_requests WHERE prefix = %s AND at <= %s", (prefix, now - DAY)
            )
            taken = conn.execute(
                """SELECT coalesce(sum(links), 0) AS links,
                    coalesce(bool_or(request = %s), false) AS is_repeated
                FROM agent_requests WHERE prefix = %s""",
                (request, prefix),
            ).fetchone()
            if taken is not None and taken["is_repeated"]:
                return False
            if taken is not None and taken["links"] + links > (caller.links_a_day or 0):
                raise AgentLimitReached
            values = {"prefix": prefix, "request": request, "links": links, "now": now}
            conn.execute(_TAKE, values)
        return True

    def _give_back(self, caller: Caller, request: str) -> None:
        self._database.run_idempotent(
            lambda conn: conn.execute(
                "DELETE FROM agent_requests WHERE prefix = %s AND request = %s",
                (caller.key_prefix, request),
            )
        )
