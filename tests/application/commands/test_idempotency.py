"""A repeated redemption with the same idempotency key gets the first answer again."""

from dataclasses import replace
from typing import Any

import pytest

from domain.errors import IdempotencyMismatch, LinkRedeemed, SlotNotOffered
from tests.support.desk import Desk, minutes, terms
from tests.support.examples import ADA, GRACE, IN_90_DAYS, TOMORROW_AT_NINE, TOMORROW_AT_TEN


def test_the_same_request_again_gets_the_same_answer_and_records_nothing(desk: Desk) -> None:
    link_id = desk.new_link()
    first = desk.redeem(link_id, notes="Hello", key="k-1")
    again = desk.redeem(link_id, notes="Hello", key="k-1", now=IN_90_DAYS)
    assert again == first
    assert desk.topics().count("link.redeemed") == 1
    assert len(desk.personal_rows()) == 1


def test_the_first_answer_is_repeated_whatever_has_changed_since(desk: Desk) -> None:
    calendar_id = desk.new_calendar()
    link_id = desk.new_link(calendar_id)
    first = desk.redeem(link_id, key="k-1")
    desk.change(calendar_id, duration_minutes=60)
    desk.reschedule(first.value.booking.id, TOMORROW_AT_TEN)
    desk.cancel(first.value.booking.id)
    again = desk.redeem(link_id, key="k-1")
    assert again.value == first.value
    assert (first.value.is_repeat, again.value.is_repeat) == (False, True)
    assert again.value.calendar.terms == terms()


@pytest.mark.parametrize(
    "changes",
    [
        {"start": TOMORROW_AT_TEN},
        {"start": TOMORROW_AT_NINE + minutes(1)},
        {"invitee": GRACE},
        {"invitee": replace(ADA, email="ada@example.com")},
        {"invitee": replace(ADA, time_zone=None)},
        {"notes": "Hello!"},
        {"notes": None},
    ],
)
def test_a_key_used_again_for_another_booking_is_refused(
    desk: Desk, changes: dict[str, Any]
) -> None:
    link_id = desk.new_link()
    desk.redeem(link_id, notes="Hello", key="k-1")
    with pytest.raises(IdempotencyMismatch):
        desk.redeem(link_id, **({"notes": "Hello", "key": "k-1"} | changes))


@pytest.mark.parametrize(("first", "again"), [("k-1", "k-2"), ("k-1", None), (None, "k-1")])
def test_the_same_request_with_another_key_or_none_hears_that_the_link_is_used(
    desk: Desk, first: str | None, again: str | None
) -> None:
    link_id = desk.new_link()
    desk.redeem(link_id, key=first)
    with pytest.raises(LinkRedeemed):
        desk.redeem(link_id, key=again)


def test_two_links_may_carry_the_same_key(desk: Desk) -> None:
    calendar_id = desk.new_calendar()
    one = desk.redeem(desk.new_link(calendar_id), key="k-1")
    other = desk.redeem(desk.new_link(calendar_id), TOMORROW_AT_TEN, key="k-1")
    assert one.value.booking.id != other.value.booking.id


def test_a_request_that_was_refused_does_not_use_up_its_key(desk: Desk) -> None:
    link_id = desk.new_link()
    with pytest.raises(SlotNotOffered):
        desk.redeem(link_id, TOMORROW_AT_NINE + minutes(1), key="k-1")
    desk.redeem(link_id, key="k-1")


def test_the_key_itself_is_not_in_the_log(desk: Desk) -> None:
    desk.redeem(desk.new_link(), key="a-secret-between-us")
    assert not any("a-secret-between-us" in str(line) for line in desk.log())


def test_after_erasure_a_repeated_request_hears_that_the_link_is_used(
    desk: Desk,
) -> None:
    link_id = desk.new_link()
    desk.forget(desk.book(link_id, key="k-1"))
    with pytest.raises(LinkRedeemed):
        desk.redeem(link_id, key="k-1")
