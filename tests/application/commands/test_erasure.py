"""Erasure of personal data, and the export of what is held about an address."""

import json
from collections import Counter
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest

from application.calendar_feeds import FeedDetail
from application.commands import erasure
from application.eventstore.recorder import PersonalDataRow
from application.link_requests import NEW_LINK, LinkRequestNotFound
from application.people.accounts import Account
from application.people.personal_data import Invitee, Prefill, commitment, find
from domain.booking import Booking, BookingStatus
from domain.errors import BookingNotFound, LinkRedeemed
from domain.link import LinkStatus
from tests.application.commands.conftest import FailingCommits
from tests.application.commands.outcomes import MANY, outcome
from tests.application.conftest import rows_of
from tests.support.desk import Desk
from tests.support.examples import ACTOR, ADA, GRACE, NOW, OTHER_OWNER, TOMORROW, TOMORROW_AT_TEN
from tests.support.waiting import at_once

LATER = NOW + timedelta(hours=1)


@pytest.fixture
def olivia_desk(desk: Desk, olivia: Account) -> Desk:
    """Gives the commands of an owner with an account, who can be asked for links."""
    return Desk(desk.services, olivia.id)


def booked(desk: Desk, calendar_id: UUID | None = None, **redemption: Any) -> UUID:
    """Makes a booking with personal data at link and booking, and returns its id."""
    link_id = desk.new_link(calendar_id, recipient="Countess", note="Met in London")
    return desk.book(link_id, **{"notes": "By phone", "key": "k-1"} | redemption)


def backup(desk: Desk) -> list[PersonalDataRow]:
    """Returns all rows of personal data."""
    names = PersonalDataRow._fields
    return [PersonalDataRow(*(row[name] for name in names)) for row in desk.personal_rows()]


def restore(desk: Desk, rows: list[PersonalDataRow]) -> None:
    """Restores rows of personal data that were deleted."""
    with desk.services.database.connection() as conn:
        conn.cursor().executemany(
            "INSERT INTO personal_data VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
            [(*row[:3], json.dumps(row.data)) for row in rows],
        )


def held(desk: Desk, email: str) -> Any:
    """Returns what is held about an address, read back from JSON."""
    return json.loads(json.dumps(desk.services.erasure.personal_data_about(email)))


def test_erasure_deletes_everything_typed_about_an_invitee_and_records_an_event(desk: Desk) -> None:
    link_id = desk.new_link(reference="r-1", prefill=Prefill(ADA.name, ADA.email))
    desk.change_link(link_id, recipient="Countess")
    booking_id = desk.book(link_id)
    desk.cancel(booking_id, reason="Ada fell ill")
    assert len(desk.personal_rows()) == 4
    head = desk.services.event_store.head()
    written = desk.forget(booking_id, now=LATER)
    assert desk.personal_rows() == []
    (line,) = desk.log(after=head)
    assert (line["topic"], line["id"]) == ("booking.invitee_forgotten", booking_id)
    assert line["data"] == {"actor": ACTOR, "timestamp": "2026-11-23T09:00:00Z"}
    assert written.position == line["position"]
    assert written.value.is_invitee_forgotten


def test_rows_are_deleted_and_the_event_is_recorded_in_one_transaction(
    desk: Desk, failing_commits: FailingCommits, olivia: Account
) -> None:
    host = Desk(desk.services, olivia.id)
    booking_id = booked(host)
    requests = host.services.link_requests
    link = host.link(host.booking(booking_id).link_id)
    requests.ask(link, name="Ada", email=None, message=None, language="en", now=NOW)
    before = host.log(), host.personal_rows(), requests.all(olivia.id)
    with failing_commits("stored_events"):
        host.forget(booking_id)
    assert (host.log(), host.personal_rows(), requests.all(olivia.id)) == before


def test_personal_data_of_other_invitees_remains(desk: Desk) -> None:
    calendar_id = desk.new_calendar()
    gone = booked(desk, calendar_id)
    desk.new_link(calendar_id, recipient="Somebody else")
    stays = booked(desk, calendar_id, start=TOMORROW_AT_TEN, invitee=GRACE)
    desk.forget(gone)
    data = [row["data"] for row in desk.personal_rows()]
    assert len(data) == 3
    assert sorted(words.get("name", "") for words in data) == ["", "", GRACE.name]
    assert not desk.booking(stays).is_invitee_forgotten


