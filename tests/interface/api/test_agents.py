"""Keys that assistants act with: what they do is told apart, and what they issue is limited."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask

from application.commands.agent_limits import DAY, UNANSWERED, AgentLimitReached, TooManyOpenLinks
from application.eventstore.recorder import Unconfirmed
from domain.errors import AdmitOneError, IdempotencyMismatch, LinkNotFound
from interface.bootstrap import Services
from tests.support.clock import Clock
from tests.support.examples import NOW
from tests.support.http_desk import refusal
from tests.support.owner import Owner


@pytest.fixture
def assistant(owner: Owner, app: Flask, services: Services, catch_up: Callable[[], None]) -> Owner:
    """Acts for the owner, and issues two links a day."""
    key = services.api_keys.create(
        owner.account, name="Assistant", now=NOW, is_agent=True, links_a_day=2
    )
    return Owner(owner.account, key, app.test_client(), catch_up)


@pytest.fixture
def careful(owner: Owner, app: Flask, services: Services, catch_up: Callable[[], None]) -> Owner:
    """Acts for the owner, and has two open links at most."""
    key = services.api_keys.create(
        owner.account, name="Careful", now=NOW, is_agent=True, links_at_once=2
    )
    return Owner(owner.account, key, app.test_client(), catch_up)


def test_events_and_logs_tell_an_assistant_from_everybody_else(
    owner: Owner, assistant: Owner, auditor: Owner, services: Services
) -> None:
    prefix = assistant.key.split("_")[1]
    link = assistant.new_link(owner.new_calendar())
    history = auditor.get(f"/audit/links/{link['id']}").json
    assert [event["actor"] for event in history["events"]] == [f"agent:{prefix}"]
    found = auditor.get(f"/audit/events?actor=agent:{prefix}").json["items"]
    assert [event["type"] for event in found] == ["link.issued"]
    created = services.security_log.newest(limit=9, kind="key.created")
    details = next(entry.details for entry in created if entry.details["key"] == prefix)
    assert (details["for"], details["links_a_day"]) == ("agent", "2")
    read = assistant.get("/key").json
    assert read == {
        "account": {"id": str(owner.account.id), "name": "Olivia Owner"},
        "scopes": ["bookings", "calendars", "links"],
        "actor": f"agent:{prefix}",
        "is_agent": True,
        "links_a_day": 2,
        "links_at_once": None,
    }
    assert owner.get("/key").json["actor"].startswith("key:")


def test_an_assistant_issues_no_more_links_a_day_than_its_key_allows(
    owner: Owner, assistant: Owner, clock: Clock
) -> None:
    calendar_id = owner.new_calendar()
    path = f"/calendars/{calendar_id}/links"
    same = {"Idempotency-Key": "k-1"}
    first = assistant.post(path, {}, **same).json
    assert refusal(assistant.post(f"{path}/batch", {"links": [{}, {}]})) == (429, "agent-limit")
    # What is refused for another reason takes nothing of the limit.
    assert assistant.post(path, {"expires_in_days": 0}).status_code == 422
    assert assistant.post(path, {"offer": {"slots": ["2026-11-24T03:00:00Z"]}}).status_code == 422
    assistant.revoke(assistant.new_link(calendar_id))
    assert refusal(assistant.post(path)) == (429, "agent-limit")
    assert refusal(assistant.replace(first)) == (429, "agent-limit")
    # A repeat is no further link; nor is the owner limited.
    assert assistant.post(path, {}, **same).json["id"] == first["id"]
    assert owner.post(path).status_code == 201
    clock.time += DAY
    assert assistant.post(path).status_code == 201


@pytest.mark.parametrize(
    ("error", "left"), [(LinkNotFound, 2), (IdempotencyMismatch, 1), (Unconfirmed, 1)]
)
def test_requests_with_one_key_at_the_same_moment_exceed_no_limit(
    assistant: Owner, services: Services, error: type[AdmitOneError], left: int
) -> None:
    limits, caller = services.agent_limits, services.api_keys.caller(assistant.key, now=NOW)
    assert caller is not None

    def ask(links: int, request: str, then: Callable[[], None] = lambda: None) -> None:
        with limits.issuing(caller, links, request=request, now=NOW):
            then()

    def end_while_another_asks() -> None:
        with pytest.raises(AgentLimitReached):
            ask(2, "k-1")  # this one may be the one that wins
        raise error

    with pytest.raises(error):
        ask(1, "k-1", end_while_another_asks)
    ask(left, "k-2")
    with pytest.raises(AgentLimitReached):
        ask(1, "k-3")


def test_a_refused_request_leaves_what_its_repeat_takes_of_the_limit(
    assistant: Owner, services: Services, clock: Clock
) -> None:
    limits, caller = services.agent_limits, services.api_keys.caller(assistant.key, now=NOW)
    assert caller is not None

    def ask(links: int, request: str) -> None:
        with limits.issuing(caller, links, request=request, now=clock.time):
            pass

    with (  # noqa: PT012 - one is inside of the other
        pytest.raises(LinkNotFound),
        limits.issuing(caller, 2, request="k-1", now=NOW),
    ):
        ask(2, "k-1")  # at the same moment, and answered with two links
        raise LinkNotFound
    with pytest.raises(AgentLimitReached):
        ask(1, "k-2")
    # Repeating it once more does not make it count for longer.
    clock.time += DAY / 2
    ask(2, "k-1")
    clock.time += DAY / 2
    ask(2, "k-2")


TOO_MANY = (429, "too-many-open-links")


def test_a_link_that_is_used_revoked_or_expired_makes_room_for_another_one(
    owner: Owner, careful: Owner, clock: Clock
) -> None:
    calendar_id = owner.new_calendar()
    path = f"/calendars/{calendar_id}/links"
    assert refusal(careful.post(f"{path}/batch", {"links": [{}, {}, {}]})) == TOO_MANY
    # What is refused for another reason leaves nothing behind.
    assert careful.post(path, {"expires_in_days": 0}).status_code == 422
    assert careful.post(path, {"offer": {"slots": ["2026-11-24T03:00:00Z"]}}).status_code == 422
    same = {"Idempotency-Key": "k-1"}
    used = careful.post(path, {}, **same).json
    revoked = careful.new_link(calendar_id)
    refused = careful.post(path)
    assert refusal(refused) == TOO_MANY
    assert "must be used, revoked or expired" in refused.json["detail"]
    assert owner.post(path).status_code == 201
    owner.book(used)
    careful.revoke(revoked)
    brief, replaced = (careful.new_link(calendar_id, expires_in_days=days) for days in (1, 9))
    assert refusal(careful.post(path)) == TOO_MANY
    # A repeat is no further link; nor is the new link where one is replaced.
    assert careful.post(path, {}, **same).json["id"] == used["id"]
    for _ in range(3):
        replaced = careful.replace(replaced).json
    assert refusal(careful.post(path)) == TOO_MANY
    clock.time += DAY
    assert careful.post(path).status_code == 201
    assert refusal(careful.replace(brief)) == TOO_MANY  # it has expired, so it makes no room
    assert careful.get("/key").json["links_at_once"] == 2


def test_twenty_requests_at_the_same_moment_open_no_more_links_than_the_key_allows(
    owner: Owner, careful: Owner, app: Flask
) -> None:
    path = f"/calendars/{owner.new_calendar()}/links"

    def ask(place: int) -> int:
        # Some repeat others, and some are refused by what they ask for.
        body = {"offer": {"slots": ["2026-11-24T03:00:00Z"]}} if place % 5 == 0 else {}
        headers = careful.headers | {"Idempotency-Key": f"k-{place % 12}"}
        return app.test_client().post(f"/api/v1{path}", json=body, headers=headers).status_code

    with ThreadPoolExecutor(20) as threads:
        statuses = list(threads.map(ask, range(20)))
    assert set(statuses) <= {201, 422, 429}
    opened = len(owner.get("/links?status=active").json["items"])
    assert opened <= 2
    for _ in range(2 - opened):  # nothing is left of those that were refused
        assert careful.post(path).status_code == 201
    assert refusal(careful.post(path)) == TOO_MANY


def test_a_link_that_may_have_been_issued_counts_until_no_request_can_issue_it_any_more(
    careful: Owner, services: Services
) -> None:
    limits, caller = services.agent_limits, services.api_keys.caller(careful.key, now=NOW)
    assert caller is not None
    with pytest.raises(Unconfirmed), limits.issuing(caller, 2, request="k-1", now=NOW):
        raise Unconfirmed
    with limits.issuing(caller, 2, request="k-1", now=NOW):
        pass  # it is repeated
    with pytest.raises(TooManyOpenLinks), limits.issuing(caller, 1, request="k-2", now=NOW):
        pass
    with limits.issuing(caller, 2, request="k-2", now=NOW + UNANSWERED):
        pass
