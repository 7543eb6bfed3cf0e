"""Requests to issue and replace links that are repeated with the same idempotency key."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest

from application.commands.new_link import NewLink
from application.people.personal_data import Prefill
from domain.errors import (
    CalendarArchived,
    IdempotencyMismatch,
    LinkRedeemed,
    LinkRevoked,
)
from domain.offer import Offer
from tests.application.commands.test_restored_database import restore
from tests.support.desk import Desk
from tests.support.examples import IN_90_DAYS, NOW, OTHER_OWNER, TOMORROW_AT_NINE, TOMORROW_AT_TEN
from tests.support.waiting import at_once

LATER = NOW + timedelta(days=1)
ADA = NewLink(
    "Ada",
    "From Lyon",
    expires_at=IN_90_DAYS,
    reference="4711",
    prefill=Prefill("Ada", "ada@example.org"),
    offer=Offer(slots=(TOMORROW_AT_NINE,)),
)
THREE = (ADA, NewLink(life=timedelta(days=7)), NewLink("Grace"))


def test_the_same_links_again_are_the_first_ones_as_they_were_issued(desk: Desk) -> None:
    calendar_id = desk.new_calendar()
    first = desk.issue(calendar_id, *THREE, key="k-1")
    desk.change_link(first.value[2].id, recipient="Somebody else")
    desk.revoke(first.value[1].id)
    desk.redeem(first.value[0].id)
    desk.archive(calendar_id)
    head, rows = desk.services.event_store.head(), desk.personal_rows()
    for now in (NOW, LATER, IN_90_DAYS + LATER.resolution):
        again = desk.issue(calendar_id, *THREE, key="k-1", now=now)
        assert (again.value, again.position) == (first.value, head)
    assert desk.log(after=head) == []
    assert desk.personal_rows() == rows


@pytest.mark.parametrize(
    "others",
    [
        THREE[:2],
        (*THREE, NewLink()),
        (THREE[1], THREE[0], THREE[2]),
        (*THREE[:2], NewLink("Grace H.")),
        (*THREE[:2], NewLink()),
        (THREE[0], replace(THREE[1], recipient="Ada"), THREE[2]),
        (THREE[0], replace(THREE[1], life=timedelta(days=8)), THREE[2]),
        (THREE[0], replace(THREE[1], offer=Offer(duration_minutes=45)), THREE[2]),
        (replace(ADA, note=None), *THREE[1:]),
        (replace(ADA, expires_at=LATER), *THREE[1:]),
        (replace(ADA, reference="4712"), *THREE[1:]),
        (replace(ADA, prefill=None), *THREE[1:]),
        (replace(ADA, offer=Offer(slots=(TOMORROW_AT_TEN,))), *THREE[1:]),
    ],
)
def test_a_key_used_again_for_other_links_is_refused(
    desk: Desk, others: tuple[NewLink, ...]
) -> None:
    calendar_id = desk.new_calendar()
    desk.issue(calendar_id, *THREE, key="k-1")
    head = desk.services.event_store.head()
    with pytest.raises(IdempotencyMismatch):
        desk.issue(calendar_id, *others, key="k-1")
    assert desk.log(after=head) == []


def test_a_key_names_one_request_of_an_account(desk: Desk) -> None:
    calendar_id, other_id = desk.new_calendar(), desk.new_calendar()
    theirs = desk.new_calendar(owner_id=OTHER_OWNER)
    (link,) = desk.issue(calendar_id, NewLink(), key="k-1").value
    replaced = desk.replace(desk.new_link(calendar_id), key="k-2").value
    head = desk.services.event_store.head()
    for another in (
        partial(desk.issue, other_id, NewLink(), key="k-1"),
        partial(desk.replace, link.id, key="k-1"),
        partial(desk.issue, calendar_id, NewLink(), key="k-2"),
        partial(desk.replace, replaced.id, key="k-2"),
        partial(desk.replace, link.id, key="k-2"),
    ):
        with pytest.raises(IdempotencyMismatch):
            another()
    assert desk.log(after=head) == []
    (their_link,) = desk.issue(theirs, NewLink(), owner_id=OTHER_OWNER, key="k-1").value
    assert their_link.id != link.id


def test_without_a_key_every_request_issues_a_link(desk: Desk) -> None:
    calendar_id = desk.new_calendar()
    links = {desk.issue(calendar_id, NewLink("Ada")).value[0].id for _ in range(2)}
    links |= {
        desk.issue(calendar_id, NewLink("Ada"), key=key).value[0].id for key in ("k-1", "k-2")
    }
    assert len(links) == 4


def test_a_request_that_was_refused_does_not_use_up_its_key(desk: Desk) -> None:
    archived, calendar_id = desk.new_calendar(), desk.new_calendar()
    link_id = desk.new_link(archived)
    desk.archive(archived)
    for refused in (partial(desk.issue, archived, NewLink()), partial(desk.replace, link_id)):
        with pytest.raises(CalendarArchived):
            refused(key="k-1")
    desk.issue(calendar_id, NewLink(), key="k-1")


def test_the_key_itself_is_not_in_the_log(desk: Desk) -> None:
    key = "a-secret-between-us"
    (link,) = desk.issue(desk.new_calendar(), ADA, key=key).value
    desk.replace(link.id, key=f"{key}, too")
    hashes = [line["data"].get("idempotency_key") for line in desk.log()]
    assert [len(each) for each in hashes if each] == [64, 64]
    assert not any(key in str(line) for line in desk.log())


@pytest.mark.parametrize("rounds", range(3))
def test_of_many_repeats_at_once_in_two_processes_all_get_the_links_of_one(
    desk: Desk, there: Desk, rounds: int
) -> None:
    calendar_id = desk.new_calendar()
    old = there.new_link(calendar_id, recipient="Ada")

    def issued(one: Desk) -> list[UUID]:
        return [link.id for link in one.issue(calendar_id, *THREE, key="k-1").value]

    def replaced(one: Desk) -> list[UUID]:
        return [one.replace(old, key="k-2").value.id]

    for command, count in ((issued, 3), (replaced, 1)):
        head = desk.services.event_store.head()
        requests: list[Callable[[], list[UUID]]] = [partial(command, one) for one in (desk, there)]
        answers = at_once(requests * 4)
        assert len({tuple(answer) for answer in answers}) == 1
        assert desk.topics(head).count("link.issued") == count
        assert {str(line["id"]) for line in desk.log(head)} >= {str(each) for each in answers[0]}


def test_of_two_requests_with_one_key_at_once_the_loser_hears_that_it_is_used(
    desk: Desk, there: Desk
) -> None:
    calendar_id = desk.new_calendar()
    desk.let_first(lambda: there.issue(calendar_id, NewLink("Ada"), key="k-1"))
    with pytest.raises(IdempotencyMismatch):
        desk.issue(calendar_id, NewLink("Grace"), key="k-1")
    assert desk.topics().count("link.issued") == 1


def test_a_replacement_repeated_is_the_first_one_as_it_was_issued(desk: Desk) -> None:
    calendar_id = desk.new_calendar()
    old = desk.new_link(calendar_id, recipient="Ada")
    first = desk.replace(old, key="k-1")
    desk.redeem(first.value.id)
    desk.archive(calendar_id)
    head = desk.services.event_store.head()
    again = desk.replace(old, key="k-1", now=LATER)
    assert (again.value, again.position) == (first.value, head)
    assert desk.log(after=head) == []
    with pytest.raises(LinkRevoked):
        desk.replace(old)
    with pytest.raises(LinkRevoked):
        desk.replace(old, key="k-2")


@pytest.mark.parametrize(
    ("ends", "refusal"),
    [
        (lambda desk, link_id: link_id, LinkRedeemed),
        (lambda desk, link_id: desk.replace(link_id).value.id, LinkRevoked),
    ],
)
def test_once_its_text_is_erased_a_repeated_request_hears_what_ended_the_link(
    desk: Desk, ends: Callable[[Desk, UUID], UUID], refusal: type[Exception]
) -> None:
    calendar_id = desk.new_calendar()
    (link,) = desk.issue(calendar_id, NewLink("Ada"), key="k-1").value
    desk.forget(desk.book(ends(desk, link.id)))
    with pytest.raises(refusal):
        desk.issue(calendar_id, NewLink("Ada"), key="k-1")


def test_a_key_can_issue_again_on_another_calendar_what_a_restore_has_lost(
    desk: Desk, there: Desk
) -> None:
    """The link has its old id: what a process remembers of it must not count."""
    lost, calendar_id = desk.new_calendar(), desk.new_calendar(duration_minutes=60)
    moment = desk.services.event_store.head()

    def issue(one: Desk, calendar_id: UUID, **more: Any) -> UUID:
        return one.issue(calendar_id, NewLink(**more), key="k-1").value[0].id

    link_id = issue(there, lost)
    restore(desk, moment)
    assert issue(desk, calendar_id) == link_id
    assert there.redeem(link_id).value.terms.rules.duration_minutes == 60
    restore(desk, moment)
    assert issue(desk, lost) == link_id
    assert there.replace(link_id).value.calendar_id == lost
