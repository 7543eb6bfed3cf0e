"""The settings of an installation: read from the environment, checked before anything starts."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, get_origin, get_type_hints

from interface import setting_values as read
from interface import web_address
from interface.database_roles import DatabaseRole
from interface.outgoing import outgoing_url
from interface.outgoing.outgoing_url import Proxy
from interface.setting_values import Unusable
from interface.smtp_address import SmtpServer
from interface.web_address import InvalidAddress, WebAddress

PREFIX = "ADMITONE_"
LONGEST_RETENTION_DAYS = 36500
LONGEST_PATROL_HOURS = 8760
LONGEST_DATABASE_WAIT = 3600  # seconds
SECRETS = (
    "database_url",
    "owner_database_url",
    "projector_database_url",
    "auditor_database_url",
    "listen_url",
    "replica_url",
    "secret_keys",
    "audit_key",
    "metrics_token",
    "outgoing_proxy",
    "smtp_url",
    "oidc_client_secret",
)
FROM_FILE = "_FILE"
"""Ends the name of the setting that names a file with the secret."""
LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1"))
# The path of the public address must not begin with one of these. A proxy may remove that path or
# not, and /b/x would have two meanings.
PATHS_OF_THE_SERVICE = (
    "account",
    "accounts",
    "api",
    "audit",
    "b",
    "bookings",
    "first-link",
    "healthz",
    "help",
    "links",
    "llms.txt",
    "m",
    "metrics",
    "operations",
    "readyz",
    "settings",
    "sign-in",
    "sign-out",
    "static",
)

_OF_THE_DATABASE = (
    "owner_database_url",
    "projector_database_url",
    "auditor_database_url",
    "listen_url",
    "replica_url",
    "patroni_urls",
)
"""Settings that need ADMITONE_DATABASE_URL."""
_ROLES_NEED = {"oidc_role_claim": "oidc_roles", "oidc_roles": "oidc_role_claim"}


class SettingsError(ValueError):
    """The environment holds settings that can't be used."""


def _web_address(text: str) -> str:
    """Returns the address in its normal form, without a slash at its end."""
    try:
        address = web_address.parse(text)
    except InvalidAddress as error:
        raise Unusable(f"{error}, such as https://book.example.org{read.quoted(text)}") from error
    first = address.path.partition("/")[2].partition("/")[0]
    if first in PATHS_OF_THE_SERVICE:
        raise Unusable(f"must not have a path that begins with /{first}: the service uses it")
    return str(address)


