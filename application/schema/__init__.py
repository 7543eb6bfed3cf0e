"""Creates the tables that are not views: numbered steps, applied once and in order."""

from collections.abc import Collection
from hashlib import sha256
from importlib.resources import files

from psycopg import Connection
from psycopg.rows import DictRow

from application.eventstore import advisory_locks


def apply(conn: Connection[DictRow], only: Collection[str] | None = None) -> list[str]:
    """Creates or upgrades the tables in the transaction of `conn`; returns the new steps.

    `only` names the steps to apply; None: all. Waits for another process that is doing the same.
    """
    conn.execute("SELECT pg_advisory_xact_lock(%s)", (advisory_locks.SCHEMA,))
    conn.execute(
        """CREATE TABLE IF NOT EXISTS schema_steps (
            name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())"""
    )
    missing = [name for name in missing_steps(conn) if only is None or name in only]
    for name in missing:
        conn.execute(_text(name))
        conn.execute("INSERT INTO schema_steps (name) VALUES (%s)", (name,))
    return missing


def apply_roles(conn: Connection[DictRow]) -> None:
    """Creates missing roles and grants each what it needs; see `roles.sql`."""
    conn.execute("SELECT pg_advisory_xact_lock(%s)", (advisory_locks.SCHEMA,))
    conn.execute(_text("roles.sql"))
    conn.execute("DELETE FROM public.schema_steps WHERE name ^@ 'roles.sql '")
    conn.execute("INSERT INTO public.schema_steps (name) VALUES (%s)", (_grants(),))


def have_grants(conn: Connection[DictRow]) -> bool:
    """Returns whether the roles were granted their rights by this version of `roles.sql`."""
    found = conn.execute("SELECT FROM public.schema_steps WHERE name = %s", (_grants(),))
    return found.fetchone() is not None


def create_embedded_roles(conn: Connection[DictRow]) -> None:
    """Creates the roles of the embedded database, as its superuser; see `embedded_roles.sql`."""
    conn.execute(_text("embedded_roles.sql"))


def _grants() -> str:
    """Returns the name under which `schema_steps` notes these grants."""
    return f"roles.sql {sha256(_text('roles.sql')).hexdigest()[:16]}"


def _text(file: str) -> bytes:
    return (files(__name__) / file).read_bytes()


def missing_steps(conn: Connection[DictRow]) -> list[str]:
    """Returns the steps of this version that the database has not seen, in order."""
    applied = applied_steps(conn)
    return [name for name in all_steps() if name not in applied]


def all_steps() -> list[str]:
    """Returns the steps of this version, in order."""
    return sorted(file.name for file in files(__name__).iterdir() if file.name[0].isdigit())


def applied_steps(conn: Connection[DictRow]) -> set[str]:
    """Returns the steps that the database has seen."""
    if conn.execute("SELECT to_regclass('schema_steps') AS steps").fetchone() == {"steps": None}:
        return set()
    rows = conn.execute("SELECT name FROM schema_steps")
    return {row["name"] for row in rows if row["name"][0].isdigit()}
