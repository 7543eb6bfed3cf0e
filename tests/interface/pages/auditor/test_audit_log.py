"""What auditors see at a browser, and who sees nothing."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask

from interface.bootstrap import Services
from tests.conftest import Owner
from tests.interface.pages.page_text import text, words
from tests.support.audit_trail import Story, no_access_can_be_noted, noted, sign_head
from tests.support.calls import TEN, booked, new_link, unknown_id
from tests.support.signed_in_browser import SignedIn


def audit_pages(app: Flask) -> list[str]:
    found = [rule.rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/audit")]
    assert len(found) >= 6
    return [rule.replace("<uuid:aggregate_id>", unknown_id()) for rule in found]


def test_every_page_is_for_auditors_and_admins_only(
    app: Flask, enter: Callable[..., SignedIn], services: Services
) -> None:
    owner = enter("owner", "operator", name="Olga Owner")
    for path in audit_pages(app):
        answer = owner.get(path)
        assert answer.status_code == 403, path
        assert "Your account doesn't have access to this page." in text(answer)
        assert app.test_client().get(path).status_code == 302
    assert noted(services) == []
    for role in ("auditor", "admin"):
        person = enter(role, name=f"{role} Person")
        assert {person.get(path).status_code for path in audit_pages(app)} <= {200, 404}


def test_the_menu_names_the_audit_only_to_those_who_may_read_it(
    enter: Callable[..., SignedIn],
) -> None:
    for role, is_named in (
        ("owner", False),
        ("operator", False),
        ("auditor", True),
        ("admin", True),
    ):
        page = text(enter(role, name=f"{role} Person").get("/account"))
        assert ('href="/audit"' in page) == is_named, role


def test_every_page_is_written_down_with_who_asked(
    app: Flask, inspector: SignedIn, services: Services
) -> None:
    for path in audit_pages(app):
        before = len(noted(services))
        inspector.get(f"{path}?after=0")
        account = f"account:{inspector.account.id}"
        assert noted(services)[before:] == [(account, f"GET {path}?after=0")]


def test_a_page_that_can_not_be_written_down_is_not_shown(
    app: Flask, inspector: SignedIn, services: Services
) -> None:
    with no_access_can_be_noted(services):
        for path in audit_pages(app):
            assert inspector.get(path).status_code == 503, path


def test_an_empty_log_says_so(inspector: SignedIn) -> None:
    assert "The log is empty" in words(inspector.get("/audit"))


def test_the_log_names_each_event_its_actor_and_both_times(
    inspector: SignedIn, story: Story, services: Services
) -> None:
    page = text(inspector.get("/audit"))
    titles = re.findall(r'<th scope="row">([^<]+)</th>', page)
    assert titles[:2] == ["Calendar created", "Link issued"]
    assert sorted(titles[2:]) == [
        "Agenda day opened",
        "Booking made",
        "Link used",
        "Time reserved",
    ]
    assert f'href="/audit/history/{story.link}"' in page
    assert page.count(" UTC</span>") == 6


def test_the_log_is_filtered_and_paged(inspector: SignedIn, owner: Owner, story: Story) -> None:
    for _ in range(50):
        new_link(owner, story.calendar)
    page = text(inspector.get("/audit?type=link.issued"))
    assert page.count('<th scope="row">Link issued</th>') == 50
    (following,) = re.findall(r'<a href="([^"]+)" rel="next">', page)
    rest = text(inspector.get(following))
    assert rest.count('<th scope="row">Link issued</th>') == 1
    assert 'rel="next"' not in rest
    assert 'href="/audit?type=link.issued">To the start' in rest
    assert "No events match" in words(inspector.get("/audit?actor=nobody"))
    by_invitee = text(inspector.get("/audit?actor=invitee"))
    assert '<th scope="row">Link used</th>' in by_invitee
    assert "Link issued</th>" not in by_invitee


def test_times_of_the_filter_are_those_of_the_auditors_clock(
    inspector: SignedIn, story: Story, services: Services
) -> None:
    row = services.database.fetch_one(
        """SELECT (max(recorded_at) AT TIME ZONE 'Europe/Paris') AS local FROM stored_events"""
    )
    assert row is not None
    soon, earlier = (
        (row["local"] + timedelta(minutes=m)).isoformat(timespec="minutes") for m in (2, -2)
    )
    for query, is_shown in (
        (f"since={earlier}", True),
        (f"until={soon}", True),
        (f"since={soon}", False),
        (f"until={earlier}", False),
    ):
        shown = "Link issued</th>" in text(inspector.get(f"/audit?{query}"))
        assert shown == is_shown, query


@pytest.mark.parametrize("query", ["since=yesterday", "until=2026-02-30T10:00", "after=x"])
def test_a_filter_that_makes_no_sense_is_told(inspector: SignedIn, query: str) -> None:
    answer = inspector.get(f"/audit?{query}")
    assert answer.status_code == 422
    assert "Invalid search:" in words(answer)


def test_an_id_leads_to_its_story(inspector: SignedIn, story: Story) -> None:
    for subject in (story.link, story.booking, story.calendar):
        answer = inspector.get(f"/audit?q=%20{subject.upper()}%20")
        assert answer.location == f"/audit/history/{subject}"


def test_an_address_leads_to_the_booking_and_is_not_written_down(
    inspector: SignedIn, story: Story, services: Services
) -> None:
    answer = inspector.get("/audit?q=ADA@example.org")
    assert answer.location == f"/audit/history/{story.booking}"
    assert [what for _, what in noted(services)] == [
        "GET /audit (a search)",
        f"GET /audit (a search), found {story.booking}",
    ]


def test_somebody_who_booked_twice_has_two_stories(
    inspector: SignedIn, owner: Owner, story: Story
) -> None:
    again = booked(owner, new_link(owner), TEN)
    page = text(inspector.get("/audit?q=ada@example.org"))
    assert "2 results" in page
    for booking in (story.booking, again["booking_id"]):
        assert f'href="/audit/history/{booking}"' in page


def test_what_is_not_there_is_not_found(inspector: SignedIn) -> None:
    for q in (unknown_id(), "nobody@example.org", "nonsense", "%25", "'"):
        answer = inspector.get(f"/audit?q={q}")
        assert (answer.status_code, "Nothing found" in words(answer)) == (200, True), q
    assert inspector.get(f"/audit/history/{unknown_id()}").status_code == 404


def test_accesses_are_shown_page_by_page(inspector: SignedIn) -> None:
    for _ in range(50):
        inspector.get("/audit/checkpoint/key")
    page = text(inspector.get("/audit/accesses"))
    assert page.count("GET /audit/checkpoint/key") == 49
    (following,) = re.findall(r'<a href="([^"]+)" rel="next">', page)
    assert text(inspector.get(following)).count("GET /audit/checkpoint/key") == 1
    assert inspector.get("/audit/accesses?before=x").status_code == 200


def test_the_signed_head_is_shown_and_given_out(
    inspector: SignedIn, owner: Owner, story: Story, services: Services, conninfo: str
) -> None:
    assert "No checkpoint has been signed yet" in words(inspector.get("/audit/checkpoint"))
    assert inspector.get("/audit/checkpoint/file").status_code == 404
    owner.catch_up()
    head = sign_head(services, conninfo)
    page = words(inspector.get("/audit/checkpoint"))
    for said in (
        head.root.hex(),
        "Events covered 6",
        "admitone audit verify",
        "Signed Nov 23, 2026, 9:00:00",
    ):
        assert said in page, said
    file = inspector.get("/audit/checkpoint/file")
    assert file.headers["Content-Disposition"] == 'attachment; filename="6.checkpoint"'
    (kept,) = services.settings.checkpoints_folder.glob("*/*.checkpoint")
    assert file.get_data(as_text=True) == kept.read_text()
    assert inspector.get("/audit/checkpoint/key").get_data(as_text=True).strip() in text(
        inspector.get("/audit/checkpoint")
    )
    kept.write_text(kept.read_text().replace("\n6\n", "\n5\n"))
    assert "does not match its signature" in words(inspector.get("/audit/checkpoint"))
    assert inspector.get("/audit/checkpoint/file").status_code == 503
