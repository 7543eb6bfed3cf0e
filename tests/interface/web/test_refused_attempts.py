"""Refused attempts to book: what becomes one, who sees them, and that they change no answer."""

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from flask.testing import FlaskClient

from domain.errors import Unavailable
from interface.bootstrap import Services
from tests.application.conftest import rows_of
from tests.conftest import Clock, Owner
from tests.interface.pages.page_text import words
from tests.support.calls import (
    NINE,
    TEN,
    booked,
    new_calendar,
    new_link,
    redeem,
    refusal,
    together,
)
from tests.support.examples import NOW, redeem_json
from tests.support.invitee_browser import Invited
from tests.support.signed_in_browser import SignedIn
from tests.support.stored_rows import query

ELSEWHERE = "198.51.100.23"


def attempts(owner: Owner, link: dict[str, Any]) -> list[dict[str, str]]:
    """The refused attempts with a link, as its owner reads them by API."""
    found: list[dict[str, str]] = owner.get(f"/links/{link['id']}/refused-attempts").json["items"]
    return found


def reasons(owner: Owner, link: dict[str, Any]) -> list[str]:
    """Why they were refused, newest first."""
    return [attempt["reason"] for attempt in attempts(owner, link)]


def stored(services: Services) -> int:
    """How many attempts there are with any link."""
    row = services.database.fetch_one("SELECT count(*) FROM refused_attempts")
    return int(row["count"]) if row else 0


def try_from(client: FlaskClient, address: str, link: dict[str, Any]) -> Any:
    """Try to book from there."""
    return client.post(
        f"/api/v1/booking-links/{link['token']}/redeem",
        json=redeem_json(NINE),
        environ_base={"REMOTE_ADDR": address},
    )


def test_a_link_that_was_not_tried_has_no_attempts(owner: Owner) -> None:
    link = new_link(owner)
    booked(owner, link)
    assert attempts(owner, link) == []


def test_every_refusal_of_a_known_link_is_an_attempt(owner: Owner, clock: Clock) -> None:
    calendar = new_calendar(owner)
    link, other, expired, revoked = (new_link(owner, calendar) for _ in range(4))
    booked(owner, link, key="k-1")
    assert refusal(redeem(owner, link)) == (410, "link-redeemed")
    assert refusal(redeem(owner, link, TEN, key="k-1")) == (422, "idempotency-mismatch")
    assert refusal(redeem(owner, other)) == (409, "slot-taken")
    assert refusal(redeem(owner, other, "2026-11-24T03:00:00Z")) == (422, "slot-not-offered")
    assert owner.post(f"/links/{revoked['id']}/revoke").status_code == 200
    assert refusal(redeem(owner, revoked)) == (410, "link-revoked")
    clock.advance(days=91)
    assert refusal(redeem(owner, expired)) == (410, "link-expired")
    assert reasons(owner, link) == ["idempotency-mismatch", "link-redeemed"]
    assert reasons(owner, other) == ["slot-not-offered", "slot-taken"]
    assert reasons(owner, revoked) == ["link-revoked"]
    assert attempts(owner, expired) == [{"at": "2027-02-22T08:00:00Z", "reason": "link-expired"}]


