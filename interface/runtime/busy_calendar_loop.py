"""Reads owners' calendars elsewhere when they are due, until it is stopped."""

import logging
from threading import Event

from application.eventstore.database import DATABASE_ERRORS, safe_description
from interface.bootstrap import Services

POLL_SECONDS = 2.0

log = logging.getLogger(__name__)


def read_busy_calendars(services: Services, *, stop: Event) -> None:
    """Reads every calendar that is due, again and again until `stop` is set."""
    reader = services.busy_calendar_reader
    while not stop.wait(POLL_SECONDS):
        try:
            while not stop.is_set() and reader.read_next(now=services.now(), stop=stop):
                pass
        except (*DATABASE_ERRORS, OSError) as error:  # OSError: no process could be started
            log.warning("no calendars read, trying again: %s", safe_description(error))
