"""A database and services for the length of one command."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from interface.bootstrap import Services, apply_schema, build
from interface.settings import Settings


def settings() -> Settings:
    """The checked settings. Raises `SettingsError`."""
    return Settings.from_environment(os.environ)


@contextmanager
def database() -> Iterator[str]:
    """The connection string of the database, its own server started if none runs yet."""
    current = settings()
    if current.database_url is not None:
        yield current.database_url
        return
    from interface.embedded_postgres import EmbeddedPostgres  # only where it is used

    server = EmbeddedPostgres(current.data / "postgres", binaries=current.postgres_bin)
    if _answers(server.conninfo):
        yield server.conninfo
        return
    with server:
        yield server.conninfo


@contextmanager
def services() -> Iterator[Services]:
    """Services on a database with all its tables."""
    with database() as conninfo:
        apply_schema(conninfo)
        current = build(settings(), conninfo)
        try:
            yield current
        finally:
            current.close()


def _answers(conninfo: str) -> bool:
    try:
        psycopg.connect(conninfo, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True
