"""Redeems a link for the API and the pages: books, records refusals, counts outcomes."""

import logging
from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from werkzeug.exceptions import HTTPException

from application.commands.redemption import Redemption
from application.eventstore.database import DATABASE_ERRORS
from application.eventstore.event_sourced_application import Written
from application.people.personal_data import Invitee
from domain.errors import AdmitOneError, IdempotencyMismatch, LinkEnded, SlotRefused
from interface.i18n import language_tag
from interface.observability import metrics
from interface.observability.metrics import RefusalResponse
from interface.web.invitation import link_id_of
from interface.web.managed_booking import manage_urls
from interface.web.problems import problem_of, slug_of
from interface.web.request_context import client_address, services

P = ParamSpec("P")
R = TypeVar("R")

log = logging.getLogger(__name__)


def redeem(
    token: str,
    *,
    start: datetime,
    invitee: Invitee,
    notes: str | None,
    idempotency_key: str | None,
) -> Written[Redemption]:
    """Books a slot and counts that in the metrics. Raises like `RedemptionCommands.redeem`."""
    current = services()
    written = current.redemptions.redeem(
        link_id=link_id_of(token),
        start=start,
        invitee=invitee,
        notes=notes,
        idempotency_key=idempotency_key,
        now=current.now(),
        language=language_tag(),
    )
    metrics.count_redemption("repeated" if written.value.is_repeat else "booked")
    return written


def count_repeated_booking() -> None:
    """Counts a request that gets an earlier booking again."""
    metrics.count_redemption("repeated")


class recording_refusals:  # noqa: N801 - used as a function
    """Records, for the link's owner, why the block refuses an attempt to book with the link.

    Only refusals that concern an existing link are recorded.
    """

    # Each booking enters one: a generator would take three times as long.
    __slots__ = ("_token",)

    def __init__(self, token: str) -> None:
        self._token = token

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, refusal: BaseException | None, *__: object) -> None:
        if not isinstance(refusal, (LinkEnded, SlotRefused, IdempotencyMismatch)):
            return
        current = services()
        try:
            current.refused_attempts.record(
                link_id_of(self._token),
                reason=problem_of(type(refusal), owner=False).slug,
                address=client_address(),
                now=current.now(),
            )
        except DATABASE_ERRORS as error:
            log.warning("a refused attempt was not recorded: %s", error)


def counting_refusals(view: Callable[P, R]) -> Callable[P, R]:
    """Counts, for the metrics, how this view refuses requests to redeem a link."""

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
    """Returns a new booking for its invitee, with the links that only they may have."""
    return {
        "booking_id": redemption.booking.id,
        "start": redemption.booking.slot.start,
        "end": redemption.booking.slot.end,
        "calendar": redemption.terms,
        "invitee": redemption.invitee,
        **manage_urls(services().tokens.for_managing(redemption.booking.id)),
    }