def test_erasure_includes_the_links_that_the_used_link_replaced(desk: Desk) -> None:
    calendar_id = desk.new_calendar()
    link_id = desk.new_link(calendar_id, recipient="Countess")
    desk.new_link(calendar_id, recipient="Somebody else")
    for _ in range(3):
        link_id = desk.replace(link_id).value.id
        desk.new_link(calendar_id)
    booking_id = desk.book(link_id)
    assert len(desk.personal_rows()) == 6
    desk.forget(booking_id)
    assert [row["data"] for row in desk.personal_rows()] == [{"recipient": "Somebody else"}]


def asked_anew(desk: Desk, old_id: UUID, name: str = ADA.name, email: str | None = None) -> UUID:
    """Asks for a new link in the place of one, and returns the id of that which answers it."""
    requests, old = desk.services.link_requests, desk.link(old_id)
    requests.ask(old, name=name, email=email, message=None, language="en", now=NOW)
    request = requests.one(desk.owner_id, old_id)
    return desk.services.request_answers.answer(request, actor=ACTOR, now=NOW).value.id


def recipients(desk: Desk) -> set[str]:
    """Returns whom links are for, as far as that is still stored."""
    return {row["data"].get("recipient", "") for row in desk.personal_rows()} - {""}


def test_erasure_includes_the_link_that_was_asked_for_anew_and_those_before(
    olivia_desk: Desk,
) -> None:
    desk = olivia_desk
    calendar_id = desk.new_calendar()
    replaced = desk.new_link(calendar_id, recipient="Countess")
    link_id = asked_anew(desk, desk.replace(replaced).value.id)
    booking_id = desk.book(asked_anew(desk, link_id, email=ADA.email.upper()))
    desk.new_link(calendar_id, recipient="Somebody else")
    desk.forget(booking_id)
    assert [row["data"] for row in desk.personal_rows()] == [{"recipient": "Somebody else"}]


@pytest.mark.parametrize(
    ("name", "email", "left"),
    [
        (ADA.name, None, set()),
        ("Ada", ADA.email, set()),
        (GRACE.name, None, {GRACE.name}),
        (ADA.name, GRACE.email, {ADA.name}),
    ],
)
def test_a_link_asked_for_with_a_used_one_is_erased_with_its_invitee_if_they_asked(
    olivia_desk: Desk, name: str, email: str | None, left: set[str]
) -> None:
    desk = olivia_desk
    booking_id = booked(desk)
    new_id = asked_anew(desk, desk.booking(booking_id).link_id, name, email)
    desk.forget(booking_id)
    assert recipients(desk) == left
    assert desk.link(new_id).status(LATER) is LinkStatus.ACTIVE


def test_erasure_includes_the_links_that_replaced_one_that_was_asked_for(
    olivia_desk: Desk,
) -> None:
    desk = olivia_desk
    booking_id = booked(desk)
    new_id = asked_anew(desk, desk.booking(booking_id).link_id, email=ADA.email)
    asked_anew(desk, new_id, GRACE.name, GRACE.email)
    desk.revoke(desk.replace(desk.replace(new_id).value.id).value.id)
    desk.forget(booking_id)
    assert recipients(desk) == {GRACE.name}
    assert ADA.email not in str(desk.personal_rows())


@pytest.mark.parametrize("is_first", [True, False], ids=["forget first", "forget last"])
@pytest.mark.parametrize("is_replaced", [True, False], ids=["replaced", "changed"])
def test_a_link_that_is_changed_or_replaced_during_an_erasure_keeps_no_text_of_before(
    olivia_desk: Desk, is_replaced: bool, is_first: bool
) -> None:
    desk = olivia_desk
    booking_id = booked(desk)
    new_id = asked_anew(desk, desk.booking(booking_id).link_id, email=ADA.email)
    change = partial(
        desk.replace if is_replaced else partial(desk.change_link, note="By train"), new_id
    )
    forget = partial(desk.forget, booking_id)
    desk.let_first(forget if is_first else change)
    (change if is_first else forget)()
    kept = is_first and not is_replaced
    assert [row["data"] for row in desk.personal_rows()] == [{"note": "By train"}] * kept


