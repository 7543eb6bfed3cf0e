"""A database whose tables belong to a migrator, and connections with the rights of one role."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import Connection, sql
from psycopg.conninfo import make_conninfo
from psycopg.rows import DictRow, dict_row

from interface.bootstrap import apply_roles, apply_schema

SERVICE, PROJECTOR, AUDITOR = "admitone_service", "admitone_projector", "admitone_auditor"
MIGRATOR, DATABASE = "admitone_test_migrator", "admitone_test_roles"
ALL = (MIGRATOR, SERVICE, PROJECTOR, AUDITOR)


def as_role(conninfo: str, role: str) -> str:
    """Returns a connection string with the rights of this role and no others."""
    return make_conninfo(conninfo, options=f"-c role={role}")


@contextmanager
def acting_as(conninfo: str, role: str) -> Iterator[Connection[DictRow]]:
    """Opens a connection with the rights of that role."""
    with psycopg.connect(
        as_role(conninfo, role), autocommit=True, row_factory=dict_row
    ) as connection:
        yield connection


@contextmanager
def database_with_roles(server: str) -> Iterator[str]:
    """Creates a database as a migrator who is not a superuser, and removes it and new roles.

    By default, nobody else may run the migrator's functions.
    """
    with psycopg.connect(server, autocommit=True) as admin:
        before = {name for (name,) in admin.execute("SELECT rolname FROM pg_roles")}
        database, migrator = sql.Identifier(DATABASE), sql.Identifier(MIGRATOR)
        admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(database))
        if MIGRATOR not in before:
            admin.execute(sql.SQL("CREATE ROLE {} CREATEROLE").format(migrator))
        admin.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(database, migrator))
        conninfo = make_conninfo(server, dbname=DATABASE)
        with acting_as(conninfo, MIGRATOR) as conn:
            conn.execute("ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC")
        try:
            for _ in range(2):
                apply_schema(as_role(conninfo, MIGRATOR))
                apply_roles(as_role(conninfo, MIGRATOR))
            yield conninfo
        finally:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(database))
            for role in (*ALL[1:], MIGRATOR):
                if role not in before:
                    admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))
