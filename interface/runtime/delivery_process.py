"""The process that sends what events cause, and does what is due at intervals beside that."""

from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from datetime import timedelta
from functools import partial
from threading import Event

from application.deliveries.channel import Channel
from application.deliveries.claims import CLAIM, Claims
from application.deliveries.sender import Sender
from application.deliveries.sender_session import SenderSession
from application.key_fingerprints import KeyKind
from interface import patroni
from interface.bootstrap import build
from interface.database_roles import DatabaseRole
from interface.mail.channel import MailChannel
from interface.observability import logs
from interface.runtime import command_database, low_priority
from interface.runtime.background_thread import background_thread
from interface.runtime.busy_calendar_loop import read_busy_calendars
from interface.runtime.parent_watchdog import end_with_parent, stop_on_signals
from interface.runtime.primary_loop import following
from interface.runtime.retention_loop import delete_hourly
from interface.settings import Settings
from interface.webhooks.channel import Receivers, WebhookChannel

WEBHOOK_SENDERS = 2  # so that one slow receiver does not hold up all others


def run(settings: Settings, *, claim: timedelta = CLAIM) -> None:
    """Sends deliveries, reads busy calendars and applies retention until SIGINT or SIGTERM.

    Any number of these processes share the work. Raises `AdmitOneError` if the database can't be
    used.
    """
    logs.configure(settings.log)
    low_priority.take()  # bookings come first
    end_with_parent()
    stop = stop_on_signals()
    with command_database.database_of_process(
        settings, DatabaseRole.SERVICE, KeyKind.SECRET, stop=stop
    ) as conninfo:
        services = build(settings, conninfo)
        channels: list[Channel] = [MailChannel(services)]
        receivers = Receivers()
        channels += [WebhookChannel(services, receivers) for _ in range(WEBHOOK_SENDERS)]
        find_primary = patroni.finder(settings.patroni_urls)
        claims = Claims.of_senders(conninfo, find_primary=find_primary)
        session_hosts = claims.hosts
        if settings.listen_url is not None:
            session_hosts = patroni.hosts(settings.listen_url, settings.patroni_urls)
        session = SenderSession(session_hosts, now=services.now, claim=claim)
        senders = [
            Sender(claims, channel, now=services.now, session=session, claim=claim)
            for channel in channels
        ]
        retention = partial(delete_hourly, services, stop=stop)
        # The facts of a delivery are never read from an older primary than the delivery itself.
        hosts = [services.database.hosts, claims.hosts, session_hosts]
        calendars = partial(read_busy_calendars, services, stop=stop)
        try:
            with (
                following(find_primary, hosts, stop),
                background_thread("retention", retention, stop),
                background_thread("calendars", calendars, stop),
            ):
                services.webhooks.renew_encryption()
                run_all(senders, stop)
        finally:
            session.close()
            claims.close()
            services.close()


def run_all(senders: Sequence[Sender], stop: Event) -> None:
    """Runs senders until `stop` is set. An error of one ends all of them and is raised."""
    with ThreadPoolExecutor(len(senders)) as pool:
        running = [pool.submit(sender.run, stop) for sender in senders]
        wait(running, return_when=FIRST_COMPLETED)
        stop.set()
        for each in running:
            each.result()