def test_who_used_a_link_before_somebody_else_asked_with_it_is_not_erased(
    olivia_desk: Desk,
) -> None:
    desk = olivia_desk
    used = booked(desk)
    new_id = asked_anew(desk, desk.booking(used).link_id, GRACE.name, GRACE.email)
    desk.forget(desk.book(new_id, TOMORROW_AT_TEN, invitee=GRACE))
    assert recipients(desk) == {"Countess"}
    assert ADA.email in str(desk.personal_rows())


@pytest.mark.parametrize("is_forgotten", [True, False])
def test_a_request_that_ends_while_it_is_answered_leaves_no_link_and_no_text(
    olivia_desk: Desk, is_forgotten: bool
) -> None:
    desk = olivia_desk
    booking_id = booked(desk)
    old_id = desk.booking(booking_id).link_id
    desk.let_first(
        partial(desk.forget, booking_id)
        if is_forgotten
        else partial(desk.services.link_requests.dismiss, desk.owner_id, old_id)
    )
    rows = [row for row in desk.personal_rows() if not is_forgotten]
    with pytest.raises(LinkRequestNotFound):
        asked_anew(desk, old_id)
    assert desk.personal_rows() == rows
    assert desk.topics()[-1] == "link.revoked"
    mails = desk.services.deliveries.newest(limit=9)
    assert NEW_LINK not in {mail.kind for mail in mails}


def test_a_request_that_is_answered_twice_at_once_gets_one_link(olivia_desk: Desk) -> None:
    desk, requests = olivia_desk, olivia_desk.services.link_requests
    old = desk.link(desk.new_link())
    requests.ask(old, name="Ada", email=ADA.email, message=None, language="en", now=NOW)
    request = requests.one(desk.owner_id, old.id)
    answer = partial(desk.services.request_answers.answer, request, actor=ACTOR, now=NOW)
    first: list[UUID] = []
    desk.let_first(lambda: first.append(answer().value.id))
    assert [answer().value.id] == first
    assert desk.link(first[0]).status(NOW) is LinkStatus.ACTIVE
    with pytest.raises(LinkRequestNotFound):
        answer()
    mails = desk.services.deliveries.newest(limit=9)
    assert [mail.kind for mail in mails].count(NEW_LINK) == 1


def test_what_a_backup_brought_back_of_a_link_that_was_asked_for_is_erased_again(
    olivia_desk: Desk,
) -> None:
    desk = olivia_desk
    booking_id = booked(desk)
    asked_anew(desk, desk.booking(booking_id).link_id)
    rows = backup(desk)
    desk.forget(booking_id)
    restore(desk, rows)
    assert desk.services.erasure.reapply() == 3
    assert desk.personal_rows() == []


def test_a_second_erasure_records_nothing(desk: Desk) -> None:
    booking_id = booked(desk)
    first = desk.forget(booking_id)
    again = desk.forget(booking_id, now=LATER)
    assert again == first
    assert desk.topics().count("booking.invitee_forgotten") == 1


def test_a_second_erasure_deletes_what_a_backup_brought_back(desk: Desk) -> None:
    booking_id = booked(desk)
    rows = backup(desk)
    desk.forget(booking_id)
    restore(desk, rows)
    desk.forget(booking_id)
    assert desk.personal_rows() == []
    assert desk.topics().count("booking.invitee_forgotten") == 1


def test_a_booking_of_another_owner_cannot_be_erased(desk: Desk) -> None:
    booking_id = booked(desk)
    before = desk.log(), desk.personal_rows()
    for forget in (
        partial(Desk(desk.services, OTHER_OWNER).forget, booking_id),
        partial(desk.forget, uuid4()),
        partial(desk.forget, uuid4(), by_operator=True),
        partial(desk.forget, desk.booking(booking_id).link_id),
    ):
        with pytest.raises(BookingNotFound):
            forget()
    assert (desk.log(), desk.personal_rows()) == before


def test_an_operator_can_erase_the_invitee_of_any_booking(desk: Desk) -> None:
    booking_id = booked(desk)
    desk.forget(booking_id, by_operator=True)
    assert desk.personal_rows() == []


