"""The proof of single use as a page to print."""

import re

import pytest

from application.audit import single_use_report
from interface.bootstrap import Services
from interface.web import audit_queries
from projections.evidence import evidence_checks
from projections.evidence.evidence_checks import Finding
from tests.interface.pages.page_text import text, words
from tests.support.audit_trail import BookedLink, sign_checkpoint
from tests.support.examples import NOW
from tests.support.log_forger import LogForger
from tests.support.owner import Owner
from tests.support.signed_in_browser import SignedIn

PROOF = "/audit/single-use"


def test_each_statement_is_shown_with_how_many_events_it_was_checked_on(
    auditor: SignedIn, owner: Owner, booked: BookedLink, services: Services, conninfo: str
) -> None:
    owner.catch_up()
    sign_checkpoint(services, conninfo)
    page = auditor.get(PROOF)
    shown = words(page)
    with services.database.connection() as conn:
        wanted = single_use_report.report(conn, since=None, until=None, now=NOW)
    assert len(wanted["statements"]) > 10
    for each in wanted["statements"]:
        assert f"{each['statement']} {each['checked']} yes" in shown
    assert "position 6, the last of 6 events" in shown
    assert "Everything below holds for the whole log." in shown
    assert "Signed checkpoint of the log" in shown
    assert "data-print" in text(page)


def test_a_statement_that_does_not_hold_leads_to_the_events_at_fault(
    auditor: SignedIn, booked: BookedLink, conninfo: str
) -> None:
    forger = LogForger(conninfo)
    position = forger.repeat(forger.positions("link.redeemed")[0])
    page = text(auditor.get(PROOF))
    assert "Something below does not hold." in page
    assert f'<a href="/audit?after={position - 1}">{position}</a>' in page


def test_the_proof_of_a_log_that_was_changed_claims_nothing_about_the_whole_log(
    auditor: SignedIn, booked: BookedLink, services: Services
) -> None:
    with services.database.connection() as conn:
        evidence_checks.record(conn, evidence_checks.LOG, Finding(6, "not what was recorded", 5))
    shown = words(auditor.get(PROOF))
    assert "The event log was changed from outside. First position at fault: 5." in shown
    assert "Everything below holds for the whole log." not in shown


def test_events_are_counted_on_the_days_asked_for(auditor: SignedIn, booked: BookedLink) -> None:
    for period, issued in (
        ("?from=2026-11-23&to=2026-11-23", 1),
        ("?to=2026-11-22", 0),
        ("?from=2026-11-24", 0),
    ):
        assert f"Links issued {issued} " in words(auditor.get(PROOF + period)), period
    wrong = auditor.get(f"{PROOF}?from=yesterday")
    assert wrong.status_code == 422
    assert "Must be a date such as" in words(wrong)
    wrong = auditor.get(f"{PROOF}?from=2026-11-24&to=2026-11-23")
    assert wrong.status_code == 422
    assert "Must not lie before the start." in words(wrong)


def test_a_log_too_long_for_a_page_is_left_to_the_command(
    auditor: SignedIn, booked: BookedLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_queries, "LONGEST_LOG", 5)
    shown = words(auditor.get(PROOF))
    assert "It has about 6 events." in shown
    assert re.search(r"admitone audit report single-use --html \S+", shown)
