"""The database for the duration of one command; starts the embedded server if none runs yet."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from threading import Event
from time import monotonic, sleep

import psycopg
from psycopg import Connection
from psycopg.rows import DictRow

from application.eventstore.connection import connect
from application.key_fingerprints import KeyKind
from domain.errors import AdmitOneError
from interface import patroni
from interface.database_roles import DatabaseRole
from interface.runtime import database_start
from interface.runtime.embedded_postgres import EmbeddedPostgres
from interface.runtime.postgres_binaries import AlreadyRuns
from interface.settings import Settings

START_SECONDS = 30.0  # how long to wait for a service that is just starting


class DatabaseRefused(AdmitOneError):
    """The database can't be used."""


@contextmanager
def server(settings: Settings, role: DatabaseRole) -> Iterator[str]:
    """Yields the connection string of the database, whatever tables it has.

    Creates those of the embedded one.
    """
    from interface.bootstrap import is_prepared, prepare_embedded  # slow; `serve` is not to wait

    with _reached(settings, role) as (conninfo, embedded):
        if embedded is not None and not is_prepared(embedded.conninfo_of(DatabaseRole.SERVICE)):
            prepare_embedded(embedded.conninfo, embedded.conninfo_of(DatabaseRole.OWNER))
        yield conninfo


@contextmanager
def unchanged(settings: Settings) -> Iterator[str]:
    """Yields the connection string of the database for whoever may read all of it.

    Nothing is created or upgraded, not even in the embedded one.
    """
    _refuse_empty_place(settings, DatabaseRole.OWNER)
    with _reached(settings, DatabaseRole.OWNER) as (conninfo, embedded):
        yield conninfo if embedded is None else embedded.conninfo


@contextmanager
def to_be_filled(settings: Settings) -> Iterator[str]:
    """Yields the connection string of the database for the owner, who creates the tables."""
    from interface.bootstrap import create_embedded_roles

    with _reached(settings, DatabaseRole.OWNER) as (conninfo, embedded):
        if embedded is not None:
            create_embedded_roles(embedded.conninfo)
        yield conninfo


@contextmanager
def _reached(
    settings: Settings, role: DatabaseRole
) -> Iterator[tuple[str, EmbeddedPostgres | None]]:
    """Yields where the role connects, and the embedded server if it is that one's database."""
    with errors_as_sentences():
        if (conninfo := settings.database_url_of(role)) is not None:
            # A command is short: it asks once for the primary.
            yield patroni.hosts(conninfo, settings.patroni_urls).conninfo(), None
            return
        embedded = EmbeddedPostgres(settings.embedded_database, binaries=settings.postgres_bin)
        try:
            _find_or_start(embedded)
            yield embedded.conninfo_of(role), embedded
        finally:
            embedded.stop()


@contextmanager
def database(settings: Settings, role: DatabaseRole, *, may_create: bool = False) -> Iterator[str]:
    """Like `server`, but raises `SchemaMissing` if the database lacks tables.

    Unless it `may_create` the embedded one, raises `DatabaseRefused` if there is none.
    """
    from interface.bootstrap import require_schema

    if not may_create:
        _refuse_empty_place(settings, role)
    with server(settings, role) as conninfo:
        if settings.database_url is not None:
            require_schema(conninfo)
        yield conninfo


@contextmanager
def database_of_process(
    settings: Settings, role: DatabaseRole, keys: KeyKind, *, stop: Event
) -> Iterator[str]:
    """Like `database`, for a process that runs on: waits for a database that is just starting.

    Raises `KeyMissing` if a key of this kind is missing that the service has used, and `SystemExit`
    if `stop` is set while it waits.
    """
    from interface.bootstrap import require_keys, require_schema

    _refuse_empty_place(settings, role)
    with server(settings, role) as conninfo:

        def require_all() -> None:
            require_schema(conninfo)
            require_keys(conninfo, settings, keys)

        database_start.once_reachable(
            conninfo, require_all, seconds=settings.database_wait, stop=stop
        )
        yield conninfo


@contextmanager
def connection(settings: Settings, role: DatabaseRole) -> Iterator[Connection[DictRow]]:
    """Yields a connection without the deadline that requests have."""
    with database(settings, role) as conninfo, closing(_connect(conninfo)) as conn:
        yield conn


def _connect(conninfo: str) -> Connection[DictRow]:
    return connect(
        conninfo, application_name="admitone projections", settings={"lock_timeout": "5s"}
    )


@contextmanager
def errors_as_sentences() -> Iterator[None]:
    """Turns errors of the database into `DatabaseRefused`: one sentence, without a password."""
    try:
        yield
    except (
        psycopg.OperationalError,
        psycopg.errors.InsufficientPrivilege,
        psycopg.errors.ReadOnlySqlTransaction,
    ) as error:
        reason = database_start.reason(error)
        raise DatabaseRefused(f"The database can't be used: {reason}") from error


def _refuse_empty_place(settings: Settings, role: DatabaseRole) -> None:
    """Raises `DatabaseRefused` if the embedded database would have to be created.

    Then the command lacks the settings of the service, most likely. On a new and empty database it
    would say that a person is not known, and that all is well.
    """
    if settings.database_url_of(role) is not None:
        return
    try:
        is_there = settings.embedded_database.exists()
    except OSError as error:  # the folder belongs to another user
        raise DatabaseRefused(
            f"{settings.embedded_database} can't be read: {error.strerror}. Run the command as the"
            " user of the service."
        ) from error
    if not is_there:
        raise DatabaseRefused(
            f"There is no database in {settings.data}. Give the command the settings of the service"
            " (ADMITONE_DATA, or ADMITONE_DATABASE_URL), or start the service there first."
        )


def _find_or_start(embedded: EmbeddedPostgres) -> None:
    """Returns once the server of a running or starting service answers, or starts one.

    Raises psycopg's error if there is such a service and its server does not answer in time.
    """
    ends_at = monotonic() + START_SECONDS
    while (obstacle := _obstacle(embedded.conninfo)) is not None:
        try:
            embedded.start()
            return
        except AlreadyRuns:
            if monotonic() > ends_at:
                raise obstacle from None
            sleep(0.1)


def _obstacle(conninfo: str) -> psycopg.OperationalError | None:
    """Returns why the server does not answer, or None if it does."""
    try:
        psycopg.connect(conninfo, connect_timeout=2).close()
    except psycopg.OperationalError as error:
        return error
    return None