def test_replay_still_works_after_erasure_and_shows_it(desk: Desk) -> None:
    booking_id = booked(desk)
    desk.forget(booking_id)
    booking = desk.booking(booking_id)
    assert (booking.slot, booking.status) == (TOMORROW, BookingStatus.CONFIRMED)
    assert booking.is_invitee_forgotten
    link = desk.link(booking.link_id)
    assert (link.status(NOW), link.booking_id) == (LinkStatus.REDEEMED, booking_id)
    with pytest.raises(LinkRedeemed):
        desk.redeem(booking.link_id, invitee=GRACE)


def test_after_erasure_the_commitment_cannot_be_checked_against_anybody(
    desk: Desk, conninfo: str
) -> None:
    booking_id = booked(desk)
    row = find(desk.services.database, booking_id)
    assert row is not None
    recorded = desk.booking(booking_id).personal_data
    assert commitment(row.salt, row.data) == recorded
    desk.forget(booking_id)
    assert recorded in str(desk.log())
    assert row.salt.hex() not in rows_of(conninfo, "stored_events")
    assert rows_of(conninfo, "personal_data") == ""
    assert commitment(b"", row.data) != recorded


def test_many_concurrent_erasures_of_the_same_invitee_are_recorded_once(desk: Desk) -> None:
    booking_id = booked(desk)
    answers = at_once([outcome(partial(desk.forget, booking_id))] * MANY)
    assert Counter(answers) == {"done": MANY}
    assert desk.topics().count("booking.invitee_forgotten") == 1
    assert desk.personal_rows() == []


def test_personal_data_typed_during_an_erasure_is_deleted_too(desk: Desk) -> None:
    booking_id = booked(desk)
    desk.let_first(partial(desk.cancel, booking_id, reason="Ada fell ill"))
    desk.forget(booking_id)
    assert desk.topics()[-3:] == [
        "booking.cancelled",
        "agenda.slot_released",
        "booking.invitee_forgotten",
    ]
    assert desk.personal_rows() == []


