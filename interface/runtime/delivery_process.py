"""The process that sends what events cause, and deletes what has been stored for long enough."""

from datetime import timedelta

from application.deliveries.deliveries import CLAIM
from application.deliveries.sender import Sender
from interface.bootstrap import build
from interface.mail.channel import MailChannel
from interface.observability import logs
from interface.runtime import command_database
from interface.runtime.background_thread import background_thread
from interface.runtime.parent_watchdog import end_with_parent, stop_on_signals
from interface.runtime.retention_loop import delete_hourly
from interface.settings import Settings


def run(settings: Settings, *, claim: timedelta = CLAIM) -> None:
    """Sends deliveries and applies the retention rules until SIGINT or SIGTERM.

    Any number of these processes share the work. Raises `AdmitOneError` if the database can't be
    used.
    """
    logs.configure(settings.log)
    end_with_parent()
    stop = stop_on_signals()
    with command_database.database(settings) as conninfo:
        services = build(settings, conninfo)
        sender = Sender(
            conninfo, services.deliveries, MailChannel(services), now=services.now, claim=claim
        )
        try:
            with background_thread("retention", lambda: delete_hourly(services, stop=stop), stop):
                sender.run(stop)
        finally:
            services.close()