@dataclass(frozen=True)
class Settings:
    """The settings of one installation. The defaults suit a single machine.

    Beside the type of each stands what reads it from the environment. A reader never sees an
    empty text, which means "not set", and raises `Unusable`.
    """

    database_url: Annotated[str | None, read.database_url] = None
    """ADMITONE_DATABASE_URL: a PostgreSQL server, 15 or newer. Unset: our own, in `data`."""
    owner_database_url: Annotated[str | None, read.database_url] = None
    """ADMITONE_OWNER_DATABASE_URL: the same database for the owner of its tables, who upgrades
    them. Unset: ADMITONE_DATABASE_URL, as for the next two."""
    projector_database_url: Annotated[str | None, read.database_url] = None
    """ADMITONE_PROJECTOR_DATABASE_URL: the same database for the projector."""
    auditor_database_url: Annotated[str | None, read.database_url] = None
    """ADMITONE_AUDITOR_DATABASE_URL: the same database for `admitone audit`."""
    database_wait: Annotated[int, read.whole_number(0, LONGEST_DATABASE_WAIT)] = 60
    """ADMITONE_DATABASE_WAIT: seconds for which a start waits for a database that is starting or
    can't be reached, 0 to 3600."""
    listen_url: Annotated[str | None, read.database_url] = None
    """ADMITONE_LISTEN_URL: the same database and role for the session that senders keep while they
    work, so that it does not occupy a pooler such as PgBouncer. Unset: ADMITONE_DATABASE_URL."""
    replica_url: Annotated[str | None, read.database_url] = None
    """ADMITONE_REPLICA_URL: a standby of that database, for lists in the API and calendar feeds,
    which may be 5 seconds old. One that is further behind or does not answer is passed over.
    Unset: everything is read from the primary."""
    patroni_urls: Annotated[tuple[str, ...], read.patroni_urls] = ()
    """ADMITONE_PATRONI_URLS: comma-separated addresses of Patroni's API on the hosts that
    ADMITONE_DATABASE_URL names, which are asked for the primary. Unset: the first host that says
    that it takes writes is used."""
    pool_size: Annotated[int, read.whole_number(1, 100)] = 4
    """ADMITONE_POOL_SIZE: connections to the database that a web process opens at most, and as many
    to a standby, 1 to 100."""
    data: Annotated[Path, read.new_folder] = Path("var")
    """ADMITONE_DATA: the folder for the embedded database, the keys and the checkpoints."""
    host: Annotated[str, read.ip_address] = "127.0.0.1"
    """ADMITONE_HOST: the IP address to listen on; 0.0.0.0 or :: for all."""
    port: Annotated[int, read.whole_number(1, 65535)] = 8000
    """ADMITONE_PORT: 1 to 65535."""
    workers: Annotated[int, read.whole_number(1, 64)] = 2
    """ADMITONE_WORKERS: web processes, 1 to 64."""
    secret_keys: Annotated[tuple[str, ...], read.secrets] = ()
    """ADMITONE_SECRET_KEYS: comma-separated, newest first, 32 characters or more each.
    Unset: made once and stored in the data folder."""
    audit_key: Annotated[str, str] = ""
    """ADMITONE_AUDIT_KEY: the private keys that sign checkpoints of the log, comma-separated,
    newest first, in the form of sumdb/note. Unset: made once and stored in the data folder."""
    checkpoints: Annotated[Path | None, read.new_folder] = None
    """ADMITONE_CHECKPOINTS: the folder for signed checkpoints. Unset: in `data`."""
    patrol_hours: Annotated[int, read.whole_number(1, LONGEST_PATROL_HOURS)] = 24
    """ADMITONE_PATROL_HOURS: the service checks its whole log at least this often, 1 to 8760."""
    public_url: Annotated[str, _web_address] = ""
    """ADMITONE_PUBLIC_URL: how people reach the service, in normal form. Unset: host and port."""
    public_url_is_set: bool = False
    """True if the operator has set `public_url`, so that people use no other address."""
    trusted_proxies: Annotated[tuple[IPv4Network | IPv6Network, ...], read.networks] = LOOPBACK
    """ADMITONE_TRUSTED_PROXIES: comma-separated addresses or networks of the proxies in front,
    which name the client in X-Forwarded-For; or `none`. Unset: proxies on this machine."""
    metrics_token: Annotated[str, read.secret] = ""
    """ADMITONE_METRICS_TOKEN: lets other machines read the metrics, 32 characters or more.
    Unset: only this machine may."""
    smtp_url: Annotated[SmtpServer | None, read.smtp_server] = None
    """ADMITONE_SMTP_URL: the server that takes mail, as smtp:// or smtps:// with its login.
    Unset: mails are written as files into the data folder, and none goes out."""
    mail_from: Annotated[str, read.mail_address] = ""
    """ADMITONE_MAIL_FROM: the address that mails come from. Unset: admit-one at the host of
    `public_url`."""
    outgoing_networks: Annotated[tuple[IPv4Network | IPv6Network, ...], read.networks] = ()
    """ADMITONE_OUTGOING_NETWORKS: comma-separated addresses or networks that the service may reach
    although they are not public, for calendars inside the own network. Unset: none."""
    outgoing_proxy: Annotated[Proxy | None, read.proxy] = None
    """ADMITONE_OUTGOING_PROXY: an HTTP proxy for all requests to other servers. Unset: none."""
    outgoing_ca_file: Annotated[Path | None, read.certificates] = None
    """ADMITONE_OUTGOING_CA_FILE: certificates (PEM) to trust in such requests, beside the
    system's."""
    postgres_bin: Annotated[Path | None, read.folder] = None
    """ADMITONE_POSTGRES_BIN: a folder of PostgreSQL programs to use instead of the embedded."""
    log: Annotated[str | None, read.choice("json", "text")] = None
    """ADMITONE_LOG: `json` or `text`. Unset: text on a terminal, else JSON."""
    attempts_days: Annotated[int, read.whole_number(1, LONGEST_RETENTION_DAYS)] = 90
    """ADMITONE_ATTEMPTS_DAYS: days for which refused attempts to book are stored, 1 to 36500."""
    security_addresses_days: Annotated[int, read.whole_number(1, LONGEST_RETENTION_DAYS)] = 90
    """ADMITONE_SECURITY_ADDRESSES_DAYS: days for which the security log has addresses, of clients
    and of e-mail, 1 to 36500. Its entries stay."""
    deliveries_days: Annotated[int, read.whole_number(1, LONGEST_RETENTION_DAYS)] = 400
    """ADMITONE_DELIVERIES_DAYS: days for which is stored what was sent or no longer needed, of
    mails and messages to webhooks, 1 to 36500. What was given up stays until it is retried."""
    forget_after_days: Annotated[int | None, read.whole_number(1, LONGEST_RETENTION_DAYS)] = None
    """ADMITONE_FORGET_AFTER_DAYS: days from a booking's end until its invitee is forgotten,
    1 to 36500. Unset: invitees are forgotten only on request."""

    oidc_issuer: Annotated[str, read.issuer] = ""
    """ADMITONE_OIDC_ISSUER: the identity provider at which people sign in by OpenID Connect, as it
    names itself. Unset: none."""
    oidc_client_id: Annotated[str, str] = ""
    """ADMITONE_OIDC_CLIENT_ID: how this service is known to the provider."""
    oidc_client_secret: Annotated[str, str] = ""
    """ADMITONE_OIDC_CLIENT_SECRET: the secret that the provider has given for it. Unset: none,
    for a client that is public there."""
    oidc_name: Annotated[str, str] = ""
    """ADMITONE_OIDC_NAME: how people know the provider. Unset: its host."""
    oidc_scopes: Annotated[tuple[str, ...], read.scopes] = ("openid", "email", "profile")
    """ADMITONE_OIDC_SCOPES: what is asked of the provider, with spaces between."""
    oidc_domains: Annotated[tuple[str, ...], read.domains] = ()
    """ADMITONE_OIDC_DOMAINS: comma-separated domains; who has an e-mail address in one of them gets
    an account at the first sign-in. Unset: only who has an account signs in."""
    oidc_role_claim: Annotated[str, str] = ""
    """ADMITONE_OIDC_ROLE_CLAIM: the claim by which the provider gives roles at each sign-in, such
    as `groups` or `realm_access.roles`. Unset: roles are given here."""
    oidc_roles: Annotated[tuple[tuple[str, str], ...], read.roles_by_value] = ()
    """ADMITONE_OIDC_ROLES: which value of that claim is which role, such as
    `staff=owner, compliance=auditor`."""
    oidc_only: Annotated[bool, read.yes_or_no] = False
    """ADMITONE_OIDC_ONLY: `yes` if people sign in by the provider only."""

    def database_url_of(self, role: DatabaseRole) -> str | None:
        """Returns where a role connects; None: to the embedded database."""
        own = {
            DatabaseRole.OWNER: self.owner_database_url,
            DatabaseRole.PROJECTOR: self.projector_database_url,
            DatabaseRole.AUDITOR: self.auditor_database_url,
        }
        return own.get(role) or self.database_url

    @property
    def local_host(self) -> str:
        """The address at which this machine itself reaches the service."""
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104

    @property
    def local_url(self) -> str:
        """The URL at which this machine itself reaches the service."""
        host = f"[{self.local_host}]" if ":" in self.local_host else self.local_host
        return f"http://{host}:{self.port}"

    @property
    def mail_folder(self) -> Path:
        """The folder of mails that do not go out."""
        return self.data / "mail"

    @cached_property
    def public_address(self) -> WebAddress:
        """The address at which people reach the service."""
        return web_address.parse(self.public_url or self.local_url)

    @property
    def public_host(self) -> str:
        """The host of that address, without its port."""
        return self.public_address.host

    @cached_property
    def sender_address(self) -> str:
        """The address that mails come from."""
        host = self.public_host
        if web_address.is_ip_address(host):
            host = "localhost"
        return self.mail_from or f"admit-one@{host}"

    @property
    def oidc_provider_name(self) -> str:
        """The name by which people know the identity provider."""
        return self.oidc_name or outgoing_url.parse(self.oidc_issuer).host

    @property
    def checkpoints_folder(self) -> Path:
        """The folder of signed checkpoints."""
        return self.checkpoints or self.data / "checkpoints"

    @property
    def embedded_database(self) -> Path:
        """The folder of the embedded database, if that is used."""
        return self.data / "postgres"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Reads and checks all settings. Raises `SettingsError`, which names every wrong one."""
        values: dict[str, Any] = {"data": cls.data.absolute()}
        errors = []
        for name, reader in _readers().items():
            variable = _variable(name)
            try:
                if text := _printable(_text(environment, variable, name in SECRETS)):
                    values[name] = reader(text)
            except Unusable as error:
                errors.append(f"{variable} {error}.")
        if "database_url" not in values:
            errors += [
                f"{_variable(name)} needs {_variable('database_url')}."
                for name in _OF_THE_DATABASE
                if name in values
            ]
        errors += _missing_oidc(values)
        if errors:
            raise SettingsError("\n".join(errors))
        settings = cls(**values)
        if settings.public_url:
            return replace(settings, public_url_is_set=True)
        return replace(settings, public_url=settings.local_url)


def _missing_oidc(values: Mapping[str, Any]) -> Iterator[str]:
    """Yields a sentence for each setting of the identity provider that lacks another one."""
    needs = {name: "oidc_issuer" for name in values if name.startswith("oidc_")}
    needs["oidc_issuer"] = "oidc_client_id"
    needs |= {} if "oidc_issuer" not in values else _ROLES_NEED
    for name, needed in needs.items():
        if name in values and needed not in values:
            yield f"{_variable(name)} needs {_variable(needed)}."


def variables() -> set[str]:
    """Returns the names of all environment variables that are settings."""
    return {_variable(name) for name in _readers()}


def secret_variables() -> set[str]:
    """Returns the names of the environment variables that hold a secret, or name its file."""
    own = {_variable(name) for name in SECRETS}
    return own | {name + FROM_FILE for name in own}


def unused_settings(environment: Mapping[str, str]) -> list[str]:
    """Returns the names with our prefix that this version does not read: mostly typing errors."""
    used = variables() | secret_variables()
    return sorted(name for name in environment if name.startswith(PREFIX) and name not in used)


def _readers() -> dict[str, Callable[[str], Any]]:
    """Returns, for each field that the environment sets, what reads it."""
    hints = get_type_hints(Settings, include_extras=True)
    return {
        name: hint.__metadata__[0] for name, hint in hints.items() if get_origin(hint) is Annotated
    }


def _text(environment: Mapping[str, str], variable: str, is_secret: bool) -> str:
    """Returns the text of a setting. That of a secret may be in a file, which another one names."""
    text = environment.get(variable, "").strip()
    file = environment.get(variable + FROM_FILE, "").strip() if is_secret else ""
    if text or not file:
        return text
    try:
        return Path(file).read_text("utf-8").strip()
    except (OSError, ValueError) as error:
        raise Unusable(f"must be in the file that {variable}{FROM_FILE} names") from error


def _variable(name: str) -> str:
    return PREFIX + name.upper()


def _printable(text: str) -> str:
    if not text.isprintable():  # a byte that is not UTF-8 is not printable either
        raise Unusable("must be printable characters in UTF-8")
    return text
