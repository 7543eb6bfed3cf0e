"""Creates the tables that are not views: numbered steps, applied once and in order."""

from hashlib import sha256
from importlib.resources import files

from psycopg import Connection
from psycopg.rows import DictRow

from application.eventstore import advisory_locks


def apply(conn: Connection[DictRow]) -> list[str]:
    """Creates or upgrades the tables in the transaction of `conn`; returns the new steps.

    Waits for another process that is doing the same.
    """
    conn.execute("SELECT pg_advisory_xact_lock(%s)", (advisory_locks.SCHEMA,))
    conn.execute(
        """CREATE TABLE IF NOT EXISTS schema_steps (
            name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())"""
    )
    missing = missing_steps(conn)
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
    steps = sorted(file.name for file in files(__name__).iterdir() if file.name[0].isdigit())
    if conn.execute("SELECT to_regclass('schema_steps') AS steps").fetchone() == {"steps": None}:
        return steps
    applied = {row["name"] for row in conn.execute("SELECT name FROM schema_steps")}
    return [name for name in steps if name not in applied]
