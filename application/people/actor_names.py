"""Tells who stands behind an actor: the log names accounts and API keys by their ids only."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from psycopg import Connection
from psycopg.rows import DictRow

_QUERY = """
    SELECT 'account:' || id AS actor, name AS person, email, NULL AS key
    FROM accounts WHERE id = ANY(%(accounts)s)
    UNION ALL
    SELECT kind || prefix, accounts.name, email, api_keys.name
    FROM api_keys JOIN accounts ON id = account_id
        CROSS JOIN (VALUES ('key:'), ('agent:')) AS kinds (kind)
    WHERE prefix = ANY(%(keys)s) AND kind || prefix = ANY(%(actors)s)"""


@dataclass(frozen=True)
class ActorName:
    """The person of an account, or of the account that an API key acts for.

    `key` is the name of the API key; None for an account itself.
    """

    person: str
    email: str
    key: str | None


def actor_names(
    conn: Connection[DictRow], actors: Iterable[str | None]
) -> dict[str | None, ActorName]:
    """Returns who the accounts and API keys among these actors are today.

    Others, such as the invitee, are left out, and so is an id that nobody has.
    """
    known = {actor for actor in actors if actor and "\0" not in actor}
    accounts, keys = set[UUID](), set[str]()
    for actor in known:
        kind, _, name = actor.partition(":")
        if kind in ("key", "agent"):
            keys.add(name)
        elif kind == "account" and (account_id := _uuid(name)):
            accounts.add(account_id)
    rows = conn.execute(
        _QUERY, {"accounts": list(accounts), "keys": list(keys), "actors": list(known)}
    )
    return {row.pop("actor"): ActorName(**row) for row in rows}


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
