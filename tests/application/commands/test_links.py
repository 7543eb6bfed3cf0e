"""Commands about links except redeeming: happened, repeated, refused, raced."""

from datetime import timedelta
from functools import partial
from operator import itemgetter
from uuid import uuid4

import pytest

from application.commands.new_link import NewLink
from application.people.personal_data import Prefill, commitment
from domain.errors import (
    AdmitOneError,
    CalendarArchived,
    Invalid,
    LinkNotFound,
    LinkRedeemed,
    LinkRevoked,
    StaleVersion,
)
from domain.link import LONGEST_LIFE, LinkStatus
from tests.support.desk import Desk
from tests.support.examples import IN_90_DAYS, NOW, OTHER_OWNER, OWNER

LATER = NOW + timedelta(hours=1)


# Issuing


def test_a_link_expires_after_ninety_days_by_default(desk: Desk) -> None:
    calendar_id = desk.new_calendar()
    until = NOW + timedelta(days=7)
    written = desk.issue(calendar_id, NewLink(), NewLink(expires_at=until))
    assert [link.expires_at for link in written.value] == [IN_90_DAYS, until]
    assert [desk.link(link.id) for link in written.value] == written.value
    assert {link.status(NOW) for link in written.value} == {LinkStatus.ACTIVE}
    assert {(link.owner_id, link.calendar_id) for link in written.value} == {(OWNER, calendar_id)}


def test_many_links_are_issued_in_one_transaction_in_the_order_asked_for(desk: Desk) -> None:
    calendar_id = desk.new_calendar()
    head = desk.services.event_store.head()
    written = desk.issue(calendar_id, *[NewLink(recipient=f"Guest {n}") for n in range(500)])
    lines = desk.log(after=head)
    assert [line["id"] for line in lines] == [link.id for link in written.value]
    assert len({line["transaction"] for line in lines + desk.personal_rows()}) == 1
    assert lines[-1]["position"] == written.position
    names = {row["originator_id"]: row["data"]["recipient"] for row in desk.personal_rows()}
    assert [names[link.id] for link in written.value] == [f"Guest {n}" for n in range(500)]


@pytest.mark.parametrize("count", [0, 501])
def test_no_links_and_too_many_links_are_refused(desk: Desk, count: int) -> None:
    calendar_id = desk.new_calendar()
    with pytest.raises(Invalid) as refusal:
        desk.issue(calendar_id, *[NewLink()] * count)
    assert list(refusal.value.errors) == ["links"]
    assert desk.topics() == ["calendar.created"]


def test_one_wrong_link_of_several_is_named_and_none_is_issued(desk: Desk) -> None:
    calendar_id = desk.new_calendar()
    with pytest.raises(Invalid) as refusal:
        desk.issue(
            calendar_id,
            NewLink(recipient="Ada"),
            NewLink(expires_at=NOW),
            NewLink(expires_at=NOW + timedelta(days=366)),
        )
    assert list(refusal.value.errors) == ["links.1.expires_at", "links.2.expires_at"]
    assert desk.topics() == ["calendar.created"]
    assert desk.personal_rows() == []


def test_a_calendar_that_is_archived_at_the_last_moment_takes_no_links(desk: Desk) -> None:
    first, second = desk.new_calendar(), desk.new_calendar()
    link_id = desk.new_link(second)
    desk.let_first(partial(desk.archive, first))
    with pytest.raises(CalendarArchived):
        desk.new_link(first)
    desk.let_first(partial(desk.archive, second))
    with pytest.raises(CalendarArchived):
        desk.replace(link_id)
    assert desk.topics()[-2:] == ["calendar.archived", "calendar.archived"]


def test_an_archived_calendar_takes_no_links(desk: Desk) -> None:
    calendar_id = desk.new_calendar()
    link_id = desk.new_link(calendar_id)
    desk.archive(calendar_id)
    head = desk.services.event_store.head()
    with pytest.raises(CalendarArchived):
        desk.new_link(calendar_id)
    with pytest.raises(CalendarArchived):
        desk.replace(link_id)
    assert desk.log(after=head) == []


