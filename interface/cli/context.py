"""Settings and services for the duration of one command."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from interface.bootstrap import Services, build
from interface.runtime import command_database
from interface.settings import Settings


def settings() -> Settings:
    """Returns the checked settings. Raises `SettingsError`."""
    return Settings.from_environment(os.environ)


@contextmanager
def services() -> Iterator[Services]:
    """Yields services on a database with all its tables."""
    current = settings()
    with command_database.database(current) as conninfo:
        built = build(current, conninfo)
        try:
            yield built
        finally:
            built.close()
