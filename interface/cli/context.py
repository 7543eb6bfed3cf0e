"""Settings and services for the duration of one command."""

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from interface.database_roles import DatabaseRole
from interface.loading import without_garbage_collection
from interface.settings import Settings

if TYPE_CHECKING:
    from application.people.security_log import Origin
    from interface.bootstrap import Services


def settings() -> Settings:
    """Returns the checked settings. Raises `SettingsError`."""
    return Settings.from_environment(os.environ)


def actor() -> str:
    """Returns who runs this command: the login of the real user id, whatever the environment says.

    Or the id itself, if it has no login here.
    """
    user = os.getuid()
    try:
        return f"command:{pwd.getpwuid(user).pw_name}"
    except KeyError:
        return f"command:{user}"


def origin() -> "Origin":
    """Returns who acts, as the security log records it."""
    from application.people.security_log import Origin  # slow, and not needed for a help text

    return Origin(actor())


@contextmanager
def services(
    role: DatabaseRole = DatabaseRole.SERVICE, *, may_create: bool = False
) -> Iterator["Services"]:
    """Yields services on a database with all its tables, with the rights of a role.

    Unless the command `may_create` the embedded database, it is refused if there is none.
    """
    with without_garbage_collection():
        from application.people import security_log  # slow, and not needed for a help text
        from interface.bootstrap import build, require_keys
        from interface.runtime import command_database

    current = settings()
    database = command_database.database(current, role, may_create=may_create)
    with security_log.acting(origin), database as conninfo:
        if role is DatabaseRole.SERVICE:  # an auditor's machine has not these keys
            require_keys(conninfo, current)
        built = build(current, conninfo)
        try:
            yield built
        finally:
            built.close()
