"""The decision to redeem a link, from aggregates alone, and the order of its refusals."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from domain.agenda import AgendaDay
from domain.booking import Booking
from domain.calendar import Calendar
from domain.errors import (
    AdmitOneError,
    IdempotencyMismatch,
    LinkExpired,
    LinkRedeemed,
    LinkRevoked,
    SlotNotOffered,
    SlotTaken,
)
from domain.link import LinkStatus, SingleUseLink
from domain.offer import Offer
from domain.redemption import (
    RedemptionRequest,
    confirm_repeat,
    is_repeat,
    offered_reservation,
    redeem,
)
from domain.slot import Reservation, Slot
from tests.support.examples import (
    ACTOR,
    IN_90_DAYS,
    LINK,
    NOW,
    OWNER,
    TERMS,
    TOMORROW,
    TOMORROW_AT_NINE,
    TOMORROW_AT_TEN,
)

CALENDAR = Calendar.create(owner_id=OWNER, terms=TERMS, actor=ACTOR, now=NOW)
REQUEST = RedemptionRequest(
    start=TOMORROW_AT_NINE,
    personal_data="a-commitment",
    idempotency_key="a-key",
    actor="invitee",
    now=NOW,
)
DAY = timedelta(days=1)
NIGHT = REQUEST._replace(start=TOMORROW_AT_NINE + timedelta(hours=14))


def a_link() -> SingleUseLink:
    return SingleUseLink.issue(
        link_id=LINK,
        owner_id=OWNER,
        calendar_id=CALENDAR.id,
        expires_at=IN_90_DAYS,
        personal_data=None,
        actor=ACTOR,
        now=NOW,
    )


def a_redeemed_link() -> SingleUseLink:
    link = a_link()
    link.redeem(Booking.id_for(LINK), TOMORROW, idempotency_key="a-key", actor="a", now=NOW)
    return link


def a_revoked_link() -> SingleUseLink:
    link = a_link()
    link.revoke(personal_data=None, actor=ACTOR, now=NOW)
    return link


def an_agenda(*taken: Reservation) -> AgendaDay:
    day = AgendaDay.open(OWNER, TOMORROW.start.date(), actor="invitee", now=NOW)
    for reservation in taken:
        day.reserve(CALENDAR.id, reservation, actor="invitee", now=NOW)
    return day


def decide(
    link: SingleUseLink,
    day: AgendaDay,
    request: RedemptionRequest = REQUEST,
    *,
    is_busy_elsewhere: bool = False,
) -> Booking:
    return redeem(
        request,
        link=link,
        calendar=CALENDAR,
        reservation=offered_reservation(CALENDAR, link.offer, request),
        agenda=[day],
        is_busy_elsewhere=is_busy_elsewhere,
    )


def test_a_redemption_uses_the_link_reserves_the_time_and_makes_the_booking() -> None:
    link, day = a_link(), an_agenda()
    booking = decide(link, day)
    assert link.status(NOW) is LinkStatus.REDEEMED
    assert (link.booking_id, link.idempotency_key) == (booking.id, "a-key")
    assert day.reservations == {booking.id: TERMS.rules.reservation(TOMORROW)}
    assert (booking.link_id, booking.owner_id, booking.slot) == (LINK, OWNER, TOMORROW)
    assert (booking.calendar_id, booking.calendar_version) == (CALENDAR.id, CALENDAR.version)
    assert (booking.personal_data, booking.created_on) == ("a-commitment", NOW)


@pytest.mark.parametrize(
    ("link", "request_key", "repeats"),
    [
        (a_redeemed_link, "a-key", True),
        (a_redeemed_link, "another-key", False),
        (a_redeemed_link, None, False),
        (a_link, "a-key", False),
        (a_link, None, False),
    ],
)
def test_a_request_is_a_repeat_when_its_key_has_redeemed_the_link(
    link: Callable[[], SingleUseLink], request_key: str | None, repeats: bool
) -> None:
    assert is_repeat(link(), REQUEST._replace(idempotency_key=request_key)) is repeats


def test_a_repeat_of_the_same_slot_by_the_same_person_is_confirmed() -> None:
    made = decide(a_link(), an_agenda())
    confirm_repeat(made, start=TOMORROW_AT_NINE, personal_data="a-commitment")


@pytest.mark.parametrize(
    ("start", "personal_data", "refusal"),
    [
        (TOMORROW_AT_TEN, "a-commitment", IdempotencyMismatch),
        (TOMORROW_AT_NINE, "of-somebody-else", IdempotencyMismatch),
        (TOMORROW_AT_NINE, None, LinkRedeemed),  # the invitee is forgotten
    ],
)
def test_a_repeat_that_asks_for_something_else_is_refused(
    start: datetime, personal_data: str | None, refusal: type[AdmitOneError]
) -> None:
    made = decide(a_link(), an_agenda())
    with pytest.raises(refusal):
        confirm_repeat(made, start=start, personal_data=personal_data)


TAKEN = TERMS.rules.reservation(TOMORROW)
LATE = REQUEST._replace(now=IN_90_DAYS)


@pytest.mark.parametrize(
    ("link", "taken", "request_", "refusal"),
    [
        (a_redeemed_link, (), REQUEST, LinkRedeemed),
        (a_revoked_link, (), REQUEST, LinkRevoked),
        (a_link, (), LATE, LinkExpired),
        (a_link, (), NIGHT, SlotNotOffered),
        (a_link, (TAKEN,), REQUEST, SlotTaken),
        # Of several reasons the first one in the fixed order is told.
        (a_redeemed_link, (TAKEN,), NIGHT, LinkRedeemed),
        (a_revoked_link, (TAKEN,), REQUEST, LinkRevoked),
        (a_link, (TAKEN,), LATE, LinkExpired),
        (a_link, (TAKEN,), NIGHT, SlotNotOffered),
    ],
)
def test_a_refusal_names_the_first_reason_and_leaves_the_link_unchanged(
    link: Callable[[], SingleUseLink],
    taken: tuple[Reservation, ...],
    request_: RedemptionRequest,
    refusal: type[AdmitOneError],
) -> None:
    wanted = link()
    version = wanted.version
    with pytest.raises(refusal):
        decide(wanted, an_agenda(*taken), request_)
    assert wanted.version == version


def test_what_the_link_leaves_out_of_its_calendar_is_not_given() -> None:
    link = SingleUseLink.issue(
        owner_id=OWNER,
        calendar_id=CALENDAR.id,
        expires_at=IN_90_DAYS,
        offer=Offer(slots=(TOMORROW_AT_TEN,)),
        personal_data=None,
        actor=ACTOR,
        now=NOW,
    )
    with pytest.raises(SlotNotOffered):
        decide(link, an_agenda())
    decide(link, an_agenda(), REQUEST._replace(start=TOMORROW_AT_TEN))


def test_a_booking_is_reserved_on_every_day_that_it_touches() -> None:
    day = TOMORROW.start.date()
    days = [AgendaDay.open(OWNER, each, actor="invitee", now=NOW) for each in (day, day + DAY)]
    midnight = TOMORROW_AT_NINE + timedelta(hours=15)
    reservation = Reservation(
        Slot(midnight - timedelta(minutes=15), midnight + timedelta(minutes=15)),
        timedelta(),
        timedelta(),
    )
    booking = redeem(
        REQUEST,
        link=a_link(),
        calendar=CALENDAR,
        reservation=reservation,
        agenda=days,
        is_busy_elsewhere=False,
    )
    assert [each.reservations for each in days] == [{booking.id: reservation}] * 2


def test_a_booking_names_the_version_of_the_calendar_by_which_it_was_decided() -> None:
    calendar = Calendar.create(owner_id=OWNER, terms=TERMS, actor=ACTOR, now=NOW)
    calendar.change(replace(TERMS, name="Another"), version=1, actor=ACTOR, now=NOW)
    booking = redeem(
        REQUEST,
        link=a_link(),
        calendar=calendar,
        reservation=TAKEN,
        agenda=[an_agenda()],
        is_busy_elsewhere=False,
    )
    assert booking.calendar_version == 2


def test_a_start_at_the_end_of_all_dates_is_not_offered() -> None:
    far = REQUEST._replace(start=datetime.max.replace(tzinfo=NOW.tzinfo))
    assert offered_reservation(CALENDAR, None, far) is None


def test_a_time_at_which_the_owner_is_busy_elsewhere_is_not_given() -> None:
    with pytest.raises(SlotTaken):
        decide(a_link(), an_agenda(), is_busy_elsewhere=True)
    with pytest.raises(LinkRevoked):
        decide(a_revoked_link(), an_agenda(), is_busy_elsewhere=True)
