"""Personal data is stored beside the log, which holds only commitments to it."""

import json
from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from application.people.personal_data import (
    Invitee,
    booking_data,
    commitment,
    find,
    row_for,
    without_empty,
)
from tests.support.commitments import recomputed
from tests.support.desk import Desk
from tests.support.examples import ADA, GRACE, LINK, NOW

TYPED = ("Ada Lovelace", "ada@example.org", "Europe/London", "By phone", "For Ada", "Wrong person")


def what_people_type(desk: Desk) -> UUID:
    """Types everything that can be typed about people, and returns the redeemed link."""
    calendar_id = desk.new_calendar()
    redeemed = desk.new_link(calendar_id, recipient="For Ada", note="VIP ☕")
    desk.revoke(desk.new_link(calendar_id), reason="Wrong person")
    desk.redeem(redeemed, notes="By phone", key="k-1")
    return redeemed


def test_personal_data_is_stored_beside_the_log_with_the_event_that_caused_it(desk: Desk) -> None:
    link_id = what_people_type(desk)
    stored = {(row["originator_id"], row["originator_version"]) for row in desk.personal_rows()}
    committed = [line for line in desk.log() if line["data"].get("personal_data")]
    assert stored == {(line["id"], line["version"]) for line in committed}
    assert [line["topic"] for line in committed] == ["link.issued", "link.revoked", "booking.made"]
    issued = find(desk.services.database, link_id)
    assert issued is not None
    assert issued.data == {"recipient": "For Ada", "note": "VIP ☕"}


def test_nothing_that_people_typed_and_no_token_is_in_the_log(desk: Desk) -> None:
    token = desk.services.tokens.for_link(what_people_type(desk))
    rows = desk.services.database.fetch_all("SELECT state FROM stored_events")
    log = b"\n".join(bytes(row["state"]) for row in rows)
    assert b"invitee" in log
    for words in (*TYPED, "VIP", "☕", "k-1", token):
        for form in (words, json.dumps(words)[1:-1]):
            assert form.encode() not in log


def test_an_auditor_can_check_a_row_against_its_commitment(desk: Desk) -> None:
    what_people_type(desk)
    committed = {
        (line["id"], line["version"]): line["data"].get("personal_data") for line in desk.log()
    }
    for row in desk.personal_rows():
        place = row["originator_id"], row["originator_version"]
        assert committed[place] == recomputed(row)
        row["data"][next(iter(row["data"]))] += "!"
        assert committed[place] != recomputed(row)


def test_the_same_words_have_another_salt_and_commitment_each_time(desk: Desk) -> None:
    calendar_id = desk.new_calendar()
    for _ in range(5):
        desk.new_link(calendar_id, recipient="For Ada")
    rows = desk.personal_rows()
    assert {len(bytes(row["salt"])) for row in rows} == {32}
    assert len({bytes(row["salt"]) for row in rows}) == 5
    assert len({line["data"].get("personal_data") for line in desk.log()} - {None}) == 5


def test_no_row_is_stored_where_nothing_was_typed(desk: Desk) -> None:
    calendar_id = desk.new_calendar()
    desk.revoke(desk.new_link(calendar_id, recipient="", note=None), reason="")
    assert desk.personal_rows() == []
    assert {line["data"].get("personal_data") for line in desk.log()} == {None}


def test_a_replaced_link_keeps_recipient_and_note_under_a_new_salt(desk: Desk) -> None:
    old = desk.new_link(recipient="For Ada", note="VIP")
    new = desk.replace(old, now=NOW + timedelta(hours=1)).value.id
    before, after = (find(desk.services.database, link_id) for link_id in (old, new))
    assert before is not None
    assert after is not None
    assert after.data == before.data == {"recipient": "For Ada", "note": "VIP"}
    assert after.salt != before.salt


def test_a_link_whose_recipient_was_forgotten_is_replaced_without_one(desk: Desk) -> None:
    old = desk.new_link(recipient="For Ada")
    with desk.services.database.connection() as conn:
        conn.execute("DELETE FROM personal_data")
    new = desk.replace(old).value
    assert find(desk.services.database, new.id) is None


def test_no_row_is_found_for_an_event_without_personal_data(desk: Desk) -> None:
    link_id = desk.new_link(recipient="For Ada")
    assert find(desk.services.database, link_id, 2) is None
    assert find(desk.services.database, desk.new_link()) is None


FIELDS = st.dictionaries(
    st.text(max_size=10), st.none() | st.text(st.characters(codec="utf-8"), max_size=20), max_size=4
)


@settings(deadline=None)
@given(FIELDS, FIELDS)
def test_a_commitment_matches_only_the_data_it_was_made_for(
    given_data: dict[str, str | None], other: dict[str, str | None]
) -> None:
    rows, recorded = row_for(LINK, 1, given_data)
    stored = {name: value for name, value in given_data.items() if value}
    if recorded is None:
        assert (rows, stored) == ([], {})
        return
    (row,) = rows
    assert row.data == stored
    assert recorded == commitment(row.salt, row.data)
    assert recorded == recomputed(row._asdict())
    assert recorded == commitment(row.salt, dict(reversed(row.data.items())))
    if without_empty(other) != stored:
        assert recorded != commitment(row.salt, without_empty(other))
    assert recorded != commitment(bytes(32), row.data)


@pytest.mark.parametrize("invitee", [ADA, GRACE, Invitee("Ada", "ada@example.org")])
def test_an_invitee_is_read_as_they_were_stored(invitee: Invitee) -> None:
    data = {name: value for name, value in booking_data(invitee, "Hello").items() if value}
    assert Invitee.from_data(data) == invitee
    assert data["notes"] == "Hello"


def test_a_forgotten_invitee_is_read_as_none() -> None:
    assert Invitee.from_data(None) is None
