"""The pages of the audit log, and who has access to them."""

import re
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask

from interface.bootstrap import Services
from projections.evidence import evidence_checks
from projections.evidence.evidence_checks import Finding
from tests.interface.pages.page_text import text, words
from tests.support.audit_trail import (
    BookedLink,
    accesses_cannot_be_recorded,
    recorded_accesses,
    sign_checkpoint,
)
from tests.support.examples import TEN
from tests.support.http_desk import unknown_id
from tests.support.owner import Owner
from tests.support.signed_in_browser import SignedIn


def audit_pages(app: Flask) -> list[str]:
    found = [rule.rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/audit")]
    assert len(found) >= 6
    return [re.sub("<uuid:[a-z_]+>", unknown_id(), rule) for rule in found]


def test_every_page_is_for_auditors_and_admins_only(
    app: Flask, sign_in_as: Callable[..., SignedIn], services: Services
) -> None:
    owner = sign_in_as("owner", "operator")
    for path in audit_pages(app):
        answer = owner.get(path)
        assert answer.status_code == 403, path
        assert "Your account doesn't have access to this page." in text(answer)
        assert app.test_client().get(path).status_code == 302
    assert recorded_accesses(services) == []
    for role in ("auditor", "admin"):
        person = sign_in_as(role)
        assert {person.get(path).status_code for path in audit_pages(app)} <= {200, 404}


def test_the_menu_names_the_audit_only_to_those_who_may_read_it(
    sign_in_as: Callable[..., SignedIn],
) -> None:
    for role, is_named in (
        ("owner", False),
        ("operator", False),
        ("auditor", True),
        ("admin", True),
    ):
        page = text(sign_in_as(role).get("/settings/access"))
        assert ('href="/audit"' in page) == is_named, role


def test_every_page_view_is_recorded_with_its_reader(
    app: Flask, auditor: SignedIn, services: Services
) -> None:
    for path in audit_pages(app):
        before = len(recorded_accesses(services))
        auditor.get(f"{path}?after=0")
        account = f"account:{auditor.account.id}"
        assert recorded_accesses(services)[before:] == [(account, f"GET {path}?after=0")]


def test_a_page_is_not_shown_if_the_access_cannot_be_recorded(
    app: Flask, auditor: SignedIn, services: Services
) -> None:
    with accesses_cannot_be_recorded(services):
        for path in audit_pages(app):
            assert auditor.get(path).status_code == 503, path


def test_an_empty_log_says_so(auditor: SignedIn) -> None:
    assert "The log is empty" in words(auditor.get("/audit"))


def test_the_log_names_each_event_its_actor_and_both_times(
    auditor: SignedIn, booked: BookedLink, services: Services
) -> None:
    page = text(auditor.get("/audit"))
    titles = re.findall(r'<th scope="row">([^<]+)</th>', page)
    assert titles[:2] == ["Calendar created", "Link issued"]
    assert sorted(titles[2:]) == [
        "Agenda day opened",
        "Booking made",
        "Link used",
        "Time reserved",
    ]
    assert f'href="/audit/history/{booked.link}"' in page
    assert page.count(" UTC</span>") == 6


def test_the_log_is_filtered_and_paged(auditor: SignedIn, owner: Owner, booked: BookedLink) -> None:
    for _ in range(50):
        owner.new_link(booked.calendar)
    page = text(auditor.get("/audit?type=link.issued"))
    assert page.count('<th scope="row">Link issued</th>') == 50
    (following,) = re.findall(r'<a href="([^"]+)" rel="next">', page)
    rest = text(auditor.get(following))
    assert rest.count('<th scope="row">Link issued</th>') == 1
    assert 'rel="next"' not in rest
    assert 'href="/audit?type=link.issued">To the start' in rest
    assert "No events match" in words(auditor.get("/audit?actor=nobody"))
    by_invitee = text(auditor.get("/audit?actor=invitee"))
    assert '<th scope="row">Link used</th>' in by_invitee
    assert "Link issued</th>" not in by_invitee


def test_times_of_the_filter_are_those_of_the_auditors_clock(
    auditor: SignedIn, booked: BookedLink, services: Services
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
        shown = "Link issued</th>" in text(auditor.get(f"/audit?{query}"))
        assert shown == is_shown, query


@pytest.mark.parametrize(
    "query",
    [
        "since=yesterday",
        "until=2026-02-30T10:00",
        "since=2026-02-28T10:00&until=2026-02-28T09:00",
        "after=x",
    ],
)
def test_an_invalid_filter_is_refused(auditor: SignedIn, query: str) -> None:
    answer = auditor.get(f"/audit?{query}")
    assert answer.status_code == 422
    assert "Invalid search:" in words(answer)


def test_an_id_leads_to_its_history(auditor: SignedIn, booked: BookedLink) -> None:
    for subject in (booked.link, booked.booking, booked.calendar):
        answer = auditor.get(f"/audit?q=%20{subject.upper()}%20")
        assert answer.location == f"/audit/history/{subject}"


def test_an_address_leads_to_the_booking_and_is_not_recorded(
    auditor: SignedIn, booked: BookedLink, services: Services
) -> None:
    answer = auditor.get("/audit?q=ADA@example.org")
    assert answer.location == f"/audit/history/{booked.booking}"
    assert [what for _, what in recorded_accesses(services)] == [
        f"GET /audit (a search), found {booked.booking}"
    ]


def test_an_owners_address_leads_to_their_agenda(
    auditor: SignedIn, owner: Owner, booked: BookedLink
) -> None:
    answer = auditor.get(f"/audit?q={owner.account.email}")
    assert answer.location == f"/audit/agendas/{booked.owner}"


def test_an_address_with_two_bookings_lists_both(
    auditor: SignedIn, owner: Owner, booked: BookedLink
) -> None:
    again = owner.book(owner.new_link(), TEN)
    page = text(auditor.get("/audit?q=ada@example.org"))
    assert "2 results" in page
    for booking in (booked.booking, again["booking_id"]):
        assert f'href="/audit/history/{booking}"' in page


def test_a_calendar_is_found_by_words_of_its_name(
    auditor: SignedIn, owner: Owner, booked: BookedLink
) -> None:
    owner.catch_up()
    assert auditor.get("/audit?q=CALL+intr%C3%B3").location == f"/audit/history/{booked.calendar}"
    assert "Nothing found" in words(auditor.get("/audit?q=intro+cull"))


def test_a_day_leads_to_its_bookings_and_to_what_was_recorded_on_it(
    auditor: SignedIn, owner: Owner, booked: BookedLink
) -> None:
    owner.book(owner.new_link(), TEN)
    for day in ("2026-11-24", "24.11.2026"):
        answer = auditor.get(f"/audit?q={day}")
        shown = words(answer)
        assert "Booking · Intro call · Tuesday, November 24, 2026, 10:00" in shown
        assert f"Owner {owner.account.name}, {owner.account.email}" in shown
        assert text(answer).count('<li class="card">') == 2
        (issued,) = re.findall(r'href="([^"]+type=link.issued[^"]+)"', text(answer))
        assert issued.endswith("since=2026-11-24T00:00&until=2026-11-25T00:00")
    assert "No bookings on this day." in words(auditor.get("/audit?q=2026-11-25"))
    assert "Nothing found" in words(auditor.get("/audit?q=30.2.2026"))


def test_a_day_is_one_of_the_auditors_clock(
    auditor: SignedIn, owner: Owner, booked: BookedLink
) -> None:
    """Half past eleven in the evening of UTC is after midnight in Paris."""
    late = {"weekly": {"tuesday": [["23:00", "24:00"]]}}
    calendar = owner.new_calendar(time_zone="UTC", availability=late)
    booking = owner.book(owner.new_link(calendar), "2026-11-24T23:30:00Z")
    link = f'href="/audit/history/{booking["booking_id"]}"'
    assert link in text(auditor.get("/audit?q=2026-11-25"))
    assert link not in text(auditor.get("/audit?q=2026-11-24"))


def test_a_search_without_results_says_so(auditor: SignedIn) -> None:
    for q in (unknown_id(), "nobody@example.org", "nonsense", "%25", "'"):
        answer = auditor.get(f"/audit?q={q}")
        assert (answer.status_code, "Nothing found" in words(answer)) == (200, True), q
    assert auditor.get(f"/audit/history/{unknown_id()}").status_code == 404


def test_accesses_are_shown_page_by_page(auditor: SignedIn) -> None:
    for _ in range(50):
        auditor.get("/audit/checkpoint/key")
    page = text(auditor.get("/audit/accesses"))
    assert page.count("GET /audit/checkpoint/key") == 49
    (following,) = re.findall(r'<a href="([^"]+)" rel="next">', page)
    assert text(auditor.get(following)).count("GET /audit/checkpoint/key") == 1
    assert auditor.get("/audit/accesses?before=x").status_code == 200


def test_the_checkpoint_is_shown_and_can_be_downloaded(
    auditor: SignedIn,
    owner: Owner,
    booked: BookedLink,
    services: Services,
    conninfo: str,
) -> None:
    assert "No checkpoint has been signed yet" in words(auditor.get("/audit/checkpoint"))
    assert auditor.get("/audit/checkpoint/file").status_code == 404
    owner.catch_up()
    head = sign_checkpoint(services, conninfo)
    page = words(auditor.get("/audit/checkpoint"))
    for said in (
        head.root.hex(),
        "Events covered 6",
        "admitone audit verify",
        "Signed Nov 23, 2026, 9:00:00",
        "Last fetched none recorded yet",
    ):
        assert said in page, said
    with accesses_cannot_be_recorded(services):
        assert auditor.get("/audit/checkpoint/file").status_code == 503
    before = len(recorded_accesses(services))
    file = auditor.get("/audit/checkpoint/file")
    (recorded,) = recorded_accesses(services)[before:]
    assert recorded[1].endswith("/file, answered with the checkpoint of 6 events")
    assert file.headers["Content-Disposition"] == 'attachment; filename="6.checkpoint"'
    (kept,) = services.settings.checkpoints_folder.glob("*/*.checkpoint")
    assert file.get_data(as_text=True) == kept.read_text()
    fetched = words(auditor.get("/audit/checkpoint")).partition("Last fetched ")[2]
    assert fetched.partition("Root hash")[0].endswith(f"account:{auditor.account.id} ")
    assert auditor.get("/audit/checkpoint/key").get_data(as_text=True).strip() in text(
        auditor.get("/audit/checkpoint")
    )
    kept.write_text(kept.read_text().replace("\n6\n", "\n5\n"))
    assert "does not match its signature" in words(auditor.get("/audit/checkpoint"))
    assert auditor.get("/audit/checkpoint/file").status_code == 503


def test_what_the_service_found_changed_stands_on_top_of_every_audit_page_and_of_operations(
    sign_in_as: Callable[..., SignedIn], services: Services, booked: BookedLink
) -> None:
    admin = sign_in_as("admin")
    pages = [
        "/audit",
        "/audit?q=nothing",
        f"/audit/history/{booked.link}",
        f"/audit/agendas/{booked.owner}",
        "/audit/security",
        "/audit/single-use",
        "/audit/checkpoint",
        "/audit/accesses",
        "/operations",
    ]
    for path in pages:
        assert "from outside" not in words(admin.get(path))
    with services.database.connection() as conn:
        evidence_checks.record(conn, evidence_checks.LOG, Finding(9, "not what was recorded", 5))
        evidence_checks.record(conn, evidence_checks.PERSONAL_DATA, Finding(9))
    for path in pages:
        shown = words(admin.get(path))
        assert "The event log was changed from outside. First position at fault: 5." in shown, path
        assert "Personal data was changed" not in shown
    assert admin.get("/readyz").status_code == 200


def test_the_verifier_can_be_downloaded_and_runs_alone(auditor: SignedIn, tmp_path: Path) -> None:
    assert "/audit/checkpoint/verifier" in text(auditor.get("/audit/checkpoint"))
    answer = auditor.get("/audit/checkpoint/verifier")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="verifier.py"'
    (tmp_path / "verifier.py").write_bytes(answer.get_data())
    told = subprocess.run(
        [sys.executable, "-I", "verifier.py", "--help"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for option in ("--checkpoint", "--key", "--witness"):
        assert option in told
