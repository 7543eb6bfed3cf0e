"""Looks for what is wrong with an installation, and says what to do about it. Changes nothing."""

import ipaddress
import os
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from datetime import datetime, timedelta
from itertools import chain
from typing import NamedTuple

import psycopg
from psycopg import Connection
from psycopg.rows import DictRow

from application import schema
from application.eventstore.connection import connect
from application.eventstore.database import safe_description
from application.eventstore.hosts import Hosts
from application.eventstore.transaction_pooling import is_pooled_by_transaction
from application.key_fingerprints import KeyKind
from application.people import access_log, security_log
from application.people.access_log import TakenCheckpoint
from domain.errors import AdmitOneError
from interface import key_store, patroni
from interface.bootstrap import (
    Services,
    build,
    missing_tables,
    refuse_old_server,
    require_keys,
)
from interface.reapplied_erasures import count_come_back
from interface.runtime import command_database
from interface.runtime.readiness_probe import why_not_ready
from interface.settings import Settings, SettingsError, unused_settings
from projections.catalogue import FOLLOWERS
from projections.engine.runner import is_running
from projections.evidence import evidence_checks
from projections.status import statuses

LEAST_FREE_BYTES = 1 << 30
LEAST_FREE_SHARE = 0.05
MOST_CLOCK_SECONDS = 2.0
BACKUP_DAYS = 7
LATE_SECONDS = 600.0  # of a message that should have been sent
OTHER_PROCESSES = 12
"""Connections beside the pools of web workers and sender: 4 of the projector, 3 of a rebuild, one
that holds the locks of senders, one on which they record, and 3 for commands."""
_START = "Start it with `admitone serve`. If it already runs, solve the problem that it reports."
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class Finding(NamedTuple):
    """Something that is wrong or, if `is_wrong` is false, that could be better."""

    what: str
    remedy: str
    is_wrong: bool = True


def examine(
    settings: Settings, environment: Mapping[str, str], *, now: Callable[[], datetime]
) -> list[Finding]:
    """Returns all that was found, what is wrong first. Starts the embedded database if need be."""
    found = chain(
        _settings(settings, environment),
        _data_folder(settings),
        _keys(settings),
        _database(settings, now),
    )
    return sorted(found, key=lambda finding: not finding.is_wrong)


def _settings(settings: Settings, environment: Mapping[str, str]) -> Iterator[Finding]:
    for name in unused_settings(environment):
        yield Finding(f"{name} is no setting.", "Correct its name, or unset it.")
    is_reachable = not ipaddress.ip_address(settings.host).is_loopback
    if not settings.public_url_is_set and is_reachable:
        yield Finding(
            "Links are made for an address that other machines can't reach, because"
            " ADMITONE_PUBLIC_URL is not set.",
            "Set it to the address by which people reach the service.",
        )
    if (
        settings.public_url_is_set
        and settings.public_url.startswith("http://")
        and (settings.public_host != "localhost" and is_reachable)
    ):
        yield Finding(
            "People reach the service without encryption.",
            "Put it behind a web server that ends TLS, and begin ADMITONE_PUBLIC_URL with https.",
        )
    if settings.smtp_url is None:
        yield Finding(
            f"No mail goes out: mails are written into {settings.mail_folder}.",
            "Set ADMITONE_SMTP_URL, and try it with `admitone mail test`.",
            is_wrong=False,
        )


def _data_folder(settings: Settings) -> Iterator[Finding]:
    if not settings.data.exists():
        return
    if not os.access(settings.data, os.R_OK | os.X_OK):
        yield Finding(
            f"You may not read {settings.data}.", "Run the command as the user of the service."
        )
        return
    for path in (
        settings.data / "secret_keys",
        settings.data / "audit_key",
        settings.data / "mail",
    ):
        if path.exists() and stat.S_IMODE(path.stat().st_mode) & _OTHERS:
            yield Finding(f"Other users of this machine may read {path}.", f"chmod go= {path}")
    if stat.S_IMODE(settings.data.stat().st_mode) & (_OTHERS & ~0o011):
        yield Finding(
            f"Other users of this machine may list {settings.data}.", f"chmod go= {settings.data}"
        )
    disk = shutil.disk_usage(settings.data)
    if disk.free < min(LEAST_FREE_BYTES, disk.total * LEAST_FREE_SHARE):
        yield Finding(
            f"The disk of {settings.data} is nearly full: {disk.free >> 20} MiB are free.",
            "Make room: once it is full, nobody can book.",
        )


