"""The composition root: the only place that puts the parts of the service together."""

import zoneinfo
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zipfile import ZipFile

from psycopg import Connection, OperationalError
from psycopg.errors import InsufficientPrivilege
from psycopg.rows import DictRow

from application import backup, key_fingerprints, schema
from application.backup import BackupUnusable, Manifest
from application.busy_calendars.busy_calendars import BusyCalendars
from application.busy_calendars.reading import BusyCalendarReader
from application.calendar_feeds import CalendarFeeds
from application.commands.agent_limits import AgentLimits
from application.commands.bookings import BookingCommands
from application.commands.calendars import CalendarCommands
from application.commands.erasure import ErasureCommands
from application.commands.links import LinkCommands
from application.commands.redemption import RedemptionCommands
from application.commands.request_answers import RequestAnswers
from application.commands.schedules import ScheduleCommands
from application.deliveries.deliveries import Deliveries
from application.eventstore.connection import connect
from application.eventstore.database import Database
from application.eventstore.event_sourced_application import EventSourcedApplication
from application.eventstore.standby import Standby
from application.eventstore.transaction_pooling import is_pooled_by_transaction
from application.eventstore.write_probe import WriteProbe
from application.key_fingerprints import KeyKind, KnownKey
from application.link_requests import LinkRequests
from application.outgoing import Outgoing
from application.people.accounts import Account, Accounts
from application.people.api_keys import ApiKeys
from application.people.authentication import Sessions
from application.people.identities import Admission, Identities
from application.people.passkeys import Passkeys, RelyingParty
from application.people.rate_limits import RateLimits
from application.people.recent_callers import RecentCallers
from application.people.refused_attempts import RefusedAttempts
from application.people.security_log import SecurityLog
from application.people.tokens import Tokens
from application.proofs.checkpoint_signer import CheckpointSigner
from application.webhooks.secrets import WebhookSecrets
from application.webhooks.webhooks import Webhooks
from domain.errors import AdmitOneError
from interface import key_store, patroni, web_address
from interface.outgoing.allowed_addresses import AllowedAddresses
from interface.outgoing.http_client import HttpClient
from interface.settings import Settings, SettingsError
from projections.catalogue import REACTIONS, create_views, missing_views
from projections.evidence.checkpoint_store import CheckpointStore

if TYPE_CHECKING:
    from application.identity_provider import IdentityProvider

CALLBACK_PATH = "/sign-in/provider/callback"
"""The path to which the identity provider sends browsers back."""
OLDEST_POSTGRES = 15

# Use the pinned tzdata instead of the system's: an auditor has to replay with the same clock
# changes that decided.
zoneinfo.reset_tzpath(to=())


class DatabaseTooOld(AdmitOneError):
    """The database is too old."""


class TransactionPooling(AdmitOneError):
    """The database is behind a pooler that changes connections between transactions."""


class SchemaMissing(AdmitOneError):
    """The database lacks tables of this version."""

    def __init__(self, missing: Sequence[str]) -> None:
        """`missing` names the steps of the schema, or the views, that are not there."""
        super().__init__(f"The database lacks {', '.join(missing)}: run `admitone schema apply`.")


