"""A real PostgreSQL, services on it, and the whole service as a process of its own."""

import gc
import logging
import os
import signal
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any, cast

import hypothesis
import psycopg
import pytest
from argon2 import PasswordHasher
from flask import Flask
from psycopg import sql
from psycopg.conninfo import make_conninfo
from psycopg.rows import DictRow, dict_row
from werkzeug.local import LocalProxy

from application.people import authentication
from interface.bootstrap import Services, apply_schema, build
from interface.observability import logs
from interface.runtime.embedded_postgres import EmbeddedPostgres
from interface.settings import Settings
from interface.wsgi import create_app
from projections.engine import positions
from tests.support.clock import Clock
from tests.support.command_line import Command, run_command
from tests.support.desk import Desk
from tests.support.examples import NOW, SECRET
from tests.support.log_trigger import bypass_log_trigger
from tests.support.owner import Owner
from tests.support.projector import apply_log
from tests.support.service import Service, running_service
from tests.support.signed_in_browser import SignedIn, sign_in

TEST_DATABASE_URL = "ADMITONE_TEST_DATABASE_URL"


def pytest_configure() -> None:
    """Lets signals reach what tests start, also when the run itself ignores them.

    As it does under `nohup`, or in the background of a script. A new program starts with the
    default again.
    """
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda *_: None)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Runs the longest files first, so that none is left running alone at the end."""
    items.sort(key=lambda item: not item.nodeid.startswith(("tests/browser/", "tests/siege/")))


def pytest_collection() -> None:
    """Turns the garbage collector off until all tests are collected: little of them is garbage."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Keeps the garbage collector from walking through all modules and tests again and again."""
    gc.freeze()
    gc.enable()


# Nothing is decided by timing, which on a busy machine says nothing about the code.
hypothesis.settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any machine")


@pytest.fixture(autouse=True)
def _log_levels_of_one_test() -> Iterator[None]:
    """Takes back the levels that a test, or a service that it started, gave to the log."""
    loggers = [logging.getLogger(name) for name in (None, *logs.OUR_FOLDERS)]
    levels = [logger.level for logger in loggers]
    yield
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL server: the embedded one, or the one that `make test` was given."""
    given = os.environ.get(TEST_DATABASE_URL)
    if given:
        yield given
        return
    with EmbeddedPostgres(tmp_path_factory.mktemp("server") / "postgres") as embedded:
        with psycopg.connect(embedded.conninfo, autocommit=True) as admin:
            # Only tests with servers of their own cut the power.
            admin.execute("ALTER SYSTEM SET fsync = off")
            # Autovacuum would change plans at any moment.
            admin.execute("ALTER SYSTEM SET autovacuum = off")
            admin.execute("SELECT pg_reload_conf()")
        yield embedded.conninfo


@pytest.fixture(scope="session")
def new_database(server: str) -> Iterator[Callable[[], str]]:
    """Makes databases with all tables and no rows, each in some 50 ms."""
    made: list[str] = []
    with psycopg.connect(server, autocommit=True) as admin:

        def create(template: str | None = None) -> str:
            name = f"admitone_test_{os.getpid()}_{len(made)}"
            statement = "CREATE DATABASE {} TEMPLATE {}" if template else "CREATE DATABASE {}"
            names = [sql.Identifier(name)] + ([sql.Identifier(template)] if template else [])
            admin.execute(sql.SQL(statement).format(*names))
            made.append(name)
            return name

        template = create()
        apply_schema(make_conninfo(server, dbname=template))
        yield lambda: make_conninfo(server, dbname=create(template))
        for name in made:
            admin.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
            )


@pytest.fixture(scope="session")
def shared_database(new_database: Callable[[], str]) -> str:
    """The database that most tests use one after the other."""
    return new_database()


@pytest.fixture(scope="session")
def remove_all_rows(shared_database: str) -> Iterator[Callable[[], None]]:
    """Empties the shared database, always on one connection: a new one plans all of it anew."""
    opened: list[psycopg.Connection[Any]] = []

    def remove() -> None:
        if not opened or opened[-1].closed:
            opened.append(psycopg.connect(shared_database, autocommit=True))
        with opened[-1].transaction():
            empty(opened[-1])

    def remove_all() -> None:
        try:
            remove()
        except psycopg.OperationalError:  # the test before has cut all connections
            remove()

    yield remove_all
    for conn in opened:
        conn.close()


@pytest.fixture
def conninfo(shared_database: str, remove_all_rows: Callable[[], None]) -> str:
    """A database with no rows in it."""
    remove_all_rows()
    return shared_database


LARGE = 64 * 1024
"""Bytes. To truncate a table takes as long as many deletions, but it makes a table small again."""


def empty(conn: psycopg.Connection[Any]) -> None:
    """Removes all rows, of the tables that have some."""
    tables = conn.execute(
        """SELECT tablename FROM pg_tables WHERE schemaname = 'public'
        AND tablename NOT IN ('schema_steps', 'projection_positions')"""
    ).fetchall()
    bypass_log_trigger(conn)
    for name, is_large in conn.execute(query_for_filled(*(name for (name,) in tables))).fetchall():
        remove = sql.SQL("TRUNCATE {} CASCADE" if is_large else "DELETE FROM {}")
        conn.execute(remove.format(sql.Identifier(name)))
    conn.execute("SELECT setval(seqrelid::regclass, seqstart, false) FROM pg_sequence")
    conn.execute("UPDATE projection_positions SET position = 0, begun_at = now()")


@cache
def query_for_filled(*tables: str) -> bytes:
    """Returns the query for those of the tables that have rows, and whether they are large."""
    each = "SELECT {0}, pg_relation_size({0}) > {2} WHERE EXISTS (SELECT FROM {1})"
    queries = [sql.SQL(each).format(name, sql.Identifier(name), LARGE) for name in tables]
    return sql.SQL(" UNION ALL ").join(queries).as_bytes()


@pytest.fixture
def clock() -> Clock:
    """Stands at `examples.NOW`."""
    return Clock()


@pytest.fixture(scope="session", autouse=True)
def cheap_hashes() -> Iterator[None]:
    """In this process, a password is hashed in no time and without 64 MiB."""
    cheap = partial(PasswordHasher, time_cost=1, memory_cost=8, parallelism=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(authentication, "PasswordHasher", cheap)
        yield


@pytest.fixture
def services(conninfo: str, clock: Clock, tmp_path: Path) -> Iterator[Services]:
    """Services on an empty database."""
    settings = Settings(data=tmp_path, secret_keys=(SECRET,), public_url="https://book.example.org")
    built = build(settings, conninfo, now=clock)
    yield built
    built.close()


@pytest.fixture
def desk(services: Services) -> Desk:
    """Gives the example owner's commands to services on an empty database."""
    return Desk(services)


