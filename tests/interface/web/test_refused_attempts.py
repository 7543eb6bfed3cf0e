"""Refused attempts to book: which requests count, and who can read them."""

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
from tests.interface.pages.page_text import words
from tests.support.clock import Clock
from tests.support.examples import NINE, NOW, TEN, redeem_json
from tests.support.http_desk import refusal
from tests.support.invitee_browser import InviteeBrowser
from tests.support.owner import Owner
from tests.support.signed_in_browser import SignedIn
from tests.support.stored_rows import query
from tests.support.waiting import at_once

ELSEWHERE = "198.51.100.23"


def attempts(owner: Owner, link: dict[str, Any]) -> list[dict[str, str]]:
    """Returns the refused attempts with a link, as its owner reads them by API."""
    found: list[dict[str, str]] = owner.get(f"/links/{link['id']}/refused-attempts").json["items"]
    return found


def reasons(owner: Owner, link: dict[str, Any]) -> list[str]:
    """Returns the reasons of the refused attempts, newest first."""
    return [attempt["reason"] for attempt in attempts(owner, link)]


def stored(services: Services) -> int:
    """Returns the number of attempts with any link."""
    row = services.database.fetch_one("SELECT count(*) FROM refused_attempts")
    return int(row["count"]) if row else 0


def try_from(client: FlaskClient, address: str, link: dict[str, Any]) -> Any:
    """Tries to book from this address."""
    return client.post(
        f"/api/v1/booking-links/{link['token']}/redeem",
        json=redeem_json(NINE),
        environ_base={"REMOTE_ADDR": address},
    )


def test_a_link_that_was_not_tried_has_no_attempts(owner: Owner) -> None:
    link = owner.new_link()
    owner.book(link)
    assert attempts(owner, link) == []


def test_every_refusal_of_a_known_link_is_an_attempt(owner: Owner, clock: Clock) -> None:
    calendar = owner.new_calendar()
    link, other, expired, revoked = (owner.new_link(calendar) for _ in range(4))
    owner.book(link, key="k-1")
    assert refusal(owner.redeem(link)) == (410, "link-redeemed")
    assert refusal(owner.redeem(link, TEN, key="k-1")) == (422, "idempotency-mismatch")
    assert refusal(owner.redeem(other)) == (409, "slot-taken")
    assert refusal(owner.redeem(other, "2026-11-24T03:00:00Z")) == (422, "slot-not-offered")
    assert owner.revoke(revoked).status_code == 200
    assert refusal(owner.redeem(revoked)) == (410, "link-revoked")
    clock.advance(days=91)
    assert refusal(owner.redeem(expired)) == (410, "link-expired")
    assert reasons(owner, link) == ["idempotency-mismatch", "link-redeemed"]
    assert reasons(owner, other) == ["slot-not-offered", "slot-taken"]
    assert reasons(owner, revoked) == ["link-revoked"]
    assert attempts(owner, expired) == [{"at": "2027-02-22T08:00:00Z", "reason": "link-expired"}]