def _keys(settings: Settings) -> Iterator[Finding]:
    readers: Mapping[str, Callable[[Settings], object]] = {
        "secret_keys": key_store.secret_keys,
        "audit_key": key_store.checkpoint_signer,
    }
    for name, read in readers.items():
        if getattr(settings, name) or os.access(settings.data / name, os.F_OK):
            try:
                read(settings)
            except SettingsError as error:
                yield Finding(str(error), "Bring it back from a backup.")


def _database(settings: Settings, now: Callable[[], datetime]) -> Iterator[Finding]:
    """Finds what is wrong with the database, and with what is in it."""
    try:
        with command_database.unchanged(settings) as conninfo:
            with closing(connect(conninfo, application_name="admitone doctor")) as conn:
                yield from _server(conn, settings, now)
                missing = missing_tables(conn)
                has_own_roles = settings.owner_database_url is not None
                if has_own_roles and not missing and not schema.have_grants(conn):
                    yield Finding(
                        "The database roles do not have the rights of this version.",
                        "Run `admitone schema roles`.",
                    )
            if missing:
                yield Finding(
                    f"The database lacks {', '.join(missing)}.",
                    "Run `admitone schema apply`, or start the service if the database is its own.",
                )
                return
            require_keys(conninfo, settings)
            if not key_store.existing_keys(settings)[KeyKind.SECRET]:  # they would be made now
                yield Finding(
                    f"There are no secret keys in {settings.data}: the service was never started.",
                    "Start it, or restore a backup.",
                )
                return
            services = build(settings, conninfo)
            try:
                yield from _service(services, now())
            finally:
                services.close()
    except (AdmitOneError, SettingsError) as error:
        yield Finding(str(error), "Nothing else could be looked at: mend this first.")


def _server(
    conn: Connection[DictRow], settings: Settings, now: Callable[[], datetime]
) -> Iterator[Finding]:
    refuse_old_server(conn.info.server_version)
    row = conn.execute(
        """SELECT clock_timestamp() AS now, pg_is_in_recovery() AS is_standby,
            current_setting('fsync') AS fsync, current_setting('full_page_writes') AS pages,
            current_setting('synchronous_commit') AS commits,
            current_setting('max_connections')::int
                - current_setting('superuser_reserved_connections')::int AS connections,
            current_setting('wal_log_hints') = 'on' OR current_setting('data_checksums') = 'on'
                AS can_rewind,
            EXISTS (SELECT FROM pg_stat_replication) AS has_standby,
            (SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()) AS is_encrypted,
            inet_server_addr() AS address"""
    ).fetchone()
    assert row is not None  # noqa: S101 - a SELECT without FROM has one row
    if row["is_standby"]:
        yield Finding(
            "The database is a standby, where nobody can book.",
            "Name the primary, or add target_session_attrs=read-write to the addresses.",
        )
    for name in ("fsync", "pages"):
        if row[name] != "on":
            yield Finding(
                f"PostgreSQL runs with {'full_page_writes' if name == 'pages' else name} = off:"
                " a power failure can destroy the database.",
                "Switch it on.",
            )
    if row["commits"] == "off":
        yield Finding(
            "synchronous_commit is off: a crash can lose bookings that were confirmed.",
            "Set it to on, or to remote_apply or remote_write with a standby.",
        )
    seconds = abs((row["now"] - now()).total_seconds())
    if seconds > MOST_CLOCK_SECONDS:
        yield Finding(
            f"The clocks of this machine and of the database are {seconds:.0f} s apart.",
            "Let both follow the same time server.",
        )
    needed = (settings.workers + 1) * settings.pool_size + OTHER_PROCESSES
    if row["connections"] < needed:
        yield Finding(
            f"PostgreSQL allows {row['connections']} connections, and this host alone may need"
            f" {needed}.",
            "Raise max_connections, or lower ADMITONE_WORKERS or ADMITONE_POOL_SIZE.",
        )
    if row["has_standby"] and not row["can_rewind"]:
        yield Finding(
            "A primary that failed can't follow the new one without a new copy.",
            "Switch wal_log_hints or data checksums on.",
            is_wrong=False,
        )
    if row["address"] is not None and not row["address"].is_loopback and not row["is_encrypted"]:
        yield Finding(
            "The connection to the database is not encrypted.",
            "Add sslmode=verify-full to its address.",
        )


