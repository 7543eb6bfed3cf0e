"""A single-use link is issued, redeemed once, revoked, replaced, or expires."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from domain.booking import Booking
from domain.errors import (
    AdmitOneError,
    Invalid,
    LinkExpired,
    LinkRedeemed,
    LinkRevoked,
    StaleVersion,
)
from domain.link import LinkStatus, SingleUseLink
from tests.domain.replay import collected, copy_of
from tests.support.examples import ACTOR, CALENDAR, IN_90_DAYS, LINK, NOW, OWNER, TOMORROW

BOOKING = Booking.id_for(LINK)
JUST_BEFORE = IN_90_DAYS - timedelta.resolution


def issued(expires_at: datetime = IN_90_DAYS) -> SingleUseLink:
    return SingleUseLink.issue(
        link_id=LINK,
        owner_id=OWNER,
        calendar_id=CALENDAR,
        expires_at=expires_at,
        personal_data=None,
        actor=ACTOR,
        now=NOW,
    )


def redeem(link: SingleUseLink, now: datetime = NOW, key: str | None = None) -> None:
    link.redeem(BOOKING, TOMORROW, idempotency_key=key, actor="invitee", now=now)


def revoke(link: SingleUseLink, now: datetime = NOW, **more: Any) -> None:
    link.revoke(personal_data=None, actor=ACTOR, now=now, **more)


def change(
    link: SingleUseLink,
    expires_at: datetime = JUST_BEFORE,
    *,
    personal_data: str | None = None,
    version: int = 1,
    now: datetime = NOW,
) -> None:
    link.change(
        version=version, expires_at=expires_at, personal_data=personal_data, actor=ACTOR, now=now
    )


def redeemed() -> tuple[SingleUseLink, list[Any]]:
    link = issued()
    redeem(link)
    return link, collected(link)


def revoked() -> tuple[SingleUseLink, list[Any]]:
    link = issued()
    revoke(link)
    return link, collected(link)


def test_an_issued_link_is_active_and_says_who_issued_it_for_what() -> None:
    link = issued()
    (event,) = collected(link)
    assert link.status(NOW) is LinkStatus.ACTIVE
    assert (link.id, link.owner_id, link.calendar_id, link.created_on) == (
        LINK,
        OWNER,
        CALENDAR,
        NOW,
    )
    assert (event.actor, event.timestamp, event.expires_at) == (ACTOR, NOW, IN_90_DAYS)


def test_links_get_ids_that_nobody_can_guess_unless_one_was_chosen() -> None:
    wish: dict[str, Any] = {
        "owner_id": OWNER,
        "calendar_id": CALENDAR,
        "expires_at": IN_90_DAYS,
        "personal_data": None,
        "actor": ACTOR,
        "now": NOW,
    }
    links = [SingleUseLink.issue(**wish) for _ in range(3)]
    assert len({link.id for link in links}) == 3
    assert {link.id.version for link in links} == {4}


@pytest.mark.parametrize("life", [timedelta.resolution, timedelta(days=365)])
def test_a_link_is_valid_for_up_to_a_year(life: timedelta) -> None:
    assert issued(NOW + life).status(NOW) is LinkStatus.ACTIVE


@pytest.mark.parametrize(
    "life",
    [timedelta(0), timedelta(days=-1), timedelta(days=365) + timedelta.resolution],
    ids=["no time at all", "past", "more than a year"],
)
def test_a_link_with_any_other_lifetime_is_not_issued(life: timedelta) -> None:
    with pytest.raises(Invalid) as refusal:
        issued(NOW + life)
    assert list(refusal.value.errors) == ["expires_at"]


def test_a_changed_link_has_a_new_expiry_and_says_which_event_has_its_text() -> None:
    link = issued()
    assert link.typed_version == 1
    change(link, personal_data="new text")
    revoke(link)
    changed = collected(link)[1]
    assert (link.expires_at, link.personal_data, link.typed_version) == (JUST_BEFORE, "new text", 2)
    assert (changed.actor, changed.timestamp) == (ACTOR, NOW)


def test_a_link_changed_to_what_it_is_triggers_no_event() -> None:
    link = issued()
    change(link, personal_data="text", now=NOW)
    history = collected(link)
    # It could not be given this expiry now, and is not.
    change(link, personal_data="text", version=2, now=JUST_BEFORE - timedelta.resolution)
    assert collected(link, history) == history


@pytest.mark.parametrize("life", [timedelta(0), timedelta(days=365) + timedelta.resolution])
def test_a_link_is_not_given_a_lifetime_with_which_it_could_not_be_issued(life: timedelta) -> None:
    link = issued()
    later = NOW + timedelta(days=1)
    with pytest.raises(Invalid) as refusal:
        change(link, later + life, now=later)
    assert list(refusal.value.errors) == ["expires_at"]
    assert link.expires_at == IN_90_DAYS


@pytest.mark.parametrize(
    ("made", "now", "refusal"),
    [
        (issued, IN_90_DAYS, LinkExpired),
        (lambda: redeemed()[0], NOW, LinkRedeemed),
        (lambda: revoked()[0], NOW, LinkRevoked),
    ],
    ids=["expired", "redeemed", "revoked"],
)
def test_a_link_that_ended_is_not_changed(
    made: Any, now: datetime, refusal: type[AdmitOneError]
) -> None:
    link = made()
    version = link.version
    with pytest.raises(refusal):
        change(link, now + timedelta(days=1), version=7, now=now)
    assert link.version == version


def test_the_text_of_a_link_that_can_still_be_used_or_replaced_is_forgotten_once() -> None:
    link = issued()
    change(link, personal_data="text")
    for _ in range(2):
        link.forget_text(actor=ACTOR, now=IN_90_DAYS)
    assert (link.expires_at, link.personal_data, link.typed_version) == (JUST_BEFORE, None, 3)
    assert len(collected(link)) == 3


@pytest.mark.parametrize("end", [redeem, revoke])
def test_of_a_link_that_was_redeemed_or_revoked_no_text_is_forgotten(end: Any) -> None:
    link = issued()
    change(link, personal_data="text")
    end(link)
    link.forget_text(actor=ACTOR, now=NOW)
    assert len(collected(link)) == 3


@pytest.mark.parametrize("version", [0, 1, 3])
def test_a_change_of_another_version_than_the_newest_is_refused(version: int) -> None:
    link = issued()
    change(link)
    with pytest.raises(StaleVersion):
        change(link, IN_90_DAYS, version=version)
    assert link.version == 2


def test_one_who_changes_and_one_who_redeems_at_once_claim_the_same_version() -> None:
    history = collected(issued())
    one, other = copy_of(history), copy_of(history)
    change(one)
    redeem(other)
    (first,), (second,) = one.collect_events(), other.collect_events()
    assert first.originator_version == second.originator_version == 2


def test_a_redeemed_link_knows_its_booking_and_the_events_say_who_booked_when() -> None:
    link = issued()
    redeem(link, key="5a1e")
    event = collected(link)[-1]
    assert link.status(NOW) is LinkStatus.REDEEMED
    assert (link.booking_id, link.idempotency_key) == (BOOKING, "5a1e")
    assert (event.slot_start, event.slot_end) == (TOMORROW.start, TOMORROW.end)
    assert (event.actor, event.timestamp) == ("invitee", NOW)


def test_a_redeemed_link_refuses_a_second_invitee() -> None:
    link, history = redeemed()
    with pytest.raises(LinkRedeemed):
        link.redeem(uuid4(), TOMORROW, idempotency_key=None, actor="invitee", now=NOW)
    assert link.pending_events == []
    assert copy_of(history) == link


def test_a_redeemed_link_cannot_be_revoked() -> None:
    link, history = redeemed()
    with pytest.raises(LinkRedeemed):
        revoke(link)
    with pytest.raises(LinkRedeemed):
        revoke(link, replaced_by=uuid4())
    assert link.pending_events == []
    assert copy_of(history) == link


def test_a_revoked_link_refuses_to_book_and_says_that_it_was_revoked() -> None:
    link, history = revoked()
    assert link.status(NOW) is LinkStatus.REVOKED
    with pytest.raises(LinkRevoked):
        redeem(link)
    assert link.pending_events == []
    assert copy_of(history) == link


def test_revoking_again_triggers_no_event() -> None:
    link, history = revoked()
    revoke(link, now=NOW + timedelta(hours=1))
    assert collected(link, history) == history
    assert link.modified_on == NOW


def test_a_replaced_link_names_the_one_issued_instead_and_is_not_replaced_twice() -> None:
    link, instead = issued(), uuid4()
    revoke(link, replaced_by=instead)
    history = collected(link)
    assert link.replaced_by == instead
    with pytest.raises(LinkRevoked):
        revoke(link, replaced_by=uuid4())
    assert collected(link, history) == history


def test_a_link_can_be_used_until_it_expires_even_for_slots_after_that() -> None:
    link = issued(TOMORROW.start - timedelta(hours=12))
    redeem(link, now=link.expires_at - timedelta.resolution)
    collected(link)
    assert link.status(link.expires_at) is LinkStatus.REDEEMED


def test_an_expired_link_refuses_to_book() -> None:
    link = issued()
    history = collected(link)
    with pytest.raises(LinkExpired):
        redeem(link, now=IN_90_DAYS)
    assert link.pending_events == []
    assert copy_of(history) == link


def test_an_expired_link_can_still_be_revoked() -> None:
    link = issued()
    revoke(link, now=IN_90_DAYS)
    collected(link)
    assert link.status(IN_90_DAYS) is LinkStatus.REVOKED


def test_a_redeemed_or_revoked_link_never_expires() -> None:
    active, used, ended = issued(), redeemed()[0], revoked()[0]
    times = (NOW, JUST_BEFORE, IN_90_DAYS, IN_90_DAYS + timedelta(days=9999))
    assert [active.status(time).value for time in times] == [
        "active",
        "active",
        "expired",
        "expired",
    ]
    assert {used.status(time) for time in times} == {LinkStatus.REDEEMED}
    assert {ended.status(time) for time in times} == {LinkStatus.REVOKED}


@pytest.mark.parametrize(
    ("made", "now", "refusal"),
    [
        (issued, IN_90_DAYS, LinkExpired),
        (lambda: redeemed()[0], IN_90_DAYS, LinkRedeemed),
        (lambda: revoked()[0], IN_90_DAYS, LinkRevoked),
    ],
    ids=["expired", "redeemed", "revoked"],
)
def test_a_link_that_ended_gives_the_true_reason(
    made: Any, now: datetime, refusal: type[AdmitOneError]
) -> None:
    with pytest.raises(refusal):
        made().must_be_active(now)


def test_two_who_redeem_the_same_link_at_once_claim_the_same_version() -> None:
    history = collected(issued())
    one, other = copy_of(history), copy_of(history)
    redeem(one)
    redeem(other)
    (first,), (second,) = one.collect_events(), other.collect_events()
    assert (first.originator_id, first.originator_version) == (LINK, 2)
    assert (second.originator_id, second.originator_version) == (LINK, 2)


def test_one_who_revokes_and_one_who_redeems_at_once_claim_the_same_version() -> None:
    history = collected(issued())
    one, other = copy_of(history), copy_of(history)
    redeem(one)
    revoke(other)
    (first,), (second,) = one.collect_events(), other.collect_events()
    assert first.originator_version == second.originator_version == 2
