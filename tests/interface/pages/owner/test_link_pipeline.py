"""The list of links from above: tabs, batches, all that match, its CSV; and correcting a link."""

import csv
import html
import io
import re
from collections.abc import Callable
from typing import Any

import pytest

from application.people.security_log import LINKS_EXPORTED
from domain.link import LinkStatus
from interface.bootstrap import Services
from interface.pages.owner import link_filters
from interface.pages.owner import links as links_pages
from projections.views import link_overview
from tests.interface.pages.page_text import words
from tests.support.clock import Clock
from tests.support.owner import Owner
from tests.support.signed_in_browser import SignedIn


def text(answer: Any) -> str:
    return html.unescape(answer.get_data(as_text=True))


def batch(owner: Owner, calendar_id: str, clock: Clock, *recipients: str) -> list[Any]:
    """Links that are issued together, later than all before."""
    clock.advance(seconds=1)
    links = {"links": [{"recipient": each} for each in recipients]}
    items: list[Any] = owner.post(f"/calendars/{calendar_id}/links/batch", links).json["items"]
    return items


def tabs(answer: Any) -> dict[str, str]:
    """The address of each tab, by its text."""
    (nav,) = re.findall(r'aria-label="Status">(.*?)</nav>', text(answer), re.DOTALL)
    found = re.findall(r'<a href="([^"]+)"[^>]*>(.*?)</a>', nav)
    return {re.sub("<[^>]+>", "", title): address for address, title in found}


def entries(answer: Any) -> list[str]:
    return re.findall(r'<th scope="row"><a[^>]*>([^<]*)</a>', text(answer))


def test_tabs_count_the_links_of_each_status(
    person: SignedIn, owner: Owner, calendar_id: str, clock: Clock
) -> None:
    other = owner.new_calendar(name="Review")
    owner.new_link(other, recipient="Old", expires_in_days=1)
    links = batch(owner, calendar_id, clock, "Ada", "Grace", "Alan")
    owner.book(links[0])
    owner.revoke(links[1])
    clock.advance(days=2)
    counted = {"All 4", "Active 1", "Used 1", "Expired 1", "Revoked 1"}
    assert tabs(person.get("/links")).keys() == counted
    found = tabs(person.get(f"/links?calendar={calendar_id}&status=active"))
    assert found["Used 1"] == f"/links?status=redeemed&calendar={calendar_id}"
    assert found["Expired 0"] == f"/links?status=expired&calendar={calendar_id}"
    assert entries(person.get(found["Used 1"])) == ["Ada"]
    uncounted = {title.split()[0] for title in counted}
    assert tabs(person.get("/links?q=Ada")).keys() == uncounted


def test_links_issued_together_are_one_entry_that_opens(
    person: SignedIn, owner: Owner, calendar_id: str, clock: Clock
) -> None:
    owner.new_link(calendar_id, recipient="First")
    links = batch(owner, calendar_id, clock, "Ada", "Grace", "Alan")
    owner.book(links[1])
    page = person.get("/links")
    assert entries(page) == ["3 links issued together", "First"]
    assert "2 active" in words(page)
    opened = re.findall(r'<a href="([^"]+)">3 links issued together', text(page))[0]
    page = person.get(opened)
    assert entries(page) == ["Alan", "Grace", "Ada"]
    assert "Links that were issued together. Show all links" in words(page)
    assert tabs(page)["Active 2"]
    assert entries(person.get("/links?status=redeemed")) == ["Grace"]
    assert entries(person.get("/links?sort=expiring"))[1:] == ["Ada", "Grace", "Alan"]


