"""The list of links, one link, and what can be done with them."""

import html
import re
from typing import Any

import psycopg
import pytest

from interface.pages.owner import link_filters
from tests.interface.pages.page_text import words
from tests.support.clock import Clock
from tests.support.examples import A_DAY, NINE, TEN
from tests.support.owner import Owner
from tests.support.signed_in_browser import SignedIn


@pytest.fixture(autouse=True)
def time_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets time pass between requests: links of one moment are listed as issued together."""

    def tick(clock: Clock) -> Any:
        clock.advance(microseconds=1)
        return clock.time

    monkeypatch.setattr(Clock, "__call__", tick)


def text(answer: Any) -> str:
    return html.unescape(answer.get_data(as_text=True))


def rows(answer: Any) -> list[str]:
    """The recipients in the table, from top to bottom."""
    return re.findall(r'<th scope="row"><a[^>]*>([^<]*)</a>', text(answer))


def status_of(owner: Owner, link: Any) -> str:
    status: str = owner.get(f"/links/{link['id']}").json["status"]
    return status


def test_without_links_the_page_says_what_to_do(person: SignedIn) -> None:
    page = text(person.get("/links"))
    assert "No links yet" in page
    assert "Share a calendar with the next person you want to meet." in page
    assert "<table" not in page


def test_each_link_shows_what_became_of_it_and_what_can_be_done(
    person: SignedIn, owner: Owner, calendar_id: str, clock: Clock
) -> None:
    owner.new_link(calendar_id, recipient="Expired", expires_in_days=1)
    active = owner.new_link(calendar_id, recipient="Active")
    used = owner.new_link(calendar_id, recipient="Used")
    booking = owner.book(used)
    revoked = owner.new_link(calendar_id, recipient="Revoked")
    owner.revoke(revoked)
    clock.advance(days=2)
    page = text(person.get("/links"))
    found = dict(re.findall(r'<th scope="row"><a[^>]*>(\w+)</a>(.*?)</tr>', page, re.DOTALL))
    assert list(found) == ["Revoked", "Used", "Active", "Expired"]
    for name, row in found.items():
        assert f">{name}</span>" in row
        assert (active["url"] in row) is (name == "Active")
        assert (f"/links/{active['id']}/replace" in row) is (name == "Active")
        assert (f"/links/revoke?link={active['id']}" in row) is (name == "Active")
        assert ("Create another" in row) is (name in ("Revoked", "Expired"))
    assert f"/bookings/{booking['booking_id']}" in found["Used"]
    assert "Ada Lovelace" in found["Used"]
    assert page.count('type="checkbox" name="link"') == 1


def test_the_list_is_filtered_by_words_status_and_calendar(
    person: SignedIn, owner: Owner, calendar_id: str
) -> None:
    other = owner.new_calendar(name="Review")
    owner.new_link(calendar_id, recipient="Ada", note="100% sure")
    owner.book(owner.new_link(calendar_id, recipient="Grace"))
    owner.new_link(other, recipient="Alan")
    for query, found in {
        "": ["Alan", "Grace", "Ada"],
        "q=&status=&calendar=&sort=": ["Alan", "Grace", "Ada"],
        "q=ada%40example": ["Grace"],
        "q=100%25": ["Ada"],
        "status=active": ["Alan", "Ada"],
        "status=redeemed": ["Grace"],
        f"calendar={other}": ["Alan"],
        f"calendar={calendar_id}&status=active": ["Ada"],
        "sort=oldest": ["Ada", "Grace", "Alan"],
    }.items():
        assert rows(person.get(f"/links?{query}")) == found, query
    none = text(person.get("/links?q=nobody"))
    assert "No links match" in none
    assert 'value="nobody"' in none


@pytest.mark.parametrize(
    "query",
    ["status=lost", "calendar=mine", "sort=best", "before=x", "before=-1", "after=" + "9" * 30],
)
def test_an_invalid_query_leads_to_the_whole_list(person: SignedIn, query: str) -> None:
    answer = person.get(f"/links?{query}")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/links")


@pytest.mark.parametrize("sort", ["newest", "oldest", "expiring"])
def test_pages_lead_through_the_whole_list_and_back(
    person: SignedIn,
    owner: Owner,
    calendar_id: str,
    sort: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(link_filters, "PAGE_SIZE", 3)
    days = [50, 10, 40, 10, 30, 20, 10]
    for number, expires_in_days in enumerate(days):
        owner.new_link(calendar_id, recipient=f"L{number}", expires_in_days=expires_in_days)
    owner.new_link(calendar_id, recipient="Other")
    expected = {
        "newest": ["L6", "L5", "L4", "L3", "L2", "L1", "L0"],
        "oldest": ["L0", "L1", "L2", "L3", "L4", "L5", "L6"],
        "expiring": ["L1", "L3", "L6", "L5", "L4", "L2", "L0"],
    }[sort]
    address = f"/links?q=L&sort={sort}"
    pages = []
    while address:
        page = person.get(address)
        pages.append((address, rows(page)))
        address = neighbour(page, "next")
    assert [names for _, names in pages] == [expected[:3], expected[3:6], expected[6:]]
    for _, names in reversed(pages[:-1]):
        page = person.get(neighbour(page, "prev"))
        assert rows(page) == names
    assert neighbour(page, "prev") == ""


def neighbour(page: Any, rel: str) -> str:
    found = re.search(rf'<a href="([^"]*)" rel="{rel}"', text(page))
    return found[1] if found else ""


def test_a_page_behind_the_last_leads_to_the_first(
    person: SignedIn, owner: Owner, calendar_id: str
) -> None:
    owner.new_link(calendar_id, recipient="Ada")
    answer = person.get("/links?q=Ada&before=1")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/links?q=Ada")


def test_selected_links_are_revoked_after_a_confirmation(
    person: SignedIn, owner: Owner, calendar_id: str
) -> None:
    chosen = [owner.new_link(calendar_id, recipient=name) for name in ("Ada", "Grace")]
    kept = owner.new_link(calendar_id, recipient="Alan")
    used = owner.new_link(calendar_id, recipient="Used")
    owner.book(used)
    query = "&".join(f"link={link['id']}" for link in [*chosen, used])
    page = text(person.get(f"/links/revoke?{query}"))
    assert "Revoke 2 links?" in page
    assert "will no longer be able to book. This can't be undone." in page
    assert set(re.findall(r'name="link" value="([^"]*)"', page)) == {link["id"] for link in chosen}
    assert {status_of(owner, link) for link in chosen} == {"active"}
    answer = person.post("/links/revoke", {"link": [link["id"] for link in chosen]})
    assert answer.headers["Location"] == "/links?notice=links-revoked"
    assert "Links revoked." in text(person.get(answer.headers["Location"]))
    assert {status_of(owner, link) for link in chosen} == {"revoked"}
    assert status_of(owner, kept) == "active"


def test_of_several_links_those_used_in_the_meantime_stay_used(
    person: SignedIn, owner: Owner, calendar_id: str
) -> None:
    chosen = [owner.new_link(calendar_id, recipient=name) for name in ("Ada", "Grace")]
    owner.book(chosen[0])
    answer = person.post("/links/revoke", {"link": [link["id"] for link in chosen]})
    assert answer.status_code == 200
    page = words(answer)
    assert "1 link revoked" in page
    assert "could not be revoked: Ada Intro call : This link has already been used." in page
    assert [status_of(owner, link) for link in chosen] == ["redeemed", "revoked"]


def test_one_link_is_revoked_with_a_reason_that_its_page_shows(
    person: SignedIn, owner: Owner, calendar_id: str
) -> None:
    link = owner.new_link(calendar_id, recipient="Ada")
    assert "Revoke this link?" in text(person.get(f"/links/revoke?link={link['id']}"))
    answer = person.post("/links/revoke", {"link": link["id"], "reason": "Sent to <nobody>"})
    assert answer.headers["Location"] == f"/links/{link['id']}?notice=link-revoked"
    page = person.get(answer.headers["Location"])
    assert "Link revoked." in text(page)
    assert "Sent to &lt;nobody&gt;" in page.get_data(as_text=True)
    assert "Create another" in text(page)
    assert link["url"] not in text(page)


def test_asking_to_revoke_a_link_that_has_ended_leads_to_its_page(
    person: SignedIn, owner: Owner, calendar_id: str
) -> None:
    first, second = owner.new_link(calendar_id), owner.new_link(calendar_id)
    for link in (first, second):
        owner.revoke(link)
    asked = person.get(f"/links/revoke?link={first['id']}")
    assert (asked.status_code, asked.headers["Location"]) == (302, f"/links/{first['id']}")
    asked = person.get(f"/links/revoke?link={first['id']}&link={second['id']}")
    told = text(person.get(asked.headers["Location"]))
    assert "Select at least one link that is still active." in told


def test_a_link_used_before_it_was_revoked_says_so(
    person: SignedIn, owner: Owner, calendar_id: str
) -> None:
    link = owner.new_link(calendar_id, recipient="Ada")
    owner.book(link)
    answer = person.post("/links/revoke", {"link": link["id"]})
    assert answer.status_code == 409
    assert "This link has already been used." in text(answer)
    assert "View booking" in text(answer)


def test_a_reason_that_is_too_long_is_kept_and_refused(
    person: SignedIn, owner: Owner, calendar_id: str
) -> None:
    link = owner.new_link(calendar_id, recipient="Ada")
    answer = person.post("/links/revoke", {"link": link["id"], "reason": "x" * 2001})
    assert answer.status_code == 422
    assert "Must not be longer than 2000 characters." in text(answer)
    assert "x" * 2001 in text(answer)
    assert status_of(owner, link) == "active"


@pytest.mark.parametrize("method", ["get", "post"])
def test_unknown_links_cannot_be_revoked(person: SignedIn, method: str) -> None:
    for values in ([], ["nonsense"], ["00000000-0000-4000-8000-000000000000"]):
        if method == "post":
            assert person.post("/links/revoke", {"link": values}).status_code == 404
        else:
            query = "&".join(f"link={value}" for value in values)
            answer = person.get(f"/links/revoke?{query}")
            assert answer.status_code == (404 if values == ["nonsense"] else 302)


def test_more_links_than_a_page_can_hold_are_refused(person: SignedIn) -> None:
    some = ["00000000-0000-4000-8000-000000000000"] * 501
    assert person.post("/links/revoke", {"link": some}).status_code == 422


def test_replacing_ends_the_link_and_shows_the_new_one_ready_to_copy(
    person: SignedIn, owner: Owner, calendar_id: str
) -> None:
    old = owner.new_link(calendar_id, recipient="Ada", note="From Lyon", expires_in_days=7)
    assert "Replace this link?" in text(person.get(f"/links/{old['id']}/replace"))
    assert status_of(owner, old) == "active"
    answer = person.post(f"/links/{old['id']}/replace")
    assert answer.status_code == 303
    page = text(person.get(answer.headers["Location"]))
    new = owner.get("/links?status=active").json["items"][0]
    assert "Link replaced. The old link no longer works, so send the new one." in page
    assert f'readonly value="{new["url"]}"' in page
    assert "From Lyon" in page
    old_page = text(person.get(f"/links/{old['id']}"))
    assert f'<a href="/links/{new["id"]}">by this link</a>' in old_page


def test_a_link_that_can_not_be_replaced_says_why(
    person: SignedIn, owner: Owner, calendar_id: str
) -> None:
    used, archived = (owner.new_link(calendar_id, recipient=name) for name in ("Ada", "Grace"))
    owner.book(used)
    answer = person.post(f"/links/{used['id']}/replace")
    assert answer.status_code == 409
    assert "This link has already been used." in text(answer)
    owner.post(f"/calendars/{calendar_id}/archive")
    answer = person.post(f"/links/{archived['id']}/replace")
    assert answer.status_code == 409
    assert (
        "This calendar is archived: it can't be changed, and no new links can be created for it."
        in text(answer)
    )
    assert status_of(owner, archived) == "active"
    assert "Create another" not in text(person.get(f"/links/{used['id']}"))
    assert f"/links/{archived['id']}/replace" not in text(person.get("/links"))


def test_a_link_is_replaced_once(person: SignedIn, owner: Owner, calendar_id: str) -> None:
    link = owner.new_link(calendar_id, recipient="Ada")
    person.post(f"/links/{link['id']}/replace")
    again = person.post(f"/links/{link['id']}/replace")
    assert again.status_code == 409
    assert "This link is no longer active." in text(again)
    assert "by this link" in text(again)
    assert len(owner.get("/links?status=active").json["items"]) == 1


def test_replacing_by_a_double_click_shows_the_one_new_link(
    person: SignedIn, owner: Owner, calendar_id: str
) -> None:
    address = f"/links/{owner.new_link(calendar_id)['id']}/replace"
    (form_id,) = re.findall('name="form_id" value="([^"]+)"', text(person.get(address)))
    first, again = (person.post(address, {"form_id": form_id}) for _ in range(2))
    assert (first.status_code, again.status_code) == (303, 303)
    assert first.headers["Location"] == again.headers["Location"]
    assert len(owner.get("/links?status=active").json["items"]) == 1


def test_the_page_of_a_link_tells_what_happened_in_the_owners_zone(
    person: SignedIn, owner: Owner, calendar_id: str, services: Any, clock: Clock
) -> None:
    with services.database.connection() as conn:
        conn.execute("UPDATE accounts SET time_zone = 'Asia/Tokyo'")
    link = owner.new_link(calendar_id, recipient="Ada", note="Two\nlines")
    clock.advance(hours=1)
    booking = owner.book(link)
    page = text(person.get(f"/links/{link['id']}"))
    (timeline,) = re.findall(r'<ol class="timeline">(.*?)</ol>', page, re.DOTALL)
    assert re.findall(r"<strong>(\w+)</strong>", timeline) == ["Created", "Used"]
    assert "booked by Ada Lovelace" in timeline
    assert re.search(r"5:00|17:00", timeline)
    assert re.search(r"6:00|18:00", timeline)
    assert f"/bookings/{booking['booking_id']}" in page
    assert "Two\nlines</dd>" in page
    assert "Japan Time\u00a0– Tokyo" in page


def test_a_long_name_is_cut_between_its_signs(
    person: SignedIn, owner: Owner, calendar_id: str
) -> None:
    invitee = {"name": "&" * 60, "email": "ada@example.org"}
    owner.book(owner.new_link(calendar_id), invitee=invitee)
    assert f"{'&' * 37}...<br>" in text(person.get("/links"))


def test_a_link_has_the_same_name_on_every_page(
    person: SignedIn, owner: Owner, calendar_id: str
) -> None:
    link = owner.new_link(calendar_id, reference="candidate-4711")
    for path in ("/", "/links", f"/links/{link['id']}"):
        assert "candidate-4711" in text(person.get(path)), path
    booking = owner.book(link)
    page = text(person.get(f"/bookings/{booking['booking_id']}"))
    assert f'/links/{link["id"]}">candidate-4711</a>' in page


def test_links_are_shown_while_the_view_of_calendars_is_behind(
    person: SignedIn, owner: Owner, calendar_id: str, conninfo: str
) -> None:
    link = owner.new_link(calendar_id, recipient="Ada")
    booking = owner.book(owner.new_link(calendar_id, recipient="Grace"))
    owner.new_calendar(name="Another call")
    owner.catch_up()
    with psycopg.connect(conninfo) as conn:
        conn.execute("DELETE FROM calendar_list_v2 WHERE calendar_id = %s", (calendar_id,))
    for path in ("/", "/links", f"/links/revoke?link={link['id']}", "/links/export.csv"):
        answer = person.get(path)
        assert (answer.status_code, "Ada" in text(answer)) == (200, True), path
    one_link, one_booking = f"/links/{link['id']}", f"/bookings/{booking['booking_id']}"
    for path in (one_link, f"{one_link}/replace", one_booking, f"{one_booking}/forget"):
        answer = person.get(path)
        assert (answer.status_code, "Intro call" in text(answer)) == (200, True), path


def test_an_expired_link_shows_when_and_offers_another(
    person: SignedIn, owner: Owner, calendar_id: str, clock: Clock
) -> None:
    link = owner.new_link(calendar_id, recipient="Ada", expires_in_days=1)
    clock.advance(days=1)
    page = text(person.get(f"/links/{link['id']}"))
    (timeline,) = re.findall(r'<ol class="timeline">(.*?)</ol>', page, re.DOTALL)
    assert re.findall(r"<strong>(\w+)</strong>", timeline) == ["Created", "Expired"]
    assert f"/links/{link['id']}/again" in page
    assert link["url"] not in page


def test_links_of_another_owner_are_not_found(
    person: SignedIn, owner: Owner, new_owner: Any
) -> None:
    other: Owner = new_owner("Ivy Intruder")
    calendar_id = other.new_calendar()
    link = other.new_link(calendar_id, recipient="Secret")
    assert "Secret" not in text(person.get("/links"))
    replace = f"/links/{link['id']}/replace"
    for answer in (
        person.get(f"/links/{link['id']}"),
        person.get(replace),
        person.post(replace),
        person.post("/links/revoke", {"link": link["id"]}),
    ):
        assert (answer.status_code, "Link not found." in text(answer)) == (404, True)
    assert status_of(other, link) == "active"


def test_a_link_shows_its_reference_what_it_fills_in_and_what_it_offers(
    person: SignedIn, owner: Owner, calendar_id: str
) -> None:
    prefill = {"name": "Ada Lovelace", "email": "ada@example.org"}
    offer = {"from": A_DAY, "slots": [TEN, NINE], "duration_minutes": 60}
    link = owner.new_link(calendar_id, reference="case-17", prefill=prefill, offer=offer)
    page = words(person.get(f"/links/{link['id']}")).replace("\u202f", " ")
    assert "Intro call · 1 hour" in page
    assert "Reference case-17 Filled in for the invitee Ada Lovelace ada@example.org" in page
    assert "Days offered from Nov 24, 2026 Times offered Tuesday, November 24, 2026, 9:00" in page
    for limits, shown in (
        ({"to": A_DAY}, "Days offered until Nov 24, 2026"),
        ({"from": A_DAY, "to": "2026-11-26"}, "Days offered Nov 24 – 26, 2026"),
    ):
        link = owner.new_link(calendar_id, offer=limits)
        page = words(person.get(f"/links/{link['id']}")).replace("\u2009", " ")
        assert shown in page
        assert "Reference" not in page
    assert rows(person.get("/links")) == ["No recipient", "No recipient", "case-17"]


def test_a_link_that_was_changed_and_revoked_shows_the_reason(
    person: SignedIn, owner: Owner, calendar_id: str
) -> None:
    link = owner.new_link(calendar_id, recipient="Ada")
    owner.patch(f"/links/{link['id']}", {"note": "VIP"}, **{"If-Match": "*"})
    owner.revoke(link, "Sent to the wrong person")
    answer = person.get(f"/links/{link['id']}")
    (timeline,) = re.findall(r'<ol class="timeline">(.*?)</ol>', text(answer), re.DOTALL)
    assert re.findall(r"<strong>(\w+)</strong>", timeline) == ["Created", "Changed", "Revoked"]
    page = words(answer)
    assert "Revoked · Sent to the wrong person" in page
    assert "Note VIP" in page