def test_a_redeemed_link_is_refused_for_that_and_not_for_its_archived_calendar(desk: Desk) -> None:
    link_id = desk.new_link()
    desk.redeem(link_id)
    desk.archive(desk.link(link_id).calendar_id)
    with pytest.raises(LinkRedeemed):
        desk.replace(link_id)


# Changing


def test_a_change_keeps_its_text_outside_the_log_with_the_event_that_made_it(desk: Desk) -> None:
    link_id = desk.new_link(recipient="Ada", note="VIP", prefill=Prefill(name="Ada Lovelace"))
    head = desk.services.event_store.head()
    written = desk.change_link(link_id, note=None, reference="r-1", now=LATER)
    assert written.value == desk.link(link_id)
    (line,) = desk.log(after=head)
    assert (line["topic"], line["position"]) == ("link.changed", written.position)
    before, after = sorted(desk.personal_rows(), key=itemgetter("originator_version"))
    assert (after["originator_id"], after["originator_version"]) == (link_id, 2)
    assert before["data"] == {"recipient": "Ada", "note": "VIP", "prefill_name": "Ada Lovelace"}
    assert after["data"] == {
        "recipient": "Ada",
        "reference": "r-1",
        "prefill_name": "Ada Lovelace",
    }
    assert after["transaction"] == line["transaction"]
    assert commitment(after["salt"], after["data"]) == line["data"]["personal_data"]
    assert after["salt"] != before["salt"]


def test_text_that_stays_is_stored_with_each_version(desk: Desk) -> None:
    link_id = desk.new_link(recipient="Ada")
    desk.change_link(link_id, expires_at=IN_90_DAYS - timedelta(days=1))
    desk.change_link(link_id, recipient=None)
    rows = sorted(desk.personal_rows(), key=itemgetter("originator_version"))
    assert [(row["originator_version"], row["data"]) for row in rows] == [
        (1, {"recipient": "Ada"}),
        (2, {"recipient": "Ada"}),
    ]
    assert (desk.link(link_id).typed_version, desk.link(link_id).personal_data) == (3, None)


def test_a_link_that_is_changed_at_the_last_moment_is_changed_no_more(desk: Desk) -> None:
    link_id = desk.new_link(recipient="Ada")
    desk.let_first(lambda: desk.change_link(link_id, note="Mine"))
    with pytest.raises(StaleVersion):
        desk.change_link(link_id, note="Too late", version=1)
    desk.let_first(lambda: desk.change_link(link_id, reference="r-1"))
    desk.change_link(link_id, recipient="Grace")
    (newest,) = (row["data"] for row in desk.personal_rows() if row["originator_version"] == 4)
    assert newest == {"recipient": "Grace", "note": "Mine", "reference": "r-1"}


# Revoking


def test_a_revoked_link_ends_and_the_reason_stays_outside_the_log(desk: Desk) -> None:
    link_id = desk.new_link()
    written = desk.revoke(link_id, reason="Sent to the wrong person")
    assert written.value == desk.link(link_id)
    assert written.value.status(NOW) is LinkStatus.REVOKED
    (row,) = desk.personal_rows()
    assert (row["originator_id"], row["originator_version"]) == (link_id, 2)
    assert row["data"] == {"reason": "Sent to the wrong person"}
    assert row["transaction"] == desk.log()[-1]["transaction"]


def test_revoking_a_link_again_changes_nothing(desk: Desk) -> None:
    link_id = desk.new_link()
    first = desk.revoke(link_id)
    again = desk.revoke(link_id, reason="Once more", now=LATER)
    assert (again.value, again.position) == (first.value, first.position)
    assert desk.topics() == ["calendar.created", "link.issued", "link.revoked"]
    assert desk.personal_rows() == []


