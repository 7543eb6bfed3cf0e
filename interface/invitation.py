"""What the bearer of a link's token can see and do; shared by the API and the pages."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from flask import g

from application.bookings import Redemption
from application.log import Written
from application.personal_data import Invitee
from application.tokens import InvalidToken
from domain.availability import offered_slots
from domain.errors import Invalid, LinkEnded, LinkExpired, LinkNotFound, LinkRedeemed, LinkRevoked
from domain.link import LinkStatus
from domain.slot import Slot
from interface.current import services
from projections import booking_calendar, calendar_list, link_list, positions
from projections.calendar_list import CalendarRow
from projections.link_list import LinkRow

MOST_DAYS = 62
DEFAULT_DAYS = 14

_ENDED: dict[LinkStatus, type[LinkEnded]] = {
    LinkStatus.REDEEMED: LinkRedeemed,
    LinkStatus.EXPIRED: LinkExpired,
    LinkStatus.REVOKED: LinkRevoked,
}


@dataclass(frozen=True)
class Invitation:
    """A link, its calendar, and who invites."""

    link: LinkRow
    calendar: CalendarRow
    host_name: str

    def must_be_active(self) -> None:
        """Raise the true reason when the link can no longer book."""
        if self.link.status is not LinkStatus.ACTIVE:
            raise _ENDED[self.link.status]


def link_id_in(token: str) -> UUID:
    """The link that the token opens. Raises `LinkNotFound`."""
    try:
        return services().tokens.link_id(token)
    except InvalidToken:
        raise LinkNotFound from None


def invitation(token: str) -> Invitation:
    """What the token is an invitation to, in whatever state. Raises `LinkNotFound`."""
    current = services()
    link_id = link_id_in(token)
    try:
        link = link_list.link(current.database, link_id, now=current.now())
    except LinkNotFound:
        # We signed it, so we issued it, perhaps this very moment: let the views catch up.
        names = (link_list.NAME, calendar_list.NAME)
        positions.wait_for(current.database, names, current.bookings.head())
        link = link_list.link(current.database, link_id, now=current.now())
    return Invitation(
        link=link,
        calendar=calendar_list.calendar(current.database, link.calendar_id),
        host_name=current.accounts.by_id(link.owner_id).name,
    )


def free_slots(
    invited: Invitation, *, first: date | None, last: date | None, time_zone: str | None
) -> list[Slot]:
    """The slots that start on the days from `first` to `last`, both included, in `time_zone`.

    Default: two weeks from today, in the calendar's zone. Raises `Invalid`.
    """
    current = services()
    rules = invited.calendar.terms.rules
    zone = ZoneInfo(time_zone or rules.time_zone)
    first = first or current.now().astimezone(zone).date()
    last = last or first + timedelta(days=DEFAULT_DAYS - 1)
    if last < first:
        raise Invalid({"to": ["Must not lie before from."]})
    if (last - first).days >= MOST_DAYS:
        raise Invalid({"to": [f"Must lie within {MOST_DAYS} days of from."]})
    since = midnight(first, zone)
    until = midnight(last + timedelta(days=1), zone)
    busy = booking_calendar.reservations(
        current.database, invited.link.owner_id, since=since, until=until
    )
    return offered_slots(rules, now=current.now(), since=since, until=until, busy=busy)


def first_free_slot(invited: Invitation, *, since: date, time_zone: str) -> Slot | None:
    """The first slot from the day `since` in `time_zone` on, as far as the calendar goes."""
    rules = invited.calendar.terms.rules
    now = services().now().astimezone(ZoneInfo(time_zone))
    first = max(since, now.date())
    # The last day ends up to a day later in other zones than the calendar's.
    until = now.date() + timedelta(days=rules.booking_window_days + 1)
    while first <= until:
        last = min(until, first + timedelta(days=MOST_DAYS - 1))
        for slot in free_slots(invited, first=first, last=last, time_zone=time_zone):
            return slot
        first = last + timedelta(days=1)
    return None


def redeem(
    token: str,
    *,
    start: datetime,
    invitee: Invitee,
    notes: str | None,
    idempotency_key: str | None,
) -> Written[Redemption]:
    """Book. Raises as `Bookings.redeem_link`."""
    current = services()
    written = current.bookings.redeem_link(
        link_id=link_id_in(token),
        start=start,
        invitee=invitee,
        notes=notes,
        idempotency_key=idempotency_key,
        now=current.now(),
    )
    g.redemption = "repeated" if written.value.is_repeat else "booked"  # for the metrics
    return written


def confirmation(redemption: Redemption) -> dict[str, Any]:
    """A booking as its invitee is told of it, with the links that are theirs alone."""
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


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """When `day` begins in `zone`, in UTC."""
    return datetime.combine(day, time(), zone).astimezone(UTC)
