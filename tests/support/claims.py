"""Claims deliveries as a sender does."""

from datetime import datetime

from application.deliveries.claims import Claims
from application.deliveries.delivery import Delivery
from interface.bootstrap import Services
from tests.support.examples import NOW


def claims_of(services: Services) -> Claims:
    """Returns the claims in the database of the services."""
    return Claims(services.database)


def claim_mail(services: Services, *, now: datetime = NOW) -> Delivery | None:
    """Claims the oldest mail that is due; returns None if there is none."""
    claimed = claims_of(services).claim("mail", most=1, now=now)
    return claimed[0] if claimed else None