def test_what_is_not_about_the_link_is_no_attempt(
    owner: Owner, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = new_link(owner)
    assert redeem(owner, link, invitee={"name": "", "email": "x"}).status_code == 422
    assert redeem(owner, {"token": f"{link['token']}x"}).status_code == 404
    assert redeem(owner, {"token": services.tokens.for_link(UUID(int=7))}).status_code == 404
    assert redeem(owner, link, key="k-1").status_code == 201
    assert redeem(owner, link, key="k-1").status_code == 201
    assert owner.post(f"/links/{link['id']}/revoke").status_code == 409
    assert owner.post(f"/links/{link['id']}/replace").status_code == 409
    assert stored(services) == 0


def test_opening_a_link_is_no_attempt(invited: Invited, services: Services) -> None:
    booked(invited.owner, invited.link)
    invited.owner.catch_up()
    for path in (invited.path, f"/api/v1/booking-links/{invited.link['token']}"):
        assert invited.browser.get(path).status_code == 410
        assert invited.browser.head(path).status_code == 410
    assert stored(services) == 0


def test_the_page_notes_attempts_as_the_api_does(invited: Invited, services: Services) -> None:
    form = invited.form()
    rival = new_link(invited.owner, invited.link["calendar_id"])
    booked(invited.owner, rival)
    assert invited.post(form).status_code == 409
    assert reasons(invited.owner, invited.link) == ["slot-taken"]
    booked(invited.owner, invited.link, TEN)
    assert invited.post(form).status_code == 410
    invited.owner.catch_up()
    assert invited.post(form | {"email": ""}).status_code == 410
    assert reasons(invited.owner, invited.link) == ["link-redeemed"] * 2 + ["slot-taken"]


def test_coming_back_to_ones_own_booking_is_no_attempt(
    invited: Invited, services: Services
) -> None:
    form = invited.form()
    for _ in range(2):
        assert invited.post(form).status_code == 303
    assert invited.elsewhere().post(form | {"name": "Augusta"}).status_code == 303
    assert stored(services) == 0


def test_of_many_at_once_all_who_lost_are_seen(owner: Owner, services: Services) -> None:
    link = new_link(owner)
    answers = together(40, lambda: redeem(owner, link).status_code)
    assert sorted(answers) == [201] + [410] * 39
    assert reasons(owner, link) == ["link-redeemed"] * 39


def test_only_the_owner_sees_them(
    owner: Owner, new_owner: Callable[..., Owner], services: Services
) -> None:
    link = new_link(owner)
    booked(owner, link)
    said = redeem(owner, link).get_data(as_text=True)
    assert redeem(owner, link).get_data(as_text=True) == said
    other = new_owner("Oscar Other")
    assert refusal(other.get(f"/links/{link['id']}/refused-attempts")) == (404, "not-found")


@pytest.mark.parametrize("error", [Unavailable, psycopg.errors.InsufficientPrivilege])
def test_an_attempt_that_cannot_be_kept_changes_no_answer(
    owner: Owner,
    services: Services,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: type[Exception],
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error(ELSEWHERE)

    link = new_link(owner)
    booked(owner, link)
    expected = redeem(owner, link)
    monkeypatch.setattr(services.refused_attempts, "record", fail)
    answer = redeem(owner, link)
    assert (answer.status_code, answer.data) == (410, expected.data)
    (line,) = [each for each in caplog.records if each.name == "interface.web.redemption"]
    assert line.levelno == logging.WARNING
    monkeypatch.undo()
    assert reasons(owner, link) == ["link-redeemed"]


def test_while_attempts_cannot_be_written_the_answer_comes_all_the_same(
    owner: Owner, conninfo: str
) -> None:
    link = new_link(owner)
    booked(owner, link)
    with psycopg.connect(conninfo) as conn:
        conn.execute("LOCK TABLE refused_attempts IN EXCLUSIVE MODE")
        assert refusal(redeem(owner, link)) == (410, "link-redeemed")


def test_no_address_is_stored_or_logged(
    owner: Owner, conninfo: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    link = new_link(owner)
    booked(owner, link)
    assert try_from(owner.client, ELSEWHERE, link).status_code == 410
    tables = query(conninfo, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    dump = "\n".join(rows_of(conninfo, table) for (table,) in tables)
    assert str(UUID(link["id"])) in dump
    for text in (ELSEWHERE, ELSEWHERE.encode().hex()):
        assert text not in dump
        assert text not in caplog.text


def test_the_owners_page_tells_of_attempts(person: SignedIn, owner: Owner, clock: Clock) -> None:
    calendar = new_calendar(owner)
    rival, link = new_link(owner, calendar), new_link(owner, calendar)
    booked(owner, rival)
    redeem(owner, link)
    booked(owner, link, TEN)
    for address in (ELSEWHERE, "192.0.2.1", ELSEWHERE):
        clock.advance(minutes=10)
        assert try_from(owner.client, address, link).status_code == 410
    page = words(person.get(f"/links/{link['id']}"))
    assert (
        "One attempt to book a time that had just been taken"
        " Nov 23, 2026, 8:00 AM, from one IP address"
    ) in page
    assert (
        "3 more attempts to book after it was used"
        " last on Nov 23, 2026, 8:30 AM, from 2 IP addresses"
    ) in page
    german = words(person.get(f"/links/{link['id']}", headers={"Accept-Language": "de"}))
    assert "Noch 3 Buchungsversuche, nachdem er benutzt war" in german
    assert "latest 100" not in page


def test_the_owners_page_says_that_there_may_have_been_more(
    person: SignedIn, owner: Owner, services: Services
) -> None:
    link = new_link(owner)
    for reason in ("link-expired", "link-revoked", "slot-not-offered", "idempotency-mismatch") * 25:
        services.refused_attempts.record(UUID(link["id"]), reason=reason, address="", now=NOW)
    page = words(person.get(f"/links/{link['id']}"))
    for sentence in (
        "25 attempts to book after it expired",
        "25 attempts to book after it was revoked",
        "25 attempts to book a time that isn't offered",
        "Booking repeated 25 times with different details",
        "Only the latest 100 refused attempts are stored.",
    ):
        assert sentence in page


def test_attempts_are_kept_for_a_time(services: Services, owner: Owner, clock: Clock) -> None:
    link = new_link(owner, expires_in_days=200)
    booked(owner, link)
    redeem(owner, link)
    clock.advance(minutes=1)
    redeem(owner, link)
    clock.time = NOW + timedelta(days=services.settings.attempts_days, seconds=1)
    assert (
        services.refused_attempts.sweep(
            before=clock.time - timedelta(days=services.settings.attempts_days)
        )
        == 1
    )
    assert len(attempts(owner, link)) == 1
    assert (
        services.refused_attempts.sweep(
            before=clock.time - timedelta(days=services.settings.attempts_days)
        )
        == 0
    )
