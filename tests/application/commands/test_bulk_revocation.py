"""Many links are revoked by one command, each decided on its own."""

from uuid import uuid4

import pytest

from application.commands.links import LARGEST_BATCH
from domain.errors import Invalid, LinkNotFound, LinkRedeemed, LinkRevoked
from domain.link import LinkStatus
from tests.support.desk import Desk
from tests.support.examples import NOW, OTHER_OWNER


def test_links_are_revoked_in_one_transaction_and_the_reason_is_stored_with_each(
    desk: Desk,
) -> None:
    links = desk.new_links(desk.new_calendar(), 3)
    head = desk.services.event_store.head()
    written = desk.revoke_many(*links, reason="Sent to the wrong list")
    assert (written.value.revoked, written.value.unchanged) == (links, {})
    assert {desk.link(link).status(NOW) for link in links} == {LinkStatus.REVOKED}
    events = desk.log(after=head)
    assert [event["topic"] for event in events] == ["link.revoked"] * 3
    assert len({event["transaction"] for event in events}) == 1
    assert written.position == events[-1]["position"]
    assert [row["data"] for row in desk.personal_rows()] == [
        {"reason": "Sent to the wrong list"}
    ] * 3


def test_links_that_cannot_be_revoked_are_reported_and_do_not_stop_the_others(
    desk: Desk,
) -> None:
    calendar = desk.new_calendar()
    active, used, ended = (desk.new_link(calendar) for _ in range(3))
    theirs, unknown = desk.new_link(owner_id=OTHER_OWNER), uuid4()
    desk.redeem(used)
    desk.revoke(ended)
    result = desk.revoke_many(used, active, ended, theirs, unknown, active, calendar).value
    assert result.revoked == [active]
    assert {link: type(refusal) for link, refusal in result.unchanged.items()} == {
        used: LinkRedeemed,
        ended: LinkRevoked,
        theirs: LinkNotFound,
        unknown: LinkNotFound,
        calendar: LinkNotFound,
    }


def test_revoking_many_again_changes_nothing_and_returns_the_end_of_the_log(
    desk: Desk,
) -> None:
    link = desk.new_link()
    desk.revoke_many(link)
    log = desk.log()
    again = desk.revoke_many(link)
    assert again.value.revoked == []
    assert isinstance(again.value.unchanged[link], LinkRevoked)
    assert (desk.log(), again.position) == (log, log[-1]["position"])


def test_a_link_that_is_used_while_many_are_revoked_stays_used(desk: Desk) -> None:
    calendar = desk.new_calendar()
    used, other = desk.new_link(calendar), desk.new_link(calendar)
    desk.let_first(lambda: desk.redeem(used))
    result = desk.revoke_many(used, other).value
    assert (result.revoked, list(result.unchanged)) == ([other], [used])
    assert desk.link(used).status(NOW) is LinkStatus.REDEEMED


@pytest.mark.parametrize("count", [0, LARGEST_BATCH + 1])
def test_none_and_too_many_are_refused(desk: Desk, count: int) -> None:
    with pytest.raises(Invalid):
        desk.revoke_many(*(uuid4() for _ in range(count)))
