"""Reads owners' calendars elsewhere when they are due, until it is stopped."""

import logging
from threading import Event

from application.eventstore.database import DATABASE_ERRORS
from application.eventstore.outage_log import OutageLog
from interface.bootstrap import Services

POLL_SECONDS = 2.0

log = logging.getLogger(__name__)


def read_busy_calendars(services: Services, *, stop: Event) -> None:
    """Reads every calendar that is due, again and again until `stop` is set."""
    reader = services.busy_calendar_reader
    outage = OutageLog(log, "no calendars are read, trying again", "reading calendars again")
    while not stop.wait(POLL_SECONDS):
        try:
            while not stop.is_set() and reader.read_next(now=services.now(), stop=stop):
                pass
            outage.succeeded()
        except (*DATABASE_ERRORS, OSError) as error:  # OSError: no process could be started
            outage.failed(error)
