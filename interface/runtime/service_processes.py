"""What the processes of `admitone serve` do. Importing this loads the modules of all of them."""

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

from application.people.accounts import Account
from domain.errors import Invalid, Unavailable
from interface import i18n
from interface.bootstrap import Services, apply_schema, build
from interface.key_store import secret_keys
from interface.mail import writer  # noqa: F401 - loaded here so that it is shared
from interface.runtime import delivery_process, forks, projector, web_server
from interface.runtime.parent_watchdog import for_children
from interface.settings import PREFIX, Settings
from interface.webhooks import messages  # noqa: F401 - loaded here so that it is shared

FIRST_OWNER = "owner@localhost"
IN_ORDER: Mapping[str, Callable[[Settings], None]] = MappingProxyType(
    {"sender": delivery_process.run, "projector": projector.run, "web server": web_server.run}
)
"""The work of each process by its name, in the order in which they are started."""


def load() -> None:
    """Loads the data that all processes share, and prepares this one for forking."""
    i18n.load_languages()
    forks.prepare()


def prepare(settings: Settings) -> Settings:
    """Applies the schema, and puts into the environment what all processes share.

    Returns the settings with what was added.
    """
    shared = replace(settings, secret_keys=secret_keys(settings))
    os.environ |= for_children(os.environ) | {
        f"{PREFIX}DATABASE_URL": _conninfo(settings),
        f"{PREFIX}DATA": str(settings.data),
        f"{PREFIX}SECRET_KEYS": ",".join(shared.secret_keys),
    }
    apply_schema(_conninfo(settings))
    return shared


def welcome(settings: Settings, *, say: Callable[[str], None]) -> None:
    """Prints the address and, while nobody has signed in, a link to do so."""
    say(f"Admit One is at {settings.public_url}")
    services = build(settings, _conninfo(settings))
    try:
        account = services.accounts.first() or _first_owner(services)
        if not account.has_signed_in:
            say(f"Sign in (once, within a day): {services.sign_in_url(account)}")
    except Unavailable:
        say("The database stopped answering before a sign-in link was created.")
    finally:
        services.close()


def _conninfo(settings: Settings) -> str:
    assert settings.database_url is not None  # noqa: S101 - that of the embedded server is set
    return settings.database_url


def _first_owner(services: Services) -> Account:
    try:
        return services.accounts.create(email=FIRST_OWNER, name="Owner", roles=("owner", "admin"))
    except Invalid:  # another service on the same database was faster
        return services.accounts.by_email(FIRST_OWNER)
