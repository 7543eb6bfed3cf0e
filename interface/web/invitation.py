"""Finds the link, the calendar and the host behind a token, for the API and the pages."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from application.people import personal_data
from application.people.personal_data import Prefill
from application.people.rate_limits import FORGED_TOKENS
from application.people.tokens import InvalidToken
from domain.calendar import Calendar, CalendarTerms
from domain.errors import CalendarNotFound, LinkNotFound
from domain.link import LinkStatus, SingleUseLink
from domain.offer import EVERYTHING, Offer
from interface.web.rate_limits import count_failure
from interface.web.request_context import services
from projections.open_slots import OpenSlots
from projections.views import calendar_list
from projections.views.calendar_list import CalendarRow


@dataclass(frozen=True)
class Invitation:
    """A link as the log has it now, its calendar, and the name of the host.

    The calendar comes from its view or, if the view does not have it yet, from the log.
    """

    link: SingleUseLink
    calendar: CalendarRow
    host_name: str

    @property
    def terms(self) -> CalendarTerms:
        """The terms of the calendar, with the duration of this link."""
        return self.calendar.terms.with_duration(self._offer.duration_minutes)

    @property
    def open_slots(self) -> OpenSlots:
        """The free slots that the link offers from now on."""
        current = services()
        rules = self.calendar.terms.rules
        return OpenSlots(current.database, self.link.owner_id, rules, current.now(), self._offer)

    def prefill(self) -> Prefill | None:
        """Returns the details to fill in. Raises `LinkEnded`: only an active link has them."""
        current = services()
        self.link.must_be_active(current.now())
        if self.link.personal_data is None:
            return None
        row = personal_data.find(current.database, self.link.id, self.link.typed_version)
        return Prefill.from_data(row.data) if row else None

    def shown(self) -> dict[str, Any]:
        """Returns what the API says of the link. Raises `LinkEnded`: only of an active one."""
        prefill = self.prefill()
        return {
            "status": LinkStatus.ACTIVE,
            "calendar": self.terms,
            "host": {"name": self.host_name},
            "expires_at": self.link.expires_at,
            "prefill": prefill,
        }

    @property
    def _offer(self) -> Offer:
        return self.link.offer or EVERYTHING


def link_id_of(token: str) -> UUID:
    """Returns the id of the link that the token is for.

    Raises `LinkNotFound` for a forged token, or `TooManyAttempts` after too many of them.
    """
    try:
        return services().tokens.link_id(token)
    except InvalidToken:
        count_failure(FORGED_TOKENS)
        raise LinkNotFound from None


def invitation(token: str) -> Invitation:
    """Returns what the token invites to, whatever the state of the link.

    The link is read from the log, so its state is never older than that. Waits for no view.
    Raises `LinkNotFound`.
    """
    current = services()
    link = current.event_store.get(SingleUseLink, link_id_of(token))
    try:
        calendar, host = calendar_list.calendar_and_host(current.database, link.calendar_id)
    except CalendarNotFound:  # the view is behind the log
        calendar = calendar_list.row_of(current.event_store.get(Calendar, link.calendar_id))
        host = current.accounts.by_id(link.owner_id).name
    return Invitation(link, calendar, host)


def active_invitation(token: str) -> Invitation:
    """Like `invitation`, but raises `LinkEnded` if the link can no longer book."""
    invited = invitation(token)
    invited.link.must_be_active(services().now())
    return invited
