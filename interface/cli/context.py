"""Settings and services for the duration of one command."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from interface.database_roles import DatabaseRole
from interface.settings import Settings

if TYPE_CHECKING:
    from interface.bootstrap import Services


def settings() -> Settings:
    """Returns the checked settings. Raises `SettingsError`."""
    return Settings.from_environment(os.environ)


@contextmanager
def services(role: DatabaseRole = DatabaseRole.SERVICE) -> Iterator["Services"]:
    """Yields services on a database with all its tables, with the rights of a role."""
    from interface.bootstrap import build  # slow, and not needed for a help text
    from interface.runtime import command_database

    current = settings()
    with command_database.database(current, role) as conninfo:
        built = build(current, conninfo)
        try:
            yield built
        finally:
            built.close()
