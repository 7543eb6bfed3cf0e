"""The process that sends what events cause, and does what is due at intervals beside that."""

import os
from datetime import timedelta
from functools import partial

from application.deliveries.deliveries import CLAIM
from application.deliveries.sender import Sender
from interface.bootstrap import build
from interface.mail.channel import MailChannel
from interface.observability import logs
from interface.runtime import command_database
from interface.runtime.background_thread import background_thread
from interface.runtime.busy_calendar_loop import read_busy_calendars
from interface.runtime.parent_watchdog import end_with_parent, stop_on_signals
from interface.runtime.retention_loop import delete_hourly
from interface.settings import Settings


def run(settings: Settings, *, claim: timedelta = CLAIM) -> None:
    """Sends deliveries, reads busy calendars and applies retention until SIGINT or SIGTERM.

    Any number of these processes share the work. Raises `AdmitOneError` if the database can't be
    used.
    """
    logs.configure(settings.log)
    os.nice(10)  # bookings come first
    end_with_parent()
    stop = stop_on_signals()
    with command_database.database(settings) as conninfo:
        services = build(settings, conninfo)
        sender = Sender(
            conninfo, services.deliveries, MailChannel(services), now=services.now, claim=claim
        )
        retention = partial(delete_hourly, services, stop=stop)
        calendars = partial(read_busy_calendars, services, stop=stop)
        try:
            with (
                background_thread("retention", retention, stop),
                background_thread("calendars", calendars, stop),
            ):
                sender.run(stop)
        finally:
            services.close()
