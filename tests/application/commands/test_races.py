"""Concurrent commands: one wins, and the others are refused with the true reason."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from itertools import repeat
from uuid import UUID

import psycopg
import pytest

from application.eventstore import advisory_locks, event_sourced_application
from application.eventstore.deadline import deadline
from application.eventstore.recorder import VersionConflict
from domain.agenda import AgendaDay
from domain.booking import Booking
from domain.errors import Busy, LinkRedeemed, SlotTaken, Unavailable
from domain.link import LinkStatus
from tests.application.commands.outcomes import MANY, outcome
from tests.application.eventstore.turns import waiting_for_a_lock
from tests.support.desk import Desk
from tests.support.examples import ADA, GRACE, NOW, OWNER, TOMORROW_AT_NINE, TOMORROW_AT_TEN
from tests.support.waiting import at_once, wait_until


def test_of_many_who_redeem_the_same_link_one_books_and_the_others_are_refused(
    desk: Desk,
) -> None:
    calendar_id = desk.new_calendar()
    for _ in range(3):
        link_id = desk.new_link(calendar_id)
        at_nine = outcome(partial(desk.redeem, link_id, TOMORROW_AT_NINE))
        at_ten = outcome(partial(desk.redeem, link_id, TOMORROW_AT_TEN))
        answers = at_once([at_nine, at_ten] * (MANY // 2))
        assert Counter(answers) == {"done": 1, "LinkRedeemed": MANY - 1}
        booking_id = Booking.id_for(link_id)
        assert desk.link(link_id).booking_id == desk.booking(booking_id).id
        desk.cancel(booking_id)  # its slot is free again for the next round
    assert desk.topics().count("booking.made") == 3
    assert len(desk.personal_rows()) == 3


def test_of_many_links_for_one_slot_one_books_and_the_others_stay_active(desk: Desk) -> None:
    links = [desk.new_link() for _ in range(MANY)]
    answers = at_once([outcome(partial(desk.redeem, link_id)) for link_id in links])
    assert Counter(answers) == {"done": 1, "SlotTaken": MANY - 1}
    for link_id, answer in zip(links, answers, strict=True):
        expected = LinkStatus.REDEEMED if answer == "done" else LinkStatus.ACTIVE
        assert desk.link(link_id).status(NOW) is expected
    assert len(desk.personal_rows()) == 1


def test_many_links_for_as_many_slots_of_one_day_all_book(desk: Desk) -> None:
    calendar_id = desk.new_calendar()
    links = [desk.new_link(calendar_id) for _ in range(MANY)]
    starts = [TOMORROW_AT_NINE + timedelta(minutes=30 * n) for n in range(MANY)]
    answers = at_once(
        [
            outcome(partial(desk.redeem, link_id, start))
            for link_id, start in zip(links, starts, strict=True)
        ]
    )
    assert Counter(answers) == {"done": MANY}
    day_id = AgendaDay.id_for(OWNER, TOMORROW_AT_NINE.date())
    assert len(desk.services.event_store.get(AgendaDay, day_id).reservations) == MANY


def test_the_same_request_sent_many_times_at_once_gets_one_answer(desk: Desk) -> None:
    link_id = desk.new_link()
    answers = at_once([lambda: desk.redeem(link_id, key="k-1").value] * MANY)
    assert all(answer == answers[0] for answer in answers)
    assert desk.topics().count("booking.made") == 1


def test_concurrent_redemptions_and_revocations_agree_on_what_came_first(desk: Desk) -> None:
    link_id = desk.new_link()
    redeem, revoke = (outcome(partial(act, link_id)) for act in (desk.redeem, desk.revoke))
    answers = at_once([redeem, revoke] * (MANY // 2))
    redeemers, revokers = Counter(answers[::2]), Counter(answers[1::2])
    if desk.link(link_id).status(NOW) is LinkStatus.REDEEMED:
        assert redeemers == {"done": 1, "LinkRedeemed": MANY // 2 - 1}
        assert revokers == {"LinkRedeemed": MANY // 2}
    else:
        assert redeemers == {"LinkRevoked": MANY // 2}
        assert revokers == {"done": MANY // 2}
    assert len(desk.topics()) == len(set(desk.topics()))


def test_of_many_who_replace_the_same_link_one_gets_a_new_one(desk: Desk) -> None:
    link_id = desk.new_link()
    answers = at_once([outcome(partial(desk.replace, link_id))] * MANY)
    assert Counter(answers) == {"done": 1, "LinkRevoked": MANY - 1}
    assert desk.topics().count("link.issued") == 2


def test_losing_both_the_link_and_the_slot_is_refused_because_of_the_link(desk: Desk) -> None:
    link_id = desk.new_link()
    desk.let_first(lambda: desk.redeem(link_id, invitee=GRACE))
    with pytest.raises(LinkRedeemed):
        desk.redeem(link_id)
    assert [row["data"]["name"] for row in desk.personal_rows()] == [GRACE.name]


def test_losing_only_the_slot_leaves_nothing_behind_and_the_link_active(desk: Desk) -> None:
    link_id, rival = desk.new_link(), desk.new_link()
    desk.let_first(lambda: desk.redeem(rival, invitee=GRACE))
    with pytest.raises(SlotTaken):
        desk.redeem(link_id)
    assert [row["data"]["name"] for row in desk.personal_rows()] == [GRACE.name]
    assert {line["id"] for line in desk.log() if line["topic"] == "link.redeemed"} == {rival}
    assert desk.redeem(link_id, TOMORROW_AT_TEN).value.invitee == ADA


def test_a_slot_beside_one_that_was_just_taken_is_booked_after_a_conflict(desk: Desk) -> None:
    link_id, rival = desk.new_link(), desk.new_link()
    desk.let_first(lambda: desk.redeem(rival, TOMORROW_AT_TEN))
    desk.redeem(link_id)
    day_id = AgendaDay.id_for(OWNER, TOMORROW_AT_NINE.date())
    assert len(desk.services.event_store.get(AgendaDay, day_id).reservations) == 2


# No time left: try again later, and never a refusal that is not true


def commands_on(desk: Desk, link_id: UUID) -> dict[str, Callable[[], object]]:
    """Returns every command on a link or its calendar, by name."""
    calendar_id = desk.link(link_id).calendar_id
    return {
        "redeem": partial(desk.redeem, link_id),
        "revoke": partial(desk.revoke, link_id),
        "replace": partial(desk.replace, link_id),
        "issue": partial(desk.new_link, calendar_id),
        "change": partial(desk.change, calendar_id, duration_minutes=60),
        "archive": partial(desk.archive, calendar_id),
    }


@pytest.mark.parametrize("name", ["redeem", "revoke", "replace", "issue", "change", "archive"])
def test_a_command_that_cannot_append_in_time_is_unavailable_and_changes_nothing(
    desk: Desk, conninfo: str, name: str
) -> None:
    command = commands_on(desk, desk.new_link())[name]
    before = desk.log()
    with psycopg.connect(conninfo) as holder:
        holder.execute("SELECT pg_advisory_xact_lock(%s)", (advisory_locks.APPEND,))
        with deadline(0.3), pytest.raises(Unavailable):
            command()
        wait_until(lambda: not waiting_for_a_lock(conninfo))  # a busy server gives up later
    assert (desk.log(), desk.personal_rows()) == (before, [])
    command()
    assert len(desk.log()) > len(before)


@pytest.mark.parametrize("name", ["redeem", "revoke", "replace", "change", "archive"])
def test_a_command_that_meets_conflicts_until_its_deadline_is_unavailable(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    link_id = desk.new_link()
    command = commands_on(desk, link_id)[name]
    before = desk.log()

    def save_too_late(*_: object, **__: object) -> None:
        raise VersionConflict(link_id, 2)

    with monkeypatch.context() as patch:
        patch.setattr(desk.services.event_store, "record", save_too_late)
        with deadline(0.3), pytest.raises(Unavailable):
            command()
    assert (desk.log(), desk.personal_rows()) == (before, [])
    command()
    assert len(desk.log()) > len(before)


def test_a_conflict_without_time_for_another_attempt_is_refused_as_busy(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    link_id = desk.new_link()

    def save_too_late(*_: object, **__: object) -> None:
        raise VersionConflict(link_id, 2)

    monkeypatch.setattr(desk.services.event_store, "record", save_too_late)
    monkeypatch.setattr(event_sourced_application, "pauses", lambda: repeat(3600.0))
    with pytest.raises(Busy):
        desk.redeem(link_id)
