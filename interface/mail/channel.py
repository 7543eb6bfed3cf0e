"""The channel of deliveries that are mails: to a mail server or, without one, into a folder."""

from collections.abc import Collection
from functools import partial

from application.deliveries.channel import NotNeeded, Send
from application.deliveries.delivery import Delivery
from application.deliveries.outbox import FORGOTTEN, MAIL
from application.delivery_facts import FactReader, Facts
from domain.booking import Booking
from interface.bootstrap import Services
from interface.mail.mail_folder import MailFolder
from interface.mail.smtp import SmtpConnection


class MailChannel:
    """Sends mails, one after the other."""

    name = MAIL
    at_once = 32

    def __init__(self, services: Services) -> None:
        self._services = services
        self._facts = FactReader(services.event_store, services.accounts)
        settings = services.settings
        self._folder = MailFolder(settings.mail_folder)
        self._smtp = (
            None
            if settings.smtp_url is None
            else SmtpConnection(
                settings.smtp_url, settings.public_host, ca_file=settings.outgoing_ca_file
            )
        )

    def prepare(self, deliveries: Collection[Delivery]) -> Send:
        """Reads what the mails say. Each is written when it is sent."""
        # Templates and calendars take some 20 MB, which are needed from the first mail on.
        from interface.mail.writer import wanted_by

        facts = self._facts.read(
            [wanted for delivery in deliveries for wanted in wanted_by(delivery)],
            {delivery.owner_id for delivery in deliveries},
        )
        return partial(self._send, facts)

    def _send(self, facts: Facts, delivery: Delivery) -> str:
        """Writes the mail of a delivery and hands it over; returns what became of it."""
        about = delivery.booking_id or delivery.owner_id
        if delivery.link_id is not None:  # also before it is used
            about = Booking.id_for(delivery.link_id)
        if delivery.kind == FORGOTTEN:
            self._folder.forget(about)
            raise NotNeeded
        from interface.mail.writer import write

        mail = write(self._services, facts, delivery)
        if self._smtp is None:
            return self._folder.write(mail, about=about, delivery_id=delivery.id)
        return self._smtp.send(mail)

    def slow_targets(self) -> Collection[str]:
        """Returns none: all mails go the same way."""
        return ()

    def close(self) -> None:
        """Ends the connection to the mail server."""
        if self._smtp is not None:
            self._smtp.close()