def utc_now() -> datetime:
    """Returns the current time in UTC. Nothing else in the service reads the clock."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Services:
    """Everything that the API, the pages, the command line and tests call."""

    settings: Settings
    database: Database
    standby: Standby | None
    """For reads that may be a few seconds old, if the settings name one."""
    tokens: Tokens
    accounts: Accounts
    api_keys: ApiKeys
    sessions: Sessions
    passkeys: Passkeys
    identities: Identities
    identity_provider: "IdentityProvider | None"
    """At which people sign in as well, if the settings name one."""
    agent_limits: AgentLimits
    security_log: SecurityLog
    event_store: EventSourcedApplication
    calendars: CalendarCommands
    schedules: ScheduleCommands
    links: LinkCommands
    redemptions: RedemptionCommands
    bookings: BookingCommands
    erasure: ErasureCommands
    deliveries: Deliveries
    refused_attempts: RefusedAttempts
    rate_limits: RateLimits
    write_probe: WriteProbe
    outgoing: Outgoing
    busy_calendars: BusyCalendars
    busy_calendar_reader: BusyCalendarReader
    webhooks: Webhooks
    calendar_feeds: CalendarFeeds
    link_requests: LinkRequests
    request_answers: RequestAnswers
    now: Callable[[], datetime] = utc_now

    def sign_in_url(self, account: Account, *, breaks_glass: bool = False) -> str:
        """Returns a link that signs the account in once, within a day. It ends earlier ones.

        Raises `OnlyByProvider` where that is so, except for one that breaks the glass.
        """
        token = self.accounts.sign_in_token(account, breaks_glass=breaks_glass)
        return f"{self.settings.public_url}/sign-in/{token}"

    def checkpoint_signer(self) -> CheckpointSigner:
        """Returns the signer of this installation. Raises `SettingsError`."""
        return key_store.checkpoint_signer(self.settings)

    def checkpoint_store(self) -> CheckpointStore:
        """Returns the checkpoints of this installation. Raises `SettingsError`."""
        return key_store.checkpoint_store(self.settings)

    def close(self) -> None:
        """Closes all connections."""
        if self.standby is not None:
            self.standby.close()
        self.event_store.close()


def build(settings: Settings, conninfo: str, *, now: Callable[[], datetime] = utc_now) -> Services:
    """Builds the services on the database at `conninfo`.

    They connect and start threads only when they are used, so a process may fork before that.
    """
    database = Database(
        conninfo,
        max_pool_size=settings.pool_size,
        find_primary=patroni.finder(settings.patroni_urls),
    )
    standby = None
    if settings.replica_url is not None:
        standby = Standby(settings.replica_url, database, max_pool_size=settings.pool_size)
    keys = key_store.secret_keys(settings)
    tokens = Tokens(keys)
    recent_callers = RecentCallers()
    accounts = Accounts(database, tokens, recent_callers, only_by_provider=settings.oidc_only)
    api_keys = ApiKeys(database, recent_callers)
    event_store = EventSourcedApplication(database)
    links = LinkCommands(event_store)
    link_requests = LinkRequests(database)
    outgoing = HttpClient(
        AllowedAddresses(settings.outgoing_networks),
        settings.outgoing_proxy,
        settings.outgoing_ca_file,
    )
    return Services(
        settings=settings,
        database=database,
        standby=standby,
        tokens=tokens,
        accounts=accounts,
        api_keys=api_keys,
        sessions=Sessions(database, accounts),
        passkeys=Passkeys(database, None if settings.oidc_only else _relying_party(settings)),
        identities=Identities(database, accounts, _admission(settings)),
        identity_provider=_identity_provider(settings, outgoing),
        agent_limits=AgentLimits(event_store),
        security_log=SecurityLog(database),
        event_store=event_store,
        calendars=CalendarCommands(event_store, accounts),
        schedules=ScheduleCommands(event_store),
        links=links,
        redemptions=RedemptionCommands(event_store),
        bookings=BookingCommands(event_store),
        erasure=ErasureCommands(event_store, accounts, api_keys, link_requests),
        deliveries=Deliveries(database),
        refused_attempts=RefusedAttempts(database, keys[0]),
        rate_limits=RateLimits(database, keys[0]),
        write_probe=WriteProbe(database),
        outgoing=outgoing,
        busy_calendars=BusyCalendars(database, outgoing),
        busy_calendar_reader=BusyCalendarReader(database, outgoing),
        webhooks=Webhooks(database, outgoing, WebhookSecrets(keys)),
        calendar_feeds=CalendarFeeds(event_store, tokens),
        link_requests=link_requests,
        request_answers=RequestAnswers(links, link_requests),
        now=now,
    )


def apply_schema(conninfo: str) -> list[str]:
    """Creates or upgrades tables and views in one transaction and returns the steps applied.

    When nothing is missing, the right to read is enough.
    """
    with _connection(conninfo) as conn:
        if not missing_tables(conn):
            return []
        steps = schema.apply(conn)
        create_views(conn)
        return steps


def restore_tables(
    conninfo: str,
    archive: ZipFile,
    manifest: Manifest,
    settings: Settings,
    *,
    accept_lost_keys: bool = False,
    before_commit: Callable[[], None] = lambda: None,
) -> None:
    """Creates the tables of a backup, fills and upgrades them, in one transaction.

    Views are empty then. Roles have their rights, if the settings name any. Calls `before_commit`
    when only the commit is left to do. Raises `BackupUnusable`, and `KeyMissing` for a key that is
    not in place, unless such are accepted.
    """
    with _connection(conninfo) as conn:
        if unknown := sorted(set(manifest.steps) - set(schema.all_steps())):
            raise BackupUnusable(
                f"It was made by a newer version, {manifest.version}, whose tables this version"
                f" does not know ({unknown[-1]})."
            )
        if later := sorted(schema.applied_steps(conn) - set(manifest.steps)):
            raise BackupUnusable(
                f"The database has newer tables than the backup ({later[-1]}):"
                " restore into a database without tables."
            )
        schema.apply(conn, only=manifest.steps)
        backup.read(conn, archive, manifest)
        schema.apply(conn)
        create_views(conn)
        backup.resume(conn, manifest, [reaction.name for reaction in REACTIONS])
        lost = key_fingerprints.missing(conn, key_store.existing_keys(settings))
        if accept_lost_keys:
            for key in lost:
                key_fingerprints.drop(conn, key.fingerprint)
        else:
            key_store.refuse_without(settings, lost)
        if settings.owner_database_url is not None:
            schema.apply_roles(conn)
        before_commit()


def require_keys(conninfo: str, settings: Settings, *kinds: KeyKind) -> None:
    """Raises `KeyMissing` if a key of these kinds that the service has used is missing.

    Without kinds, it is about all.
    """
    with _connection(conninfo) as conn:
        lost = key_fingerprints.missing(conn, key_store.existing_keys(settings))
    key_store.refuse_without(settings, [key for key in lost if not kinds or key.kind in kinds])


def record_keys(conninfo: str, settings: Settings) -> None:
    """Records which keys the service uses. Creates that of checkpoints."""
    key_store.checkpoint_signer(settings)
    with _connection(conninfo) as conn:
        key_fingerprints.record(conn, key_store.existing_keys(settings))


def known_keys(conninfo: str) -> list[KnownKey]:
    """Returns the keys that the service has used."""
    with _connection(conninfo) as conn:
        return key_fingerprints.known(conn)


def drop_key(conninfo: str, fingerprint: str) -> bool:
    """Forgets a key that the service has used. Returns False if there is none."""
    with _connection(conninfo) as conn:
        return key_fingerprints.drop(conn, fingerprint)


def apply_roles(conninfo: str) -> None:
    """Creates the database roles that are missing and grants each its rights."""
    with _connection(conninfo) as conn:
        if missing := missing_tables(conn):
            raise SchemaMissing(missing)
        schema.apply_roles(conn)


def prepare_embedded(superuser: str, owner: str) -> None:
    """Creates or upgrades roles, tables and views of the embedded database.

    The names are those of connection strings. The superuser is needed for the roles alone.
    """
    create_embedded_roles(superuser)
    with _connection(owner) as conn:
        is_new = bool(missing_tables(conn))
        if is_new:
            schema.apply(conn)
            create_views(conn)
        if is_new or not schema.have_grants(conn):
            schema.apply_roles(conn)


def create_embedded_roles(superuser: str) -> None:
    """Creates the roles of the embedded database that are missing."""
    with _connection(superuser) as conn:
        schema.create_embedded_roles(conn)


def is_prepared(conninfo: str) -> bool:
    """Returns whether an embedded database has roles, tables and views of this version."""
    try:
        with _connection(conninfo) as conn:
            return not missing_tables(conn) and schema.have_grants(conn)
    except (OperationalError, InsufficientPrivilege):  # no such role, or no grants yet
        return False


def missing_tables(conn: Connection[DictRow]) -> list[str]:
    """Returns the steps of the schema, or the views, that the database lacks."""
    return schema.missing_steps(conn) or missing_views(conn)


def require_schema(conninfo: str) -> None:
    """Raises `SchemaMissing` if the database lacks tables or views of this version."""
    with _connection(conninfo) as conn:
        if missing := missing_tables(conn):
            raise SchemaMissing(missing)


def refuse_old_server(version: int) -> None:
    """Raises `DatabaseTooOld` for a server that is too old. 150018 as `version` is 15.18."""
    if version // 10000 < OLDEST_POSTGRES:
        raise DatabaseTooOld(
            f"The database is PostgreSQL {version // 10000}:"
            f" Admit One needs PostgreSQL {OLDEST_POSTGRES} or newer."
        )


def refuse_transaction_pooling(conn: Connection[DictRow], conninfo: str) -> None:
    """Raises `TransactionPooling` if a pooler such as PgBouncer works by transaction."""
    if is_pooled_by_transaction(conn, conninfo):
        raise TransactionPooling(
            "ADMITONE_DATABASE_URL leads to a pooler, such as PgBouncer, in transaction mode:"
            " name the PostgreSQL server itself, or set pool_mode = session for this database."
        )


def _relying_party(settings: Settings) -> RelyingParty | None:
    """Returns whom passkeys are for. None: browsers have no passkeys for the public address."""
    address = settings.public_address
    is_local = address.host == "localhost" or address.host.endswith(".localhost")
    if web_address.is_ip_address(address.host) or (address.scheme == "http" and not is_local):
        return None
    return RelyingParty(address.host, address.origin)


def _admission(settings: Settings) -> Admission:
    return Admission(settings.oidc_domains, settings.oidc_role_claim, dict(settings.oidc_roles))


def _identity_provider(settings: Settings, outgoing: Outgoing) -> "IdentityProvider | None":
    """Returns the provider that the settings name. Raises `SettingsError`."""
    if not settings.oidc_issuer:
        return None
    try:  # its packages are there only if they were asked for
        from application.identity_provider import Client, IdentityProvider
    except ImportError as error:
        raise SettingsError(
            "ADMITONE_OIDC_ISSUER needs packages that are not installed: install the wheel with"
            " its extra, `pipx install --force './admitone-VERSION-py3-none-any.whl[oidc]'`,"
            " or `make run EXTRAS=oidc` in a checkout."
        ) from error
    claims = {"email", settings.oidc_role_claim.partition(".")[0]} - {""}
    return IdentityProvider(
        Client(
            issuer=settings.oidc_issuer,
            client_id=settings.oidc_client_id,
            client_secret=settings.oidc_client_secret or None,
            redirect_uri=settings.public_url + CALLBACK_PATH,
            scopes=settings.oidc_scopes,
            wanted_claims=frozenset(claims),
        ),
        outgoing,
    )


@contextmanager
def _connection(conninfo: str) -> Iterator[Connection[DictRow]]:
    with connect(conninfo, application_name="admitone schema", autocommit=False) as conn:
        refuse_old_server(conn.info.server_version)
        refuse_transaction_pooling(conn, conninfo)
        yield conn
