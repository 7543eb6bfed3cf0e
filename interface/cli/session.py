"""A database and services for the length of one command."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic, sleep

import psycopg

from domain.errors import AdmitOneError
from interface.bootstrap import Services, apply_schema, build, require_schema
from interface.embedded_postgres import EmbeddedPostgres
from interface.postgres_programs import AlreadyRuns
from interface.settings import Settings

START_SECONDS = 30.0  # for a service that was started just now


class DatabaseRefused(AdmitOneError):
    """The database can't be used."""


def settings() -> Settings:
    """The checked settings. Raises `SettingsError`."""
    return Settings.from_environment(os.environ)


@contextmanager
def server() -> Iterator[str]:
    """The connection string of the database, its own server started if none runs yet."""
    current = settings()
    with database_errors_told():
        if current.database_url is not None:
            yield current.database_url
            return
        embedded = EmbeddedPostgres(current.data / "postgres", binaries=current.postgres_bin)
        try:
            _find_or_start(embedded)
            yield embedded.conninfo
        finally:
            embedded.stop()


@contextmanager
def database() -> Iterator[str]:
    """As `server`, with all tables: made where the database is our own, else required."""
    with server() as conninfo:
        if settings().database_url is None:
            apply_schema(conninfo)
        else:
            require_schema(conninfo)
        yield conninfo


@contextmanager
def services() -> Iterator[Services]:
    """Services on a database with all its tables."""
    with database() as conninfo:
        current = build(settings(), conninfo)
        try:
            yield current
        finally:
            current.close()


@contextmanager
def database_errors_told() -> Iterator[None]:
    """What the database refuses becomes `DatabaseRefused`: one sentence without a password."""
    try:
        yield
    except (
        psycopg.OperationalError,
        psycopg.errors.InsufficientPrivilege,
        psycopg.errors.ReadOnlySqlTransaction,
    ) as error:
        reason = " ".join((error.diag.message_primary or str(error)).split())
        raise DatabaseRefused(f"The database can't be used: {reason}") from error


def _find_or_start(embedded: EmbeddedPostgres) -> None:
    """Use the server of a service that runs already, or is about to; else start one."""
    ends_at = monotonic() + START_SECONDS
    while not _answers(embedded.conninfo):
        try:
            embedded.start()
            return
        except AlreadyRuns:
            if monotonic() > ends_at:
                raise
            sleep(0.1)


def _answers(conninfo: str) -> bool:
    try:
        psycopg.connect(conninfo, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True
