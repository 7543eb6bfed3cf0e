"""The metrics of requests and views in one process."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient

import interface
from application.commands.redemption import RedemptionCommands
from application.deliveries.deliveries import Backlog
from domain.errors import Busy
from interface.bootstrap import Services, build
from interface.observability import metrics, view_metrics
from interface.observability.metrics import OUTCOMES
from interface.observability.view_metrics import Views
from interface.settings import Settings
from interface.wsgi import create_app
from projections.evidence import evidence_checks
from projections.evidence.evidence_checks import NAMES, Finding
from projections.rebuild.jobs import RebuildJob
from projections.status import ViewStatus
from tests.interface.observability.prometheus_text import grown, samples, value, values
from tests.support.clock import Clock
from tests.support.examples import NINE, NOW, SECRET, TEN, redeem_json
from tests.support.invitee_browser import InviteeBrowser
from tests.support.owner import Owner
from tests.support.service import free_port

MANUAL = Path(interface.__file__).parent / "help" / "operator.md"

REDEMPTIONS = ("admitone_redemptions_total", "outcome")
JSON = "application/json"
REFUSALS = ("admitone_refusals_total", "reason")


@pytest.fixture(autouse=True)
def computed_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each scrape shows what was counted just before it."""
    monkeypatch.setattr(metrics, "KEEP_SECONDS", 0)


@pytest.fixture
def new_app(services: Services) -> Flask:
    """An application that has counted nothing yet."""
    return create_app(services)


def scrape(client: FlaskClient) -> str:
    answer = client.get("/metrics")
    assert (answer.status_code, answer.mimetype) == (200, "text/plain")
    return answer.get_data(as_text=True)