@pytest.mark.parametrize("sort", ["newest", "oldest"])
def test_pages_of_batches_lead_through_the_list_and_back(
    person: SignedIn,
    owner: Owner,
    calendar_id: str,
    clock: Clock,
    sort: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(link_filters, "PAGE_SIZE", 2)
    for recipients in (("A", "B"), ("C",), ("D", "E", "F"), ("G",), ("H", "I")):
        batch(owner, calendar_id, clock, *recipients)
    expected = ["2 links", "C", "3 links", "G", "2 links"]
    expected = expected if sort == "oldest" else expected[::-1]
    pages = []
    address = f"/links?sort={sort}"
    while address:
        page = person.get(address)
        pages.append([each.removesuffix(" issued together") for each in entries(page)])
        address = neighbour(page, "next")
    assert pages == [expected[:2], expected[2:4], expected[4:]]
    for names in reversed(pages[:-1]):
        page = person.get(neighbour(page, "prev"))
        assert [each.removesuffix(" issued together") for each in entries(page)] == names


def neighbour(page: Any, rel: str) -> str:
    found = re.search(rf'<a href="([^"]*)" rel="{rel}"', text(page))
    return found[1] if found else ""


def test_all_links_that_match_are_revoked_after_a_confirmation_that_counts_them(
    person: SignedIn,
    owner: Owner,
    calendar_id: str,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(link_filters, "PAGE_SIZE", 2)
    names = [f"Guest {number}" for number in range(12)]
    links = batch(owner, calendar_id, clock, *names)
    kept = batch(owner, calendar_id, clock, "Ada")
    owner.book(links[0])
    page = text(person.get("/links"))
    assert "Revoke all 12 active links" in page
    page = text(person.get("/links?q=guest"))
    (address,) = re.findall(r'<a href="([^"]+)">Revoke all active links that match', page)
    page = text(person.get(address))
    assert "Revoke 11 links?" in page
    assert ">Revoke 11 links</button>" in page
    ids = re.findall('name="link" value="([^"]+)"', page)
    assert set(ids) == {link["id"] for link in links[1:]}
    assert person.post("/links/revoke", {"link": ids}).status_code == 303
    statuses = {link["id"]: link["status"] for link in owner.get("/links").json["items"]}
    assert statuses[kept[0]["id"]] == "active"
    assert {statuses[each] for each in ids} == {"revoked"}
    assert "Revoke all" not in text(person.get("/links"))


def test_more_links_than_can_be_revoked_at_once_are_revoked_in_parts(
    person: SignedIn,
    owner: Owner,
    calendar_id: str,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in (link_filters, links_pages):
        monkeypatch.setattr(module, "LARGEST_BATCH", 2)
    batch(owner, calendar_id, clock, "Ada", "Grace", "Alan")
    page = words(person.get("/links/revoke?matching=yes"))
    assert "Revoke 2 links?" in page
    assert "These are the first 2 of them." in page


def test_the_list_is_downloaded_as_it_is_filtered(
    person: SignedIn, owner: Owner, calendar_id: str, clock: Clock, services: Services
) -> None:
    links = batch(owner, calendar_id, clock, "=HYPERLINK(1)", "Grace")
    owner.book(links[1])
    answer = person.get("/links/export.csv")
    assert answer.content_type == "text/csv; charset=utf-8"
    file = io.StringIO(answer.get_data().decode("utf-8-sig"))
    grace, other = csv.DictReader(file)
    assert (grace["recipient"], grace["status"], grace["url"]) == ("Grace", "redeemed", "")
    assert (grace["booked_by"], grace["booked_email"]) == ("Ada Lovelace", "ada@example.org")
    assert (grace["booking_status"], grace["calendar"]) == ("confirmed", "Intro call")
    assert (other["recipient"], other["url"]) == ("'=HYPERLINK(1)", links[0]["url"])
    active = person.get("/links/export.csv?status=active").get_data(as_text=True)
    assert "Grace" not in active
    told = services.database.fetch_all(
        "SELECT details FROM security_log WHERE kind = %s ORDER BY position", (LINKS_EXPORTED,)
    )
    assert [row["details"]["links"] for row in told] == ["2", "1"]


@pytest.mark.parametrize("path", ["/links/export.csv", "/links/revoke"])
def test_malformed_filters_lead_to_the_whole_list(person: SignedIn, path: str) -> None:
    for query in ("status=lost", "first=3", "first=x&last=4"):
        answer = person.get(f"{path}?matching=yes&{query}")
        assert (answer.status_code, answer.headers["Location"]) == (302, "/links")


def test_a_sent_link_is_corrected_and_keeps_its_address(
    person: SignedIn, owner: Owner, calendar_id: str
) -> None:
    link = owner.new_link(calendar_id, recipient="Adda", note="Wrong", expires_in_days=7)
    page = person.get(f"/links/{link['id']}")
    assert field(page, "recipient") == "Adda"
    form = {"version": field(page, "version"), "expires_on": "2026-12-24", "recipient": "Ada"}
    answer = person.post(f"/links/{link['id']}", form | {"note": " "})
    page = person.get(answer.headers["Location"])
    assert "Changes saved." in text(page)
    changed = owner.get(f"/links/{link['id']}").json
    assert (changed["recipient"], changed["note"]) == ("Ada", None)
    assert (changed["expires_at"], changed["url"]) == ("2026-12-25T00:00:00Z", link["url"])
    same_day = form | {"version": field(page, "version"), "recipient": "Ada L."}
    assert person.post(f"/links/{link['id']}", same_day).status_code == 303
    again = owner.get(f"/links/{link['id']}").json
    assert (again["recipient"], again["expires_at"]) == ("Ada L.", changed["expires_at"])


def field(answer: Any, name: str) -> str:
    (found,) = re.findall(rf'name="{name}"[^>]* value="([^"]*)"', text(answer))
    return str(found)


def test_what_is_wrong_with_a_correction_is_said_and_kept(
    person: SignedIn, owner: Owner, calendar_id: str
) -> None:
    link = owner.new_link(calendar_id, recipient="Ada")
    address = f"/links/{link['id']}"
    right = {"version": "1", "recipient": "Grace", "expires_on": "2026-12-24"}
    for wrong, sentence in (
        ({"expires_on": ""}, "Choose a date in the future."),
        ({"expires_on": "2026-11-01"}, "Choose a date from Nov 23, 2026 to Nov 22, 2027."),
        ({"note": "x" * 2001}, "Must not be longer than 2000 characters."),
    ):
        answer = person.post(address, right | wrong)
        assert (answer.status_code, sentence in text(answer)) == (422, True), wrong
        assert 'value="Grace"' in text(answer)
    stale = person.post(address, right | {"version": "7"})
    assert (stale.status_code, 'value="Grace"' in text(stale)) == (412, True)
    owner.book(link)
    used = person.post(address, right)
    assert (used.status_code, "This link has already been used." in text(used)) == (409, True)


def test_a_replaced_link_and_the_new_one_lead_to_each_other(
    person: SignedIn, owner: Owner, calendar_id: str
) -> None:
    old = owner.new_link(calendar_id, recipient="Ada")
    new = person.post(f"/links/{old['id']}/replace").headers["Location"].partition("?")[0]
    assert f'<a href="{new}">by this link</a>' in text(person.get(f"/links/{old['id']}"))
    assert f'<a href="/links/{old["id"]}">in place of this link</a>' in text(person.get(new))


def test_overviews_are_of_one_owner(
    owner: Owner, new_owner: Callable[..., Owner], services: Services, calendar_id: str
) -> None:
    other = new_owner("Ivy Intruder")
    other.new_link(other.new_calendar())
    owner.new_link(calendar_id)
    owner.catch_up()
    database, owner_id, now = services.database, owner.account.id, services.now()
    counts = link_overview.counts_of(database, owner_id, now=now)
    assert counts == dict.fromkeys(LinkStatus, 0) | {LinkStatus.ACTIVE: 1}
    groups = link_overview.groups_of(database, owner_id, now=now, limit=5)
    assert [group.count for group in groups] == [1]
