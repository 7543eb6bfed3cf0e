"""The service, loaded once in the process that is then forked into all its processes.

Importing this loads the modules of all of them.
"""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from application.key_fingerprints import KeyKind
from application.people.accounts import Account
from domain.errors import Invalid, Unavailable
from interface import bootstrap, i18n, key_store, patroni
from interface.bootstrap import build
from interface.database_roles import DatabaseRole
from interface.mail import writer  # noqa: F401 - loaded here so that it is shared
from interface.observability import logs
from interface.runtime import delivery_process, forks, projector, web_server
from interface.runtime.parent_watchdog import for_children
from interface.settings import Settings
from interface.webhooks import messages  # noqa: F401 - loaded here so that it is shared
from interface.wsgi import create_app

FIRST_OWNER = "owner@localhost"


class LoadedService:
    """Everything that the processes of the service share. Nothing of it is in use yet."""

    def __init__(self, settings: Settings, *, web_only: bool = False) -> None:
        """Loads the service, which needs no database yet. `web_only`: without what serves nobody.

        Raises `SettingsError` if the keys can't be stored.
        """
        logs.configure(settings.log)
        self._settings = settings
        # Not stored before the database has said that no other one was lost.
        self._new_secret = None
        if not key_store.existing_keys(settings)[KeyKind.SECRET]:
            self._new_secret = key_store.new_secret()
        own = (self._new_secret,) if self._new_secret else key_store.secret_keys(settings)
        settings = replace(settings, secret_keys=own)
        service_url = settings.database_url_of(DatabaseRole.SERVICE)
        owner_url = settings.database_url_of(DatabaseRole.OWNER)
        if service_url is None or owner_url is None:
            raise ValueError("the settings name no database")
        self._of_owner = patroni.hosts(owner_url, settings.patroni_urls)
        os.environ |= for_children(os.environ)
        i18n.load_languages()
        self._services = build(settings, service_url)
        app = create_app(self._services)
        in_background = {
            "sender": partial(delivery_process.run, settings),
            "projector": partial(projector.run, settings),
        }
        hosts = self._services.database.hosts
        serving = {"web server": partial(web_server.run, settings, app, hosts)}
        self.processes: Mapping[str, Callable[[], None]] = (
            serving if web_only else in_background | serving
        )
        """The work of each process, by its name, in the order in which they are started."""
        forks.prepare()

    @property
    def owner_url(self) -> str:
        """The connection string of the database for the owner of its tables.

        Of several hosts, the one that is the primary now comes first.
        """
        return self._of_owner.conninfo()

    def apply_schema(self) -> None:
        """Creates or upgrades the tables."""
        bootstrap.apply_schema(self.owner_url)
        self._settle_keys()

    def prepare_embedded(self, superuser: str) -> None:
        """Creates or upgrades the roles and tables of the embedded database.

        `superuser` is the connection string of its superuser.
        """
        bootstrap.prepare_embedded(superuser, self.owner_url)
        self._settle_keys()

    def _settle_keys(self) -> None:
        """Stores new keys and records which there are. Raises `KeyMissing` if one was lost."""
        bootstrap.require_keys(self.owner_url, self._settings)
        if self._new_secret is not None:
            key_store.store_secret(self._settings, self._new_secret)
        bootstrap.record_keys(self.owner_url, self._settings)

    def welcome(self, say: Callable[[str], None]) -> None:
        """Prints the address and, while nobody has signed in, how to do so.

        A terminal shows a link. A log, which others may read, does not.

        To be called in a process of its own, because it starts threads.
        """
        services = self._services
        try:
            how_to_sign_in = self._how_to_sign_in()
        except Unavailable:
            how_to_sign_in = "The database stopped answering before a sign-in link was created."
        finally:
            services.close()
        # Last: whoever waits for the address can count on the first account.
        say(f"Admit One is at {services.settings.public_url}")
        if how_to_sign_in:
            say(how_to_sign_in)

    def _how_to_sign_in(self) -> str:
        """Creates the first account, if there is none, and says how to sign in to it.

        Returns an empty text once anybody has signed in.
        """
        services = self._services
        account = services.accounts.first() or self._first_owner()
        if services.accounts.anybody_has_signed_in():
            return ""
        if services.settings.oidc_only:
            return f"People sign in with {services.settings.oidc_provider_name}."
        if sys.stdout.isatty():
            return f"Sign in (once, within a day): {services.sign_in_url(account)}"
        return f"To sign in: admitone accounts sign-in-link {account.email}"

    def _first_owner(self) -> Account:
        accounts = self._services.accounts
        try:
            return accounts.create(email=FIRST_OWNER, name="Owner", roles=("owner", "admin"))
        except Invalid:  # another service on the same database was faster
            return accounts.by_email(FIRST_OWNER)
