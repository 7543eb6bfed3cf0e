"""Settings to services: the only place where the parts are put together."""

import os
import secrets
import zoneinfo
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from psycopg.rows import dict_row

from application import schema
from application.accounts import Accounts
from application.bookings import Bookings
from application.database import Database
from application.tokens import Tokens
from interface.settings import Settings
from projections.catalogue import create_views

POOL_SIZE = 8

# The pinned tzdata on every machine, whatever its system has: an auditor replays with the
# same clocks that decided.
zoneinfo.reset_tzpath(to=())


def utc_now() -> datetime:
    """The clock of the service."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Services:
    """All that an entrance (web, command line, test) calls."""

    settings: Settings
    database: Database
    tokens: Tokens
    accounts: Accounts
    bookings: Bookings
    now: Callable[[], datetime] = utc_now

    def close(self) -> None:
        """Give all connections back."""
        self.bookings.close()


def build(settings: Settings, conninfo: str, *, now: Callable[[], datetime] = utc_now) -> Services:
    """Services on the database at `conninfo`. Call it after forking: it owns threads."""
    database = Database(conninfo, max_pool_size=POOL_SIZE)
    tokens = Tokens(secret_keys(settings))
    return Services(
        settings=settings,
        database=database,
        tokens=tokens,
        accounts=Accounts(database, tokens),
        bookings=Bookings(database),
        now=now,
    )


def secret_keys(settings: Settings) -> tuple[str, ...]:
    """The keys that sign tokens, newest first; made once where none are set."""
    if settings.secret_keys:
        return settings.secret_keys
    settings.data.mkdir(parents=True, exist_ok=True)
    path = settings.data / "secret_keys"
    if not path.exists():
        _create_whole(path, secrets.token_urlsafe(48))
    return tuple(path.read_text().split())


def _create_whole(path: Path, text: str) -> None:
    """Create a file of mode 0600 with all its text, unless somebody was first."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def apply_schema(conninfo: str) -> list[str]:
    """Create or upgrade tables and views, all or nothing; the steps that were new."""
    with psycopg.connect(conninfo, row_factory=dict_row) as conn:
        steps = schema.apply(conn)
        create_views(conn)
        return steps
