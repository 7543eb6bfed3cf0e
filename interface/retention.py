"""What is kept only for a time: refused attempts, and invitees where the operator set so."""

from datetime import timedelta
from threading import Event

from interface.bootstrap import Services
from projections import booking_calendar

PAGE = 500


def sweep_attempts(services: Services) -> int:
    """Delete the refused attempts that are too old; how many."""
    days = services.settings.attempts_days
    return services.attempts.sweep(before=services.now() - timedelta(days=days))


def forget_due(services: Services, *, days: int, stop: Event) -> int:
    """Forget the invitees whose bookings ended `days` days ago or longer; how many.

    Ends early, after some hundreds, once `stop` is set.
    """
    now = services.now()
    by = now - timedelta(days=days)
    count = 0
    after = None
    while not stop.is_set() and (
        page := booking_calendar.ended_with_invitee(
            services.database, by=by, after=after, limit=PAGE
        )
    ):
        count += sum(
            services.privacy.forget_if_ended(booking_id=booking_id, by=by, now=now)
            for _, booking_id in page
        )
        after = page[-1]
    return count
