"""The page of operators: views, rebuilds, parked events, and who has access."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from psycopg.types.json import Jsonb

from application.deliveries.delivery import Outcome
from application.eventstore.advisory_locks import REBUILD as REBUILD_LOCK
from interface.bootstrap import Services
from projections.catalogue import CATALOGUE
from projections.rebuild import jobs
from projections.views import link_list
from tests.interface.pages.page_text import text, words
from tests.support.claims import claim_mail, claims_of
from tests.support.examples import IN_90_DAYS, NOW
from tests.support.http_desk import unknown_id
from tests.support.owner import Owner
from tests.support.projector import running_projector
from tests.support.signed_in_browser import SignedIn
from tests.support.unappliable_event import unappliable_expiry

REBUILD = f"/operations/{link_list.NAME}/rebuild"
POLLS = 'hx-trigger="every 2s"'


@pytest.fixture
def operator(sign_in_as: Callable[..., SignedIn]) -> SignedIn:
    """An operator at a browser."""
    return sign_in_as("operator")


def row(page: str, name: str = link_list.NAME) -> str:
    """Returns the row of a view in the table."""
    start = page.index(f'<tr id="{name}"')
    return page[start : page.index("</tr>", start)]


def told(page: str, name: str = link_list.NAME) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", row(page, name)).split())


def note(services: Services, **changes: Any) -> None:
    """Sets the progress of the newest rebuild."""
    with services.database.connection() as conn:
        jobs.update(conn, jobs.newest(conn)[link_list.NAME], **changes)


def test_views_are_shown_beside_the_log(owner: Owner, operator: SignedIn) -> None:
    page = operator.get("/operations")
    assert "event log, which is still empty." in words(page)
    for projection in CATALOGUE:
        assert re.fullmatch(
            rf"{projection.name} Live 0 0 No data Never Rebuild",
            told(text(page), projection.name),
        )
    owner.new_link()
    page = operator.get("/operations")
    assert "the event log, which ends at position 2." in words(page)
    assert re.search(r"Behind 0 2 events, [\d.]+ sec", told(text(page)))
    owner.catch_up()
    page = operator.get("/operations")
    assert "Live 2 0 " in told(text(page))
    assert "found no differences" in words(page)
    assert POLLS not in text(page)


def test_the_page_says_whether_a_projector_is_running(operator: SignedIn, conninfo: str) -> None:
    assert "No projector is running. People can still book" in words(operator.get("/operations"))
    with running_projector(conninfo):
        page = words(operator.get("/operations"))
    assert "Projector running" in page
    assert "No projector" not in page


def test_the_lag_of_the_last_hour_is_drawn_and_described(
    operator: SignedIn, services: Services
) -> None:
    with services.database.connection() as conn:
        for minutes, seconds in ((70, 99), (50, 0), (49.75, 12), (20, 3)):
            conn.execute(
                "INSERT INTO lag_samples VALUES (%s, now() - %s, 1, %s)",
                (link_list.NAME, timedelta(minutes=minutes), seconds),
            )
    drawn = row(text(operator.get("/operations")))
    assert 'aria-label="Lag in the last hour: peak 12 sec"' in drawn
    assert "peak 12 sec" in re.sub(r"<[^>]*>", " ", drawn)
    lines = re.findall(r'class="line" d="([^"]*)"', drawn)
    assert [re.sub(r"[\d. ]+", "", line) for line in lines] == ["ML", "Mh"]  # with a gap between
    assert "style=" not in drawn


def test_a_rebuild_is_requested_after_a_confirmation(
    operator: SignedIn, services: Services
) -> None:
    page = text(operator.get("/operations"))
    assert f'href="{REBUILD}"' in row(page)
    question = operator.get(REBUILD)
    assert question.status_code == 200
    assert f"Rebuild {link_list.NAME}?" in words(question)
    assert services.database.fetch_all("SELECT FROM rebuilds") == []
    answer = operator.post(REBUILD)
    assert (answer.status_code, answer.headers["Location"]) == (
        303,
        "/operations?notice=rebuild-requested",
    )
    page = operator.get(answer.headers["Location"])
    assert "Rebuild requested." in words(page)
    assert "Queued 0% · 0 events It continues once a projector" in told(text(page))
    assert POLLS in row(text(page))
    assert REBUILD not in row(text(page))
    assert POLLS not in row(text(page), "calendar_list_v2")


def test_the_row_tells_how_far_the_rebuild_has_come_until_it_is_done(
    operator: SignedIn, services: Services
) -> None:
    operator.post(REBUILD)
    note(services, state="building", position=42_000, head=100_000, events=41_234)
    page = text(operator.get("/operations"))
    assert "Building 42% · 41,234 events" in told(page)
    assert '<progress value="0.42" max="1"' in row(page)
    assert POLLS in row(page)
    note(services, state="failed", error="DiskFull: no space left")
    page = text(operator.get("/operations"))
    assert "Failed 42% · 41,234 events DiskFull: no space left" in told(page)
    assert POLLS in row(page)  # the projector tries again
    with services.database.connection() as conn:
        done = jobs.newest(conn)[link_list.NAME]
        jobs.finish(conn, done, events=98_765, seconds=75.0, rows=10, differing=0)
    page = text(operator.get("/operations"))
    assert re.search(r"Rebuilt .* 98,765 events in 1 min · no differences", told(page))
    assert POLLS not in row(page)
    assert f'data-announce="{link_list.NAME}: rebuild finished."' in row(page)
    assert "The last rebuild took 1 min." in words(operator.get(REBUILD))


def test_a_request_for_a_rebuild_says_that_one_is_running(
    operator: SignedIn, services: Services
) -> None:
    with services.database.connection() as conn, conn.transaction():
        conn.execute(
            "SELECT pg_advisory_xact_lock(%s, hashtext(%s))", (REBUILD_LOCK, link_list.NAME)
        )
        refused = operator.post(REBUILD)
    assert refused.status_code == 409
    assert "This view is being rebuilt or verified already." in words(refused)
    assert services.database.fetch_all("SELECT FROM rebuilds") == []


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("verify", "These rows of the live read model don't match the log."),
        ("rebuild", "Before the last rebuild, these rows didn't match the log."),
    ],
)
def test_what_the_last_rebuild_found_is_shown_row_by_row(
    operator: SignedIn, services: Services, kind: str, sentence: str
) -> None:
    differences = [
        {
            "table": link_list.NAME,
            "key": "k1",
            "live": {"note": "<b>7</b>"},
            "built": {"note": None},
        },
        {"table": link_list.NAME, "key": "k2", "live": None, "built": {"position": 9}},
    ]
    with services.database.connection() as conn:
        conn.execute(
            """INSERT INTO rebuilds (id, name, kind, state, by_projector, rows, differing,
                differences, finished_at)
            VALUES (gen_random_uuid(), %s, %s, 'done', false, 30, 22, %s, now())""",
            (link_list.NAME, kind, Jsonb(differences)),
        )
    page = operator.get("/operations")
    assert "22 rows differed" in told(text(page))
    assert sentence in words(page)
    assert f'k1 {link_list.NAME} note: "<b>7</b>" note: null' in words(page)
    assert "<b>7</b>" not in page.get_data(as_text=True)
    assert f"k2 {link_list.NAME} no row position: 9" in words(page)
    assert "and 20 more" in words(page)


def test_parked_events_are_shown_with_their_error_and_retried(
    owner: Owner, operator: SignedIn, services: Services
) -> None:
    retry = f"/operations/{link_list.NAME}/retry"
    with unappliable_expiry(services.database, IN_90_DAYS):
        link = owner.new_link(expires_at=IN_90_DAYS.isoformat())
        owner.revoke(link)
        owner.catch_up()
        page = operator.get("/operations")
        assert "Events parked" in told(text(page))
        assert "1 event could not be applied. 1 later event of the same history" in words(page)
        assert "2 link.issued CheckViolation: " in words(page)
        assert "link.revoked" not in words(page)
        assert f'action="{retry}"' in text(page)
        answer = operator.post(retry)
        assert answer.status_code == 303
        page = operator.get(answer.headers["Location"])
        assert "Some events still can't be applied." in words(page)
    answer = operator.post(retry)
    page = operator.get(answer.headers["Location"])
    assert "All parked events have been applied." in words(page)
    assert "Live" in told(text(page))
    assert retry not in text(page)


def test_a_view_that_is_not_there_is_not_found(operator: SignedIn) -> None:
    for answer in (
        operator.get("/operations/nothing/rebuild"),
        operator.post("/operations/nothing/rebuild"),
        operator.post("/operations/nothing/retry"),
    ):
        assert answer.status_code == 404
        assert "There is no such view." in words(answer)


@pytest.mark.parametrize("role", ["owner", "auditor"])
def test_owners_and_auditors_have_no_access(
    sign_in_as: Callable[..., SignedIn], services: Services, role: str
) -> None:
    other = sign_in_as(role)
    assert "/operations" not in text(other.get("/settings/access"))
    for answer in (
        other.get("/operations"),
        other.get(REBUILD),
        other.post(REBUILD),
        other.post(f"/operations/{link_list.NAME}/retry"),
        other.post(f"/operations/deliveries/{unknown_id()}/retry"),
    ):
        assert answer.status_code == 403
        assert "Your account doesn't have access to this page." in words(answer)
        assert link_list.NAME not in text(answer)
    assert services.database.fetch_all("SELECT FROM rebuilds") == []


def test_operators_and_admins_find_it_in_the_menu(sign_in_as: Callable[..., SignedIn]) -> None:
    for role in ("operator", "admin"):
        assert 'href="/operations"' in text(sign_in_as(role).get("/settings/access"))


def test_whoever_is_not_signed_in_comes_back_after_signing_in(app: Flask) -> None:
    answer = app.test_client().get("/operations")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/?next=/operations")
    assert app.test_client().post(REBUILD).status_code == 302


def test_a_form_without_its_token_requests_nothing(operator: SignedIn, services: Services) -> None:
    assert operator.client.post(REBUILD, data={}).status_code == 403
    assert services.database.fetch_all("SELECT FROM rebuilds") == []


def test_events_that_a_reaction_has_parked_can_be_retried(
    operator: SignedIn, services: Services
) -> None:
    with services.database.connection() as conn:
        conn.execute(
            """INSERT INTO parked_events (generation, position, correlation_id, error)
            VALUES ('mail_v1', 7, gen_random_uuid(), 'RuntimeError: not thought of')"""
        )
    page = words(operator.get("/operations"))
    assert "mail_v1: parked events" in page
    assert "Rebuild" not in page.partition("mail_v1: parked events")[2]
    answer = operator.post("/operations/mail/retry")
    assert answer.headers["Location"].startswith("/operations?notice=parked-")
    assert operator.post("/operations/mail_v1/rebuild").status_code == 404


def test_deliveries_that_were_given_up_are_listed_and_can_be_retried(
    operator: SignedIn, services: Services
) -> None:
    page = words(operator.get("/operations"))
    assert "No mail goes out" in page
    claimed = claim_mail(services)
    assert claimed is not None
    claims_of(services).settle(Outcome.parked(claimed, answer="550 No such user"))
    page = text(operator.get("/operations"))
    assert "Deliveries that were given up" in page
    assert "550 No such user" in page
    assert "Nothing: no events are parked" not in page
    retry = f"/operations/deliveries/{claimed.id}/retry"
    assert f'action="{retry}"' in page
    answer = operator.post(retry)
    assert answer.headers["Location"] == "/operations?notice=delivery-retried"
    page = words(operator.get("/operations"))
    assert "550 No such user" not in page
    again = claim_mail(services)
    assert again is not None
    assert again.id == claimed.id
    claims_of(services).settle(Outcome.sent(again, answer="250 OK", now=NOW))
    over = operator.post(retry)
    assert over.status_code == 409
    assert "there is nothing to try again" in words(over)
    assert operator.post(f"/operations/deliveries/{unknown_id()}/retry").status_code == 404