def test_a_request_repeated_during_an_erasure_stores_no_personal_data_again(
    desk: Desk,
) -> None:
    calendar_id = desk.new_calendar()
    for start in (TOMORROW.start, TOMORROW_AT_TEN):
        link_id = desk.new_link(calendar_id)
        booking_id = desk.book(link_id, start, key="k-1")
        repeat = outcome(partial(desk.redeem, link_id, start, key="k-1"))
        forget = outcome(partial(desk.forget, booking_id))
        answers = at_once([repeat, repeat, forget] * (MANY // 3))
        forgot = [answer for place, answer in enumerate(answers) if place % 3 == 2]
        assert set(forgot) == {"done"}
        assert set(answers) <= {"done", "LinkRedeemed"}
        assert desk.personal_rows() == []


def test_all_recorded_erasures_are_applied_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasure, "PAGE", 2)
    calendar_id = desk.new_calendar()
    starts = [TOMORROW.start + timedelta(minutes=30 * n) for n in range(6)]
    bookings = [booked(desk, calendar_id, start=start) for start in starts]
    rows = backup(desk)
    for booking_id in bookings[:5]:
        desk.forget(booking_id)
    assert desk.services.erasure.reapply() == 0
    left = backup(desk)
    restore(desk, rows)
    head = desk.services.event_store.head()
    assert desk.services.erasure.reapply() == 10
    assert backup(desk) == left
    assert {row.originator_id for row in left} > {bookings[5]}
    assert desk.services.event_store.head() == head
    assert desk.services.erasure.reapply() == 0


def test_retention_forgets_only_bookings_that_have_ended(desk: Desk) -> None:
    booking_id = booked(desk)
    forget = partial(desk.services.erasure.forget_if_ended, booking_id=booking_id)
    assert not forget(by=TOMORROW.end - timedelta(seconds=1), now=LATER)
    assert len(desk.personal_rows()) == 2
    assert forget(by=TOMORROW.end, now=LATER)
    assert desk.personal_rows() == []
    assert desk.log()[-1]["data"]["actor"] == "retention"


def test_retention_does_not_forget_a_booking_that_was_just_rescheduled(desk: Desk) -> None:
    booking_id = booked(desk)
    desk.let_first(partial(desk.reschedule, booking_id, TOMORROW.start + timedelta(days=9)))
    assert not desk.services.erasure.forget_if_ended(
        booking_id=booking_id, by=TOMORROW.end, now=LATER
    )
    assert len(desk.personal_rows()) == 2


def test_an_export_lists_everything_held_about_an_address(desk: Desk, olivia: Account) -> None:
    calendar_id = desk.new_calendar()
    key = desk.services.api_keys.create(olivia, name="Website", now=NOW)
    desk.services.busy_calendars.add(
        owner_id=olivia.id, url="https://93.184.216.34/s3cret.ics", name="Family", now=NOW
    )
    desk.services.calendar_feeds.create(
        owner_id=olivia.id, calendar_id=None, detail=FeedDetail.BUSY, now=NOW
    )
    first = desk.new_link(calendar_id, recipient="Countess", note="Met in London")
    replaced = desk.replace(first).value.id
    booking_id = desk.book(replaced, notes="By phone")
    desk.cancel(booking_id, reason="Ada fell ill")
    meant = desk.new_link(calendar_id, note="For Ada@Example.org, from Olivia")
    desk.redeem(meant, TOMORROW_AT_TEN, invitee=GRACE)
    asked = held(desk, "ADA@example.org")
    listed = [(item["event"], item["link_id"], item["booking_id"]) for item in asked["typed"]]
    assert listed == [
        ("link.issued", str(first), None),
        ("link.issued", str(replaced), str(booking_id)),
        ("booking.made", str(replaced), str(booking_id)),
        ("booking.cancelled", str(replaced), str(booking_id)),
        ("link.issued", str(meant), str(Booking.id_for(meant))),
    ]
    words = [item["data"] for item in asked["typed"]]
    assert words[0] == words[1] == {"recipient": "Countess", "note": "Met in London"}
    assert words[2]["name"] == ADA.name
    assert words[3] == {"reason": "Ada fell ill"}
    recorded = {line["position"]: line["recorded_at"] for line in desk.log()}
    for item in asked["typed"]:
        assert item["recorded_at"] == recorded[item["position"]].isoformat().replace("+00:00", "Z")
    assert asked["accounts"] == []
    (account,) = held(desk, "olivia@EXAMPLE.org")["accounts"]
    assert (account["id"], account["name"]) == (str(olivia.id), olivia.name)
    (shown,) = account["api_keys"]
    assert shown["name"] == "Website"
    assert account["busy_calendars"] == [{"name": "Family", "url": "https://93.184.216.34/…"}]
    (feed,) = account["calendar_feeds"]
    assert (feed["calendar_id"], feed["detail"]) == (None, "busy")
    assert not any(secret in json.dumps(account) for secret in (key, "nonce", "hash", "s3cret"))


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("ada@example.org", True),
        ("<ADA@EXAMPLE.ORG>", True),
        ("mailto:ada@example.org.", True),
        ("nada@example.org", False),
        ("x.ada@example.org", False),
        ("ada@example.organic", False),
        ("ada@example.org.uk", False),
        ("adaXexample.org", False),
    ],
)
def test_an_address_is_found_as_a_whole_and_not_as_part_of_a_longer_one(
    desk: Desk, typed: str, found: bool
) -> None:
    desk.new_link(note=f"Ask {typed}")
    assert bool(held(desk, "ada@example.org")["typed"]) is found


def test_an_export_reads_personal_data_page_by_page(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasure, "PAGE", 2)
    calendar_id = desk.new_calendar()
    for number in range(7):
        desk.new_link(calendar_id, recipient="ada@example.org" if number % 2 else "Grace")
    assert len(held(desk, "ada@example.org")["typed"]) == 3


@pytest.mark.parametrize(
    ("stored", "searched"),
    [("zofie@příklad.cz", "zofie@XN--PKLAD-zsa96e.cz"), ("a@b,c@d.e", "a@b,c@d.e")],
)
def test_another_spelling_and_an_address_that_is_refused_today_are_found(
    desk: Desk, stored: str, searched: str
) -> None:
    booking_id = booked(desk, invitee=Invitee("Žofie", stored))
    events = [(row["event"], row["booking_id"]) for row in held(desk, searched)["typed"]]
    assert events == [("link.issued", str(booking_id)), ("booking.made", str(booking_id))]


def test_an_export_is_empty_after_erasure(desk: Desk) -> None:
    desk.forget(booked(desk, invitee=Invitee("Ada", "ada@example.org")))
    assert held(desk, "ada@example.org") == {
        "email": "ada@example.org",
        "typed": [],
        "link_requests": [],
        "accounts": [],
    }
