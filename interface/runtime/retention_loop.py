"""Deletes what has been stored for long enough: once, or every hour until stopped."""

import logging
from collections.abc import Iterator
from datetime import timedelta
from threading import Event

from application import link_requests
from domain.errors import Unavailable
from interface.bootstrap import Services
from projections.retention import forget_due_invitees

HOUR, MINUTE = 3600, 60  # seconds

log = logging.getLogger(__name__)


def delete_due(services: Services, *, stop: Event) -> Iterator[str]:
    """Deletes what is due, one kind of data after the other, and yields a sentence about each.

    Raises `Unavailable`. Setting `stop` ends it early.
    """
    return (sentence for _, sentence in _deleted(services, stop))


def delete_hourly(services: Services, *, stop: Event) -> None:
    """Deletes what is due every hour until `stop` is set, and logs what it deleted."""
    while not stop.is_set():
        stop.wait(seconds_until_next(services, stop=stop))


def seconds_until_next(services: Services, *, stop: Event) -> float:
    """Deletes what is due and returns how long to wait until the next time."""
    try:
        for count, sentence in _deleted(services, stop):
            if count:
                log.info(sentence)
    except Unavailable as error:
        log.warning("nothing deleted, trying again in a minute: %s", error)
        return MINUTE
    return HOUR


def _deleted(services: Services, stop: Event) -> Iterator[tuple[int, str]]:
    now = services.now()
    too_old = now - timedelta(days=services.settings.attempts_days)
    count = services.refused_attempts.sweep(before=too_old)
    yield count, f"Deleted {count} refused {'attempt' if count == 1 else 'attempts'}."
    too_old = now - timedelta(days=services.settings.security_addresses_days)
    count = services.security_log.forget_addresses(before=too_old)
    entries = "entry" if count == 1 else "entries"
    yield count, f"Deleted the addresses of {count} {entries} of the security log."
    count = services.security_log.tell_unrecorded()
    sign_ins = "sign-in" if count == 1 else "sign-ins"
    yield count, f"Told the security log of {count} more failed {sign_ins}."
    count = services.rate_limits.sweep(now=now)
    yield count, f"Deleted {count} ended rate {'limit' if count == 1 else 'limits'}."
    count = services.link_requests.sweep(before=now - link_requests.KEPT_FOR)
    yield count, f"Deleted {count} old {'request' if count == 1 else 'requests'} for a new link."
    too_old = now - timedelta(days=services.settings.deliveries_days)
    count = services.deliveries.sweep(before=too_old)
    yield count, f"Deleted {count} old {'delivery' if count == 1 else 'deliveries'}."
    days = services.settings.forget_after_days
    if days is not None:
        count = forget_due_invitees(
            services.database,
            services.erasure,
            ended_by=now - timedelta(days=days),
            now=now,
            stop=stop,
        )
        yield count, f"Forgot {count} {'invitee' if count == 1 else 'invitees'}."
