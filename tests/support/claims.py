"""Claims deliveries as a sender does."""

from datetime import datetime

from application.deliveries.claims import CLAIM, Claims
from application.deliveries.delivery import Delivery
from application.eventstore.connection import connect
from interface.bootstrap import Services
from tests.support.examples import NOW


def claims_of(services: Services) -> Claims:
    """Returns the claims in the database of the services."""
    return Claims(services.database)


def claim_mail(services: Services, *, now: datetime = NOW) -> Delivery | None:
    """Claims the oldest mail that is due; returns None if there is none."""
    claimed = claims_of(services).claim("mail", most=1, now=now)
    return claimed[0] if claimed else None


def take_over_mail(conninfo: str, *, now: datetime = NOW, before: datetime | None = None) -> None:
    """Makes due again the mails that killed senders have claimed.

    `before`: only those of claims that expire by then. By default all.
    """
    with connect(conninfo, application_name="test") as conn:
        Claims.take_over(conn, ["mail"], before=before or now + CLAIM, now=now)