def _service(services: Services, now: datetime) -> Iterator[Finding]:
    if (reason := why_not_ready(services.settings)) is not None:
        yield Finding(f"People can't book here: {reason}", _START)
    yield from _beside_the_primary(services)
    yield from _views(services)
    yield from _deliveries(services, now)
    yield from _evidence(services)
    if number := count_come_back(services):
        has = "booking or link has" if number == 1 else "bookings and links have"
        yield Finding(
            f"{number} {has} personal data again, although it was erased.",
            "Run `admitone privacy reapply`.",
        )
    backups = services.security_log.newest(limit=1, kind=security_log.BACKED_UP)
    if not backups or now - backups[0].at > timedelta(days=BACKUP_DAYS):
        yield Finding(
            f"The last backup with `admitone backup` is of {backups[0].at:%Y-%m-%d}."
            if backups
            else "No backup has been made with `admitone backup`.",
            "Make one every night, and store it elsewhere.",
            is_wrong=False,
        )


def _beside_the_primary(services: Services) -> Iterator[Finding]:
    """Looks at the addresses of the cluster that the settings name beside its primary's."""
    settings = services.settings
    if services.standby is not None and (obstacle := services.standby.obstacle()) is not None:
        yield Finding(
            f"The standby of ADMITONE_REPLICA_URL is passed over: {obstacle}",
            "Correct its address, or unset it. Until then everything is read from the primary.",
        )
    if settings.listen_url is not None:
        try:
            with closing(connect(settings.listen_url, application_name="admitone doctor")) as conn:
                is_pooled = is_pooled_by_transaction(conn, settings.listen_url)
                reason = "it leads to a pooler in transaction mode" if is_pooled else None
        except psycopg.Error as error:
            reason = safe_description(error)
        if reason is not None:
            yield Finding(
                f"Senders can't keep a session at ADMITONE_LISTEN_URL: {reason}.",
                "Name the PostgreSQL server itself.",
            )
    for url in settings.patroni_urls:
        if not patroni.answers(url):
            yield Finding(f"Patroni does not answer at {url}.", "Correct ADMITONE_PATRONI_URLS.")
    if settings.patroni_urls and settings.database_url is not None:
        primary = patroni.primary(settings.patroni_urls)
        if primary is not None and not Hosts(settings.database_url).names(primary):
            yield Finding(
                f"Patroni calls {primary.host}:{primary.port} the primary, a host that"
                " ADMITONE_DATABASE_URL does not name.",
                "Name each host there as Patroni's connect_address does.",
            )


def _views(services: Services) -> Iterator[Finding]:
    if not is_running(services.database):
        yield Finding(
            "No projector is running: lists don't change, and nobody is told of bookings.",
            "Run `admitone serve` or `admitone projections run`.",
        )
    for view in statuses(services.database, FOLLOWERS):
        if view.parked:
            yield Finding(
                f"{view.name} could not apply {view.parked} events, and {view.waiting} more wait.",
                f"See /operations for the errors; then `admitone projections retry {view.name}`.",
            )


def _deliveries(services: Services, now: datetime) -> Iterator[Finding]:
    for channel in services.deliveries.backlog(now=now):
        if channel.parked:
            yield Finding(
                f"{channel.parked} deliveries by {channel.channel} were given up.",
                "See `admitone deliveries list --status parked` for the answers, then retry them.",
            )
        if channel.seconds > LATE_SECONDS:
            yield Finding(
                f"Deliveries by {channel.channel} are {channel.seconds / 60:.0f} minutes late.",
                "Look at the answers with `admitone deliveries list`, and whether a sender runs.",
            )


def _evidence(services: Services) -> Iterator[Finding]:
    for check in evidence_checks.all_checks(services.database):
        if check.fault is not None:
            where = f"position {check.position}: " if check.position is not None else ""
            yield Finding(
                f"The evidence is not as it was recorded: {where}{check.fault}.",
                "Run `admitone audit verify`, which names the first position at fault. Keep the"
                " checkpoints and a copy of the database.",
            )
    yield from copies(services.settings, access_log.checkpoints_taken(services.database))


def copies(settings: Settings, taken: Iterable[TakenCheckpoint]) -> Iterator[Finding]:
    """Yields advice unless an auditor is known to have a recent checkpoint."""
    if settings.checkpoints is None and not any(copy.is_out_of_reach for copy in taken):
        yield Finding(
            "No auditor has fetched a checkpoint in the last month, and those in"
            f" {settings.checkpoints_folder} lie beside the database. Whoever can change both can"
            " change newer events unnoticed.",
            "Have an auditor fetch one now and then, or set ADMITONE_CHECKPOINTS to storage that"
            " can't be changed.",
            is_wrong=False,
        )
