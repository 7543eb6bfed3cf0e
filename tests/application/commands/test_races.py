"""Whoever commands at the same moment: one wins, and the others hear the truth."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from itertools import repeat
from uuid import UUID

import psycopg
import pytest

from application.eventstore import advisory_locks, event_sourced_application
from application.eventstore.deadline import REQUEST_SECONDS, deadline
from application.eventstore.recorder import VersionConflict
from domain.agenda import AgendaDay
from domain.booking import Booking
from domain.errors import AdmitOneError, Busy, LinkRedeemed, SlotTaken, Unavailable
from domain.link import LinkStatus
from tests.support.desk import Desk
from tests.support.examples import ADA, GRACE, NOW, OWNER, TOMORROW_AT_NINE, TOMORROW_AT_TEN
from tests.support.service import at_once

MANY = 12


def outcome(command: Callable[[], object]) -> Callable[[], str]:
    """The command, answering "done" or the name of the refusal."""

    def run() -> str:
        try:
            command()
        except AdmitOneError as refusal:
            return type(refusal).__name__
        return "done"

    return run


def test_of_many_who_redeem_the_same_link_one_books_and_the_others_hear_it_is_used(
    desk: Desk,
) -> None:
    calendar_id = desk.new_calendar()
    for _ in range(3):
        link_id = desk.new_link(calendar_id)
        at_nine = outcome(partial(desk.redeem, link_id, TOMORROW_AT_NINE))
        at_ten = outcome(partial(desk.redeem, link_id, TOMORROW_AT_TEN))
        answers = at_once([at_nine, at_ten] * (MANY // 2))
        assert Counter(answers) == {"done": 1, "LinkRedeemed": MANY - 1}
        booking = desk.services.event_store.get(Booking, Booking.id_for(link_id))
        assert desk.link(link_id).booking_id == booking.id
        free_again(desk, booking)
    assert desk.topics().count("booking.made") == 3
    assert len(desk.personal_rows()) == 3


def free_again(desk: Desk, booking: Booking) -> None:
    """Release a booking's slot for the next round."""
    day_id = AgendaDay.id_for(OWNER, booking.slot.start.date())
    day = desk.services.event_store.get(AgendaDay, day_id)
    day.release(booking.id, actor="invitee", now=NOW)
    desk.services.event_store.save(day)


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


def test_many_who_redeem_and_revoke_the_same_link_agree_on_what_came_first(desk: Desk) -> None:
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


def test_whoever_loses_the_link_and_with_it_the_slot_hears_of_the_link(desk: Desk) -> None:
    link_id = desk.new_link()
    desk.let_first(lambda: desk.redeem(link_id, invitee=GRACE))
    with pytest.raises(LinkRedeemed):
        desk.redeem(link_id)
    assert [row["data"]["name"] for row in desk.personal_rows()] == [GRACE.name]


def test_whoever_loses_only_the_slot_leaves_nothing_behind_and_keeps_the_link(desk: Desk) -> None:
    link_id, rival = desk.new_link(), desk.new_link()
    desk.let_first(lambda: desk.redeem(rival, invitee=GRACE))
    with pytest.raises(SlotTaken):
        desk.redeem(link_id)
    assert [row["data"]["name"] for row in desk.personal_rows()] == [GRACE.name]
    assert {line["id"] for line in desk.log() if line["topic"] == "link.redeemed"} == {rival}
    assert desk.redeem(link_id, TOMORROW_AT_TEN).value.invitee == ADA


def test_a_slot_beside_one_just_taken_is_decided_anew_and_booked(desk: Desk) -> None:
    link_id, rival = desk.new_link(), desk.new_link()
    desk.let_first(lambda: desk.redeem(rival, TOMORROW_AT_TEN))
    desk.redeem(link_id)
    day_id = AgendaDay.id_for(OWNER, TOMORROW_AT_NINE.date())
    assert len(desk.services.event_store.get(AgendaDay, day_id).reservations) == 2


# No time left: try again later, and never a refusal that is not true


def commands_on(desk: Desk, link_id: UUID) -> dict[str, Callable[[], object]]:
    """Everything that can be done to a link or its calendar."""
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
def test_while_somebody_holds_the_log_a_command_is_put_off_and_changes_nothing(
    desk: Desk, conninfo: str, name: str
) -> None:
    command = commands_on(desk, desk.new_link())[name]
    before = desk.log()
    with psycopg.connect(conninfo) as holder:
        holder.execute("SELECT pg_advisory_xact_lock(%s)", (advisory_locks.APPEND,))
        with deadline(0.3), pytest.raises(Unavailable):
            command()
    assert (desk.log(), desk.personal_rows()) == (before, [])
    command()
    assert len(desk.log()) > len(before)


@pytest.mark.parametrize("name", ["redeem", "revoke", "replace", "change", "archive"])
def test_who_is_late_again_and_again_is_told_so_at_the_deadline(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    link_id = desk.new_link()
    command = commands_on(desk, link_id)[name]
    before = desk.log()

    def save_too_late(*_: object, **__: object) -> None:
        raise VersionConflict(link_id, 2)

    with monkeypatch.context() as patch:
        patch.setattr(desk.services.event_store, "save", save_too_late)
        with deadline(0.3), pytest.raises(Unavailable):
            command()
    assert (desk.log(), desk.personal_rows()) == (before, [])
    command()
    assert len(desk.log()) > len(before)


def test_with_no_time_for_another_attempt_the_answer_is_busy(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    link_id = desk.new_link()

    def save_too_late(*_: object, **__: object) -> None:
        raise VersionConflict(link_id, 2)

    monkeypatch.setattr(desk.services.event_store, "save", save_too_late)
    monkeypatch.setattr(event_sourced_application, "pauses", lambda: repeat(REQUEST_SECONDS))
    with pytest.raises(Busy):
        desk.redeem(link_id)