def test_an_expired_link_can_be_revoked(desk: Desk) -> None:
    link_id = desk.new_link()
    assert desk.revoke(link_id, now=IN_90_DAYS).value.status(IN_90_DAYS) is LinkStatus.REVOKED


def test_a_link_that_is_redeemed_at_the_last_moment_is_not_revoked(desk: Desk) -> None:
    link_id = desk.new_link()
    desk.let_first(lambda: desk.redeem(link_id))
    with pytest.raises(LinkRedeemed):
        desk.revoke(link_id, reason="Sent to the wrong person")
    assert "link.revoked" not in desk.topics()
    assert [list(row["data"]) for row in desk.personal_rows()] == [["name", "email", "time_zone"]]


def test_a_link_that_is_revoked_at_the_last_moment_is_revoked_once(desk: Desk) -> None:
    link_id = desk.new_link()
    desk.let_first(lambda: desk.revoke(link_id, reason="Mine"))
    desk.revoke(link_id, reason="Too late")
    assert desk.topics() == ["calendar.created", "link.issued", "link.revoked"]
    assert [row["data"] for row in desk.personal_rows()] == [{"reason": "Mine"}]


def test_a_link_of_another_owner_is_not_found_nor_is_any_other_id(desk: Desk) -> None:
    calendar_id = desk.new_calendar()
    foreign = desk.new_link(owner_id=OTHER_OWNER)
    head = desk.services.event_store.head()
    for link_id in (foreign, calendar_id, uuid4()):
        for command in (desk.revoke, desk.replace):
            with pytest.raises(LinkNotFound):
                command(link_id)
    assert desk.log(after=head) == []


# Replacing


def test_a_replaced_link_is_revoked_and_one_like_it_issued_in_one_transaction(desk: Desk) -> None:
    old = desk.new_link(recipient="Ada", note="VIP", expires_at=NOW + timedelta(days=7))
    head = desk.services.event_store.head()
    written = desk.replace(old, now=LATER)
    new = written.value
    assert new == desk.link(new.id)
    assert (new.owner_id, new.calendar_id) == (OWNER, desk.link(old).calendar_id)
    assert new.expires_at == LATER + timedelta(days=7)
    assert new.status(LATER) is LinkStatus.ACTIVE
    assert desk.link(old).status(LATER) is LinkStatus.REVOKED
    assert desk.link(old).replaced_by == new.id
    lines = desk.log(after=head)
    assert [(line["topic"], line["id"]) for line in lines] == [
        ("link.revoked", old),
        ("link.issued", new.id),
    ]
    assert len({line["transaction"] for line in lines}) == 1
    assert lines[-1]["position"] == written.position


def test_an_expired_link_can_be_replaced(desk: Desk) -> None:
    new = desk.replace(desk.new_link(), now=IN_90_DAYS).value
    assert new.expires_at == IN_90_DAYS + timedelta(days=90)


def test_a_link_that_was_extended_is_replaced_by_one_for_a_year_at_most(desk: Desk) -> None:
    old = desk.new_link(expires_at=NOW + LONGEST_LIFE)
    desk.change_link(old, expires_at=LATER + LONGEST_LIFE, now=LATER)
    assert desk.replace(old, now=LATER).value.expires_at == LATER + LONGEST_LIFE


@pytest.mark.parametrize(
    ("ended_by", "refusal"),
    [(Desk.redeem, LinkRedeemed), (Desk.revoke, LinkRevoked), (Desk.replace, LinkRevoked)],
)
def test_a_link_that_has_ended_or_ends_at_the_last_moment_is_not_replaced(
    desk: Desk, ended_by: object, refusal: type[AdmitOneError]
) -> None:
    assert callable(ended_by)
    link_id, late = desk.new_link(), desk.new_link()
    ended_by(desk, link_id)
    with pytest.raises(refusal):
        desk.replace(link_id)
    issued = desk.topics().count("link.issued")
    desk.let_first(lambda: desk.revoke(late))
    with pytest.raises(LinkRevoked):
        desk.replace(late)
    assert desk.topics().count("link.issued") == issued