def test_every_request_to_redeem_is_counted_once_by_how_it_ended(
    owner: Owner, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    calendar = owner.new_calendar()
    link, other, revoked, expired = (owner.new_link(calendar) for _ in range(4))
    owner.revoke(revoked)
    forged = other | {"token": other["token"][:-2]}
    path = f"/api/v1/booking-links/{other['token']}/redeem"

    def busy(*_: Any, **__: Any) -> None:
        raise Busy

    def outcomes(call: Callable[[], Any]) -> dict[str, float]:
        before = values(scrape(owner.client), *REDEMPTIONS)
        call()
        return grown(before, values(scrape(owner.client), *REDEMPTIONS))

    for call, outcome in (
        (lambda: owner.redeem(link, key="k"), "booked"),
        (lambda: owner.redeem(link, key="k"), "repeated"),
        (lambda: owner.redeem(link, TEN, key="k"), "idempotency-mismatch"),
        (lambda: owner.redeem(link, TEN), "link-redeemed"),
        (lambda: owner.redeem(revoked, TEN), "link-revoked"),
        (lambda: owner.redeem(forged, TEN), "link-not-found"),
        (lambda: owner.redeem(other, NINE), "slot-taken"),
        (lambda: owner.redeem(other, "2026-11-24T09:10:00Z"), "slot-not-offered"),
        (lambda: owner.redeem(other, "tomorrow"), "validation"),
        (lambda: owner.client.post(path, data=b"{", content_type=JSON), "malformed"),
    ):
        assert outcomes(call) == {outcome: 1}
    with monkeypatch.context() as patched:
        patched.setattr(RedemptionCommands, "redeem", busy)
        assert outcomes(lambda: owner.redeem(other, TEN)) == {"busy": 1}
    clock.advance(days=91)
    assert outcomes(lambda: owner.redeem(expired, TEN)) == {"link-expired": 1}
    assert outcomes(lambda: owner.client.get(f"/api/v1/booking-links/{other['token']}")) == {}
    assert outcomes(lambda: owner.client.options(path)) == {}


def test_the_booking_form_is_counted_like_the_api(
    new_invitee_browser: Callable[..., InviteeBrowser],
    services: Services,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    invitee, other = new_invitee_browser(), new_invitee_browser(start_increment_minutes=15)
    form, form_of_other = invitee.form(), other.form()

    def busy(*_: Any, **__: Any) -> None:
        raise Busy

    def outcomes(call: Callable[[], Any]) -> dict[str, float]:
        before = values(scrape(invitee.browser), *REDEMPTIONS)
        call()
        return grown(before, values(scrape(invitee.browser), *REDEMPTIONS))

    with monkeypatch.context() as patched:
        patched.setattr(RedemptionCommands, "redeem", busy)
        assert outcomes(lambda: invitee.post(form)) == {"busy": 1}
    for call, outcome in (
        (lambda: invitee.post(form | {"email": "nowhere"}), "validation"),
        (lambda: invitee.post(form), "booked"),
        (lambda: invitee.post(form), "repeated"),  # this browser knows its booking
        (lambda: invitee.elsewhere().post(form), "repeated"),
        (lambda: invitee.elsewhere().post(form | {"name": "Grace"}), "repeated"),
        (lambda: invitee.elsewhere().post(form | {"idempotency_key": "x"}), "link-redeemed"),
        (lambda: other.post(form_of_other), "slot-taken"),
        (lambda: other.post(form_of_other | {"start": "2026-11-24T03:00:00Z"}), "slot-not-offered"),
        (lambda: other.browser.post("/b/nonsense", data=form), "link-not-found"),
    ):
        assert outcomes(call) == {outcome: 1}
    assert outcomes(lambda: invitee.get()) == {}


def test_outcomes_that_have_not_happened_yet_are_zero(new_app: Flask) -> None:
    text = scrape(new_app.test_client())
    for outcome in OUTCOMES:
        assert value(text, "admitone_redemptions_total", outcome=outcome) == 0


def test_refusals_are_counted_by_reason_from_calls_and_pages(owner: Owner, app: Flask) -> None:
    link = owner.new_link()
    owner.redeem(link)
    before = values(scrape(owner.client), *REFUSALS)
    owner.client.get("/api/v1/links")
    owner.get("/links/not-a-uuid")
    owner.client.get("/no-such-page")
    owner.client.get("/metrics/more")
    owner.client.put("/metrics")
    owner.revoke(link)
    owner.get("/links")
    assert grown(before, values(scrape(app.test_client()), *REFUSALS)) == {
        "unauthorized": 1,
        "not-found": 3,
        "method-not-allowed": 1,
        "link-redeemed": 1,
    }


def test_request_times_are_labelled_with_the_route_and_never_the_path(
    owner: Owner, new_app: Flask
) -> None:
    owner = replace(owner, client=new_app.test_client())
    link = owner.new_link()
    path = f"/api/v1/booking-links/{link['token']}"
    for _ in range(3):
        owner.get(path.removeprefix("/api/v1"))
    owner.client.post(f"{path}/redeem", json=redeem_json("never"))
    owner.client.open(f"/b/{link['token']}?tz=Mars", method="INVENTED")
    text = scrape(owner.client)
    took = "admitone_request_seconds"
    reading = {"method": "GET", "route": "/api/v1/booking-links/<token>", "status": "2xx"}
    redeeming = {
        "method": "POST",
        "route": "/api/v1/booking-links/<token>/redeem",
        "status": "4xx",
    }
    assert value(text, f"{took}_count", **reading) == 3
    assert value(text, f"{took}_bucket", **reading, le="+Inf") == 3
    assert value(text, f"{took}_count", **redeeming) == 1
    assert value(text, f"{took}_count", method="other", route="none", status="4xx") == 1
    for secret in (link["token"], "Mars", "INVENTED"):
        assert secret not in text


def test_views_are_measured_with_their_lag(owner: Owner) -> None:
    owner.new_calendar()
    owner.new_calendar()
    behind = scrape(owner.client)
    assert value(behind, "admitone_database_up") == 1
    assert value(behind, "admitone_projector_up") == 0
    assert value(behind, "admitone_log_position") == 2
    assert value(behind, "admitone_view_position", view="link_list_v3") == 0
    assert value(behind, "admitone_view_lag_events", view="link_list_v3") == 2
    owner.catch_up()
    live = scrape(owner.client)
    assert value(live, "admitone_view_position", view="link_list_v3") == 2
    assert value(live, "admitone_view_lag_events", view="link_list_v3") == 0


def test_checks_of_the_log_are_measured(services: Services) -> None:
    def measured() -> dict[str, dict[str, float]]:
        wanted = {family.name: family for family in view_metrics.views_of(services).collect()}
        return {
            name: {sample.labels["check"]: sample.value for sample in family.samples}
            for name, family in wanted.items()
            if name.startswith("admitone_evidence")
        }

    with services.database.connection() as conn:
        evidence_checks.record(conn, "signature", Finding(7))
        evidence_checks.record(conn, "log", Finding(6, "not what was recorded", 3))
        for _ in range(2):
            evidence_checks.record_failure(conn, "signature")
    found = measured()
    assert found["admitone_evidence_checked"] == {"signature": 7, "log": 6}
    assert found["admitone_evidence_fault"] == dict.fromkeys(NAMES, 0) | {"log": 1}
    assert found["admitone_evidence_failures"] == dict.fromkeys(NAMES, 0) | {"signature": 2}
    assert 0 <= found["admitone_evidence_age_seconds"]["log"] < 60


def test_the_manual_names_every_check_of_the_log() -> None:
    (row,) = [
        line for line in MANUAL.read_text().splitlines() if "`admitone_evidence_fault`" in line
    ]
    assert [name for name in NAMES if f"`{name}`" not in row] == []


def test_a_rebuild_is_measured_with_its_progress_and_state() -> None:
    rebuild = RebuildJob(
        id=UUID(int=7),
        name="link_list_v3",
        kind="rebuild",
        state="building",
        by_projector=True,
        position=60,
        head=80,
        events=20,
        seconds=1.5,
        rows=None,
        differing=None,
        differences=None,
        error=None,
        requested_at=NOW,
        finished_at=None,
        pruned_at=None,
    )
    status = ViewStatus("link_list_v3", 70, 80, 10, 2.5, 3, 1, rebuild)
    backlog = Backlog("post", due=3, parked=1, seconds=4.5)
    measured = {
        family.name: [(sample.labels, sample.value) for sample in family.samples]
        for family in Views(lambda: [status], lambda: True, lambda: [backlog], list).collect()
    }
    view = {"view": "link_list_v3"}
    assert measured == {
        "admitone_database_up": [({}, 1)],
        "admitone_projector_up": [({}, 1)],
        "admitone_log_position": [({}, 80)],
        "admitone_view_position": [(view, 70)],
        "admitone_view_lag_events": [(view, 10)],
        "admitone_view_lag_seconds": [(view, 2.5)],
        "admitone_view_parked": [(view, 3)],
        "admitone_rebuild_events": [(view, 20)],
        "admitone_rebuild_progress": [(view, 0.75)],
        "admitone_rebuild_seconds": [(view, 1.5)],
        "admitone_rebuild_state": [(view | {"state": "building"}, 1)],
        "admitone_deliveries": [
            ({"channel": "mail", "state": "due"}, 0),
            ({"channel": "mail", "state": "parked"}, 0),
            ({"channel": "post", "state": "due"}, 3),
            ({"channel": "post", "state": "parked"}, 1),
        ],
        "admitone_evidence_fault": [({"check": name}, 0) for name in NAMES],
        "admitone_evidence_age_seconds": [],
        "admitone_evidence_checked": [],
        "admitone_evidence_failures": [({"check": name}, 0) for name in NAMES],
        "admitone_deliveries_overdue_seconds": [
            ({"channel": "mail"}, 0),
            ({"channel": "post"}, 4.5),
        ],
    }


def test_requests_are_measured_without_the_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(view_metrics, "DATABASE_SECONDS", 0.2)
    dead = f"postgresql://ada@127.0.0.1:{free_port()}/admitone"
    services = build(Settings(data=tmp_path, secret_keys=(SECRET,)), dead)
    try:
        client = create_app(services).test_client()
        client.get("/healthz")
        text = scrape(client)
    finally:
        services.close()
    assert value(text, "admitone_database_up") == 0
    healthz = {"method": "GET", "route": "/healthz", "status": "2xx"}
    assert value(text, "admitone_request_seconds_count", **healthz) == 1
    assert not [name for name, _ in samples(text) if name.startswith("admitone_view")]


def test_a_database_without_our_tables_counts_as_down(app: Flask, conninfo: str) -> None:
    rename = "ALTER TABLE {} RENAME TO {}"
    with psycopg.connect(conninfo, autocommit=True) as conn:
        conn.execute(rename.format("projection_positions", "elsewhere"))
        try:
            text = scrape(app.test_client())
        finally:
            conn.execute(rename.format("elsewhere", "projection_positions"))
    assert value(text, "admitone_database_up") == 0


def test_metrics_are_computed_once_a_second_at_most(
    new_app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "KEEP_SECONDS", 1.0)
    seconds = [100.0]
    monkeypatch.setattr(metrics, "monotonic", lambda: seconds[0])
    first = scrape(new_app.test_client())
    seconds[0] += 0.9
    assert scrape(new_app.test_client()) == first
    seconds[0] += 0.2
    assert scrape(new_app.test_client()) != first


TOKEN = "a-token-for-prometheus-that-is-long"  # noqa: S105
ELSEWHERE = "192.0.2.7"


@pytest.mark.parametrize(
    ("token", "peer", "headers", "status"),
    [
        ("", "127.0.0.1", {}, 200),
        ("", "127.8.8.8", {}, 200),
        ("", "::1", {}, 200),
        ("", "::ffff:127.0.0.1", {}, 200),
        ("", ELSEWHERE, {}, 403),
        ("", "", {}, 403),
        ("", ELSEWHERE, {"Authorization": "Bearer "}, 403),
        ("", "127.0.0.1", {"X-Forwarded-For": "127.0.0.1"}, 403),
        ("", "127.0.0.1", {"Forwarded": "for=192.0.2.7"}, 403),
        (TOKEN, "127.0.0.1", {}, 200),
        (TOKEN, ELSEWHERE, {}, 401),
        (TOKEN, ELSEWHERE, {"Authorization": f"Bearer {TOKEN}"}, 200),
        (TOKEN, ELSEWHERE, {"Authorization": f"bearer {TOKEN}"}, 200),
        (TOKEN, ELSEWHERE, {"Authorization": f"Bearer {TOKEN[:-1]}"}, 401),
        (TOKEN, ELSEWHERE, {"Authorization": "Bearer é"}, 401),
        (TOKEN, ELSEWHERE, {"Authorization": f"Basic {TOKEN}"}, 401),
        (TOKEN, "127.0.0.1", {"X-Forwarded-For": ELSEWHERE}, 401),
        (
            TOKEN,
            "127.0.0.1",
            {"X-Forwarded-For": ELSEWHERE, "Authorization": f"Bearer {TOKEN}"},
            200,
        ),
    ],
)
def test_metrics_are_for_this_machine_and_for_bearers_of_the_token(
    services: Services, token: str, peer: str, headers: dict[str, str], status: int
) -> None:
    app = create_app(replace(services, settings=replace(services.settings, metrics_token=token)))
    answer = app.test_client().get(
        "/metrics", headers=headers, environ_overrides={"REMOTE_ADDR": peer}
    )
    assert answer.status_code == status
    assert ("WWW-Authenticate" in answer.headers) == (status == 401)
    assert ("admitone_" in answer.get_data(as_text=True)) == (status == 200)
