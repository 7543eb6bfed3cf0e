"""Connections outside the pool: those of the projector, of rebuilds, and of commands."""

from collections.abc import Mapping
from contextlib import ExitStack, closing
from typing import Any

from psycopg import Connection
from psycopg.rows import DictRow, dict_row

from application.eventstore.conninfo import with_defaults
from application.eventstore.hosts import Hosts

EVERYWHERE: Mapping[str, str] = {
    "timezone": "UTC",
    # Nobody but the owner creates anything in `public`. A schema that is named like the user is
    # not searched.
    "search_path": "public",
    # Whoever waits for a lock has to see afterwards what others committed meanwhile.
    "default_transaction_isolation": "read committed",
}
"""PostgreSQL's settings for all sessions, whatever those of the server or the database are."""

FOUND_GONE: Mapping[str, str] = {
    # The server drops a client that it can't reach for three seconds, and its locks with it.
    "tcp_keepalives_idle": "2",
    "tcp_keepalives_interval": "1",
    "tcp_keepalives_count": "2",
    "tcp_user_timeout": "3000",
}
"""PostgreSQL's settings for processes that hold what others wait for."""

UNATTENDED: Mapping[str, str] = {
    # A crash of the server takes rows and position away together, and both are made again.
    "synchronous_commit": "off",
    **FOUND_GONE,
}
"""PostgreSQL's settings for processes that nobody watches and that can do their work again."""

BY_INDEX: Mapping[str, str] = {
    "plan_cache_mode": "force_generic_plan",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_seqscan": "off",
}
"""PostgreSQL's settings for sessions that find every row by an index.

A plan is made once, perhaps while the tables are empty, and has to stay right as they grow.
"""


def connect(
    where: str | Hosts,
    *,
    application_name: str,
    settings: Mapping[str, str] | None = None,
    kind: type[Connection[Any]] = Connection,
    autocommit: bool = True,
) -> Connection[DictRow]:
    """Returns a connection that reads times in UTC, by default in autocommit mode.

    `where` is a connection string, or the hosts of one, of which the best one is tried first.

    `settings` are PostgreSQL's, for the whole session, besides those of `EVERYWHERE`. Raises
    psycopg's own errors.
    """
    completed = with_defaults(Hosts.of(where).conninfo(), application_name=application_name)
    with ExitStack() as on_failure:
        conn: Connection[DictRow] = on_failure.enter_context(
            closing(kind.connect(completed, autocommit=autocommit, row_factory=dict_row))
        )
        configure(conn, {**EVERYWHERE, **(settings or {})})
        on_failure.pop_all()
    return conn


def configure(conn: Connection[Any], settings: Mapping[str, str]) -> None:
    """Sets PostgreSQL's settings for the whole session of a connection."""
    conn.execute(
        "SELECT set_config(name, value, false) FROM unnest(%s::text[], %s::text[])"
        " AS setting (name, value)",
        (list(settings), list(settings.values())),
    )
