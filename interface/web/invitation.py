"""What the bearer of a link's token can see and do; shared by the API and the pages."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from typing import Any, ParamSpec, TypeVar
from uuid import UUID

from flask import request
from werkzeug.exceptions import HTTPException

from application.commands.redemption import Redemption
from application.eventstore.database import DATABASE_ERRORS
from application.eventstore.event_sourced_application import Written
from application.people.personal_data import Invitee
from application.people.tokens import InvalidToken
from domain.calendar import Calendar
from domain.errors import (
    AdmitOneError,
    CalendarNotFound,
    IdempotencyMismatch,
    LinkEnded,
    LinkNotFound,
    SlotRefused,
)
from domain.link import SingleUseLink
from interface.observability import metrics
from interface.observability.metrics import RefusalResponse
from interface.web.problems import problem_of, slug_of
from interface.web.request_context import services
from projections.open_slots import OpenSlots
from projections.views import calendar_list
from projections.views.calendar_list import CalendarRow

P = ParamSpec("P")
R = TypeVar("R")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Invitation:
    """A link as the log has it now, its calendar, and the name of the host.

    The calendar comes from its view, or from the log where the view does not have it yet.
    """

    link: SingleUseLink
    calendar: CalendarRow
    host_name: str

    @property
    def open_slots(self) -> OpenSlots:
        """The free slots that can be chosen from now."""
        current = services()
        rules = self.calendar.terms.rules
        return OpenSlots(current.database, self.link.owner_id, rules, current.now())


def link_id_of(token: str) -> UUID:
    """Returns the link that the token opens. Raises `LinkNotFound`."""
    try:
        return services().tokens.link_id(token)
    except InvalidToken:
        raise LinkNotFound from None


def invitation(token: str) -> Invitation:
    """Returns what the token invites to, whatever state the link is in.

    Raises `LinkNotFound`. No view is waited for: what a bearer is told of their link is never
    older than the log.
    """
    current = services()
    link = current.event_store.get(SingleUseLink, link_id_of(token))
    try:
        calendar = calendar_list.calendar(current.database, link.calendar_id)
    except CalendarNotFound:
        calendar = calendar_list.row_of(current.event_store.get(Calendar, link.calendar_id))
    return Invitation(link, calendar, current.accounts.by_id(link.owner_id).name)


def active_invitation(token: str) -> Invitation:
    """Like `invitation`, but raises `LinkEnded` when the link can no longer book."""
    invited = invitation(token)
    invited.link.must_be_active(services().now())
    return invited


def redeem(
    token: str,
    *,
    start: datetime,
    invitee: Invitee,
    notes: str | None,
    idempotency_key: str | None,
) -> Written[Redemption]:
    """Books. Raises like `RedemptionCommands.redeem`."""
    current = services()
    written = current.redemptions.redeem(
        link_id=link_id_of(token),
        start=start,
        invitee=invitee,
        notes=notes,
        idempotency_key=idempotency_key,
        now=current.now(),
    )
    metrics.count_redemption("repeated" if written.value.is_repeat else "booked")
    return written


def count_repeated_booking() -> None:
    """Counts, for the metrics, a request that was answered with an earlier booking."""
    metrics.count_redemption("repeated")


@contextmanager
def recording_refusals(token: str) -> Iterator[None]:
    """Records, for the link's owner, why an attempt to book with the link is refused.

    Only what somebody is told whose link exists: anything else is not about the link.
    """
    try:
        yield
    except (LinkEnded, SlotRefused, IdempotencyMismatch) as refusal:
        current = services()
        try:
            current.refused_attempts.record(
                link_id_of(token),
                reason=problem_of(type(refusal), owner=False).slug,
                address=request.remote_addr or "",
                now=current.now(),
            )
        except DATABASE_ERRORS as error:
            log.warning("a refused attempt was not recorded: %s", error)
        raise


def counting_refusals(view: Callable[P, R]) -> Callable[P, R]:
    """Counts, for the metrics, how requests to redeem a link are refused by this view."""

    @wraps(view)
    def counting(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            result = view(*args, **kwargs)
        except AdmitOneError as refusal:
            metrics.count_redemption(problem_of(type(refusal), owner=False).slug)
            raise
        except HTTPException as error:
            metrics.count_redemption(slug_of(error.code or 500))
            raise
        if isinstance(result, RefusalResponse):
            metrics.count_redemption(result.refusal)
        return result

    return counting


def confirmation(redemption: Redemption) -> dict[str, Any]:
    """Returns a booking as its invitee is told of it, with the links that are theirs alone."""
    current = services()
    token = current.tokens.for_managing(redemption.booking.id)
    manage_url = f"{current.settings.public_url}/m/{token}"
    return {
        "booking_id": redemption.booking.id,
        "start": redemption.booking.slot.start,
        "end": redemption.booking.slot.end,
        "calendar": redemption.calendar.terms,
        "invitee": redemption.invitee,
        "manage_url": manage_url,
        "ics_url": f"{manage_url}/booking.ics",
    }