def test_requests_refused_for_other_reasons_are_no_attempts(
    owner: Owner, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = owner.new_link()
    assert owner.redeem(link, invitee={"name": "", "email": "x"}).status_code == 422
    assert owner.redeem({"token": f"{link['token']}x"}).status_code == 404
    assert owner.redeem({"token": services.tokens.for_link(UUID(int=7))}).status_code == 404
    assert owner.redeem(link, key="k-1").status_code == 201
    assert owner.redeem(link, key="k-1").status_code == 201
    assert owner.revoke(link).status_code == 409
    assert owner.replace(link).status_code == 409
    assert stored(services) == 0


def test_opening_a_link_is_no_attempt(invitee: InviteeBrowser, services: Services) -> None:
    invitee.owner.book(invitee.link)
    invitee.owner.catch_up()
    for path in (invitee.path, f"/api/v1/booking-links/{invitee.link['token']}"):
        assert invitee.browser.get(path).status_code == 410
        assert invitee.browser.head(path).status_code == 410
    assert stored(services) == 0


def test_the_booking_page_records_attempts_like_the_api(
    invitee: InviteeBrowser, services: Services
) -> None:
    form = invitee.form()
    rival = invitee.owner.new_link(invitee.link["calendar_id"])
    invitee.owner.book(rival)
    assert invitee.post(form).status_code == 409
    assert reasons(invitee.owner, invitee.link) == ["slot-taken"]
    invitee.owner.book(invitee.link, TEN)
    assert invitee.post(form).status_code == 410
    invitee.owner.catch_up()
    assert invitee.post(form | {"email": ""}).status_code == 410
    assert reasons(invitee.owner, invitee.link) == ["link-redeemed"] * 2 + ["slot-taken"]


def test_coming_back_to_ones_own_booking_is_no_attempt(
    invitee: InviteeBrowser, services: Services
) -> None:
    form = invitee.form()
    for _ in range(2):
        assert invitee.post(form).status_code == 303
    assert invitee.elsewhere().post(form | {"name": "Augusta"}).status_code == 303
    assert stored(services) == 0


def test_all_losers_of_a_race_are_recorded(owner: Owner, services: Services) -> None:
    link = owner.new_link()
    answers = at_once([lambda: owner.redeem(link).status_code] * 40)
    assert sorted(answers) == [201] + [410] * 39
    assert reasons(owner, link) == ["link-redeemed"] * 39


def test_only_the_owner_can_read_attempts(
    owner: Owner, new_owner: Callable[..., Owner], services: Services
) -> None:
    link = owner.new_link()
    owner.book(link)
    said = owner.redeem(link).get_data(as_text=True)
    assert owner.redeem(link).get_data(as_text=True) == said
    other = new_owner("Oscar Other")
    assert refusal(other.get(f"/links/{link['id']}/refused-attempts")) == (404, "not-found")


@pytest.mark.parametrize("error", [Unavailable, psycopg.errors.InsufficientPrivilege])
def test_an_attempt_that_cannot_be_recorded_changes_no_answer(
    owner: Owner,
    services: Services,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: type[Exception],
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error(ELSEWHERE)

    link = owner.new_link()
    owner.book(link)
    expected = owner.redeem(link)
    monkeypatch.setattr(services.refused_attempts, "record", fail)
    answer = owner.redeem(link)
    assert (answer.status_code, answer.data) == (410, expected.data)
    (line,) = [each for each in caplog.records if each.name == "interface.web.redemption"]
    assert line.levelno == logging.WARNING
    monkeypatch.undo()
    assert reasons(owner, link) == ["link-redeemed"]


def test_a_locked_table_of_attempts_delays_no_answer_for_long(owner: Owner, conninfo: str) -> None:
    link = owner.new_link()
    owner.book(link)
    with psycopg.connect(conninfo) as conn:
        conn.execute("LOCK TABLE refused_attempts IN EXCLUSIVE MODE")
        assert refusal(owner.redeem(link)) == (410, "link-redeemed")


def test_no_address_is_stored_or_logged(
    owner: Owner, conninfo: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    link = owner.new_link()
    owner.book(link)
    assert try_from(owner.client, ELSEWHERE, link).status_code == 410
    tables = query(conninfo, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    dump = "\n".join(rows_of(conninfo, table) for (table,) in tables)
    assert str(UUID(link["id"])) in dump
    for text in (ELSEWHERE, ELSEWHERE.encode().hex()):
        assert text not in dump
        assert text not in caplog.text


def test_the_owners_page_lists_attempts(person: SignedIn, owner: Owner, clock: Clock) -> None:
    calendar = owner.new_calendar()
    rival, link = owner.new_link(calendar), owner.new_link(calendar)
    owner.book(rival)
    owner.redeem(link)
    owner.book(link, TEN)
    for address in (ELSEWHERE, "192.0.2.1", ELSEWHERE):
        clock.advance(minutes=10)
        assert try_from(owner.client, address, link).status_code == 410
    page = words(person.get(f"/links/{link['id']}"))
    assert (
        "One attempt to book a time that had just been taken"
        " Nov 23, 2026, 8:00 AM, from one IP address"
    ) in page
    assert (
        "3 more attempts to book after the link was used"
        " last on Nov 23, 2026, 8:30 AM, from 2 IP addresses"
    ) in page
    german = words(person.get(f"/links/{link['id']}", headers={"Accept-Language": "de"}))
    assert "Noch 3 Buchungsversuche, nachdem der Link benutzt war" in german
    assert "latest 100" not in page


def test_the_owners_page_says_that_there_may_have_been_more(
    person: SignedIn, owner: Owner, services: Services
) -> None:
    link = owner.new_link()
    for reason in ("link-expired", "link-revoked", "slot-not-offered", "idempotency-mismatch") * 25:
        services.refused_attempts.record(UUID(link["id"]), reason=reason, address="", now=NOW)
    page = words(person.get(f"/links/{link['id']}"))
    for sentence in (
        "25 attempts to book after the link expired",
        "25 attempts to book after the link was revoked",
        "25 attempts to book a time that isn't offered",
        "Booking repeated 25 times with different details",
        "Only the latest 100 refused attempts are stored.",
    ):
        assert sentence in page


def test_attempts_are_deleted_after_the_set_number_of_days(
    services: Services, owner: Owner, clock: Clock
) -> None:
    link = owner.new_link(expires_in_days=200)
    owner.book(link)
    owner.redeem(link)
    clock.advance(minutes=1)
    owner.redeem(link)
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