@pytest.fixture
def conn(conninfo: str) -> Iterator[psycopg.Connection[DictRow]]:
    """A connection to an empty database. Times are read in UTC."""
    with psycopg.connect(conninfo, autocommit=True, row_factory=dict_row) as connection:
        connection.execute("SET timezone = 'UTC'")
        yield connection


@pytest.fixture
def catch_up(conninfo: str) -> Callable[[], None]:
    """Applies what is in the log to all views, here and now."""

    return lambda: apply_log(conninfo)


@pytest.fixture(scope="session")
def web_application() -> Callable[[Services], Flask]:
    """The web application, built once: it takes longer than most tests. Put it on services."""
    used: list[Services] = []
    app = create_app(cast("Services", LocalProxy(lambda: used[-1])))

    def on(services: Services) -> Flask:
        used[:] = [services]
        return app

    return on


@pytest.fixture
def app(web_application: Callable[[Services], Flask], services: Services) -> Flask:
    """The web application on an empty database. Its metrics go on from those of other tests."""
    return web_application(services)


@pytest.fixture
def new_owner(app: Flask, services: Services, catch_up: Callable[[], None]) -> Callable[..., Owner]:
    """Makes accounts with an API key."""

    def make(name: str = "Olivia Owner", roles: tuple[str, ...] = ("owner",)) -> Owner:
        email = f"{name.split()[0].lower()}@example.org"
        account = services.accounts.create(email=email, name=name, roles=roles)
        key = services.api_keys.create(account, name="tests", now=NOW)
        return Owner(account, key, app.test_client(), catch_up)

    return make


@pytest.fixture
def owner(new_owner: Callable[..., Owner]) -> Owner:
    """An owner with an API key."""
    return new_owner()


@pytest.fixture
def person(
    owner: Owner,
    app: Flask,
    services: Services,
    catch_up: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> SignedIn:
    """The owner, signed in at a browser. No projector runs: whoever waits for a view moves it."""
    monkeypatch.setattr(positions, "wait_for", lambda *_: catch_up())
    token = services.accounts.sign_in_token(owner.account)
    return sign_in(app.test_client(), owner.account, token, catch_up)


@pytest.fixture
def run() -> Command:
    """Runs `admitone` with the environment of this process."""
    return run_command


@pytest.fixture
def admitone(
    run: Command, monkeypatch: pytest.MonkeyPatch, conninfo: str, tmp_path: Path
) -> Command:
    """Runs `admitone` on an empty database."""
    monkeypatch.setenv("ADMITONE_DATABASE_URL", conninfo)
    monkeypatch.setenv("ADMITONE_SECRET_KEYS", SECRET)
    monkeypatch.setenv("ADMITONE_DATA", str(tmp_path))
    return run


@pytest.fixture(scope="session")
def service(
    new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """`admitone serve` as it is run, on a database of its own. It may call programs of tests."""
    settings = {"ADMITONE_OUTGOING_NETWORKS": "127.0.0.1/32"}
    with running_service(tmp_path_factory.mktemp("service"), new_database(), **settings) as running:
        yield running
