"""Every route of the service, and who may call it: whoever adds one has to say so here."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from flask import Flask
from werkzeug.routing import Rule

from application.calendar_feeds import FeedDetail
from application.people.roles import ALL_SCOPES, ROLES
from interface.bootstrap import Services
from tests.support.authenticator import Authenticator
from tests.support.examples import NOW, SCHEDULE_JSON
from tests.support.http_desk import unknown_id
from tests.support.owner import Owner
from tests.support.signed_in_browser import SignedIn
from tests.support.webhook_receiver import new_webhook

EVERYBODY, TOKEN, SIGNED_IN = "everybody", "whoever has the token", "signed in"
ANY_KEY = "whoever has a key"

# By route, or by the group of routes that it belongs to: a role for pages, a scope for the API.
RULES = {
    "static": EVERYBODY,
    "health": EVERYBODY,
    "metrics": EVERYBODY,  # but only at this machine, or with a token of its own
    "api-docs": EVERYBODY,
    "help_pages": EVERYBODY,
    "home": EVERYBODY,
    "sign_in": EVERYBODY,
    "llms_text": EVERYBODY,
    "identity_provider": EVERYBODY,
    "identity_provider.confirm": SIGNED_IN,
    "identity_provider.connect": SIGNED_IN,
    "identity_provider.disconnect": SIGNED_IN,
    "account": SIGNED_IN,
    "settings_pages": SIGNED_IN,
    "settings_pages.connections": "owner",
    "settings_pages.change_notifications": "owner",
    "confirmation": SIGNED_IN,
    "passkeys": SIGNED_IN,
    "booking_page": TOKEN,
    "booking_confirmation": TOKEN,
    "manage_booking": TOKEN,
    "booking-links": TOKEN,
    "manage": TOKEN,
    "feeds.subscribe": TOKEN,
    "booking_changes": "owner",
    "blocked_time_pages": "owner",
    "bookings_pages": "owner",
    "busy_calendars_pages": "owner",
    "calendar_feeds_pages": "owner",
    "calendars_pages": "owner",
    "erasure": "owner",
    "first_link": "owner",
    "invitee_preview": "owner",
    "link_requests": "owner",
    "links_pages": "owner",
    "schedules_pages": "owner",
    "share_batch": "owner",
    "share_link": "owner",
    "webhooks_pages": "owner",
    "audit_pages": "auditor",
    "checkpoint_pages": "auditor",
    "history_pages": "auditor",
    "security_pages": "auditor",
    "single_use_pages": "auditor",
    "operations": "operator",
    "accounts_pages": "admin",
    "audit": "audit",
    "key": ANY_KEY,
    "bookings": "bookings",
    "deliveries": "bookings",
    "feeds": "bookings",
    "webhooks": "bookings",
    "calendars": "calendars",
    "schedules": "calendars",
    "busy-calendars": "calendars",
    "links": "links",
    "link-requests": "links",
    "projections": "projections",
}
NO_ACCESS = "Your account doesn&#39;t have access to this page."
MARK = "Bob told nobody"
# What is refused before it is looked for: no body, no version.
REFUSED_UNREAD = {415, 422, 428}


class Call(NamedTuple):
    """A method of a route, with its rule."""

    method: str
    endpoint: str
    path: str
    rule: str
    has_ids: bool


def rule_of(endpoint: str) -> str | None:
    return RULES.get(endpoint) or RULES.get(endpoint.partition(".")[0])


@pytest.fixture
def ids(new_owner: Callable[..., Owner], services: Services) -> dict[str, str]:
    """What Bob has, by the names that routes use for its ids."""
    bob = new_owner("Bob Owner")
    link = bob.new_link(recipient=MARK, note=MARK)
    other = bob.new_link(recipient=MARK)
    webhook = new_webhook(services, bob.account.id, "https://93.184.216.34/hook")
    feed = services.calendar_feeds.create(
        owner_id=bob.account.id, calendar_id=None, detail=FeedDetail("busy"), now=NOW
    )
    schedule = bob.post("/schedules", SCHEDULE_JSON | {"name": MARK}).json
    session = services.sessions.start(bob.account, now=NOW)
    booking = bob.book(link)["booking_id"]
    made = Authenticator().make(services.passkeys.begin_to_add(bob.account, now=NOW))
    passkey = services.passkeys.add(bob.account, made, name=MARK, now=NOW)
    return {
        "account_id": str(bob.account.id),
        "owner_id": str(bob.account.id),
        "aggregate_id": link["id"],
        "link_id": link["id"],
        "first_id": link["id"],
        "last_id": other["id"],
        "calendar_id": link["calendar_id"],
        "booking_id": booking,
        "schedule_id": schedule["id"],
        "webhook_id": str(webhook.id),
        "feed_id": str(feed.id),
        "passkey_id": str(passkey.id),
        "session_id": str(session.id),
        "prefix": bob.key.split("_")[1],
        "delivery_id": unknown_id(),
        "rebuild_id": unknown_id(),
        "name": "no-view",
        "day": "2099-12-31",
        "position": "4000000000",
        "token": "x",
        "filename": "app.css",
    }


@pytest.fixture
def calls(app: Flask, ids: dict[str, str]) -> list[Call]:
    """Every method of every route, at what Bob has; those that end sessions come last."""
    ending = ("account.sign_out_everywhere", "sign_in.sign_out")
    return sorted(_calls(app, ids), key=lambda call: call.endpoint in ending)


def _calls(app: Flask, ids: dict[str, str]) -> Iterator[Call]:
    for rule in app.url_map.iter_rules():
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            found = rule_of(rule.endpoint)
            assert found is not None, f"say in RULES who may call {rule.endpoint}"
            yield Call(method, rule.endpoint, _path(app, rule, ids), found, bool(rule.arguments))


def _path(app: Flask, rule: Rule, ids: dict[str, str]) -> str:
    values: dict[str, Any] = {}
    for name in rule.arguments:
        converter = type(rule._converters[name]).__name__
        is_uuid, is_int = converter == "UUIDConverter", converter == "IntegerConverter"
        values[name] = UUID(ids[name]) if is_uuid else int(ids[name]) if is_int else ids[name]
    with app.test_request_context():
        _, path = rule.build(values) or ("", "")
    return path


def of_bob(services: Services, ids: dict[str, str]) -> list[str]:
    """All that the database has of Bob, but not what was told about it."""
    rows: list[str] = []
    for query in (
        "SELECT t::text FROM accounts t WHERE id = %(owner_id)s",
        "SELECT t::text FROM api_keys t WHERE account_id = %(owner_id)s",
        "SELECT t::text FROM sessions t WHERE account_id = %(owner_id)s",
        "SELECT t::text FROM webhooks t WHERE owner_id = %(owner_id)s",
        "SELECT t::text FROM calendar_feeds t WHERE owner_id = %(owner_id)s",
        """SELECT t::text FROM stored_events t WHERE originator_id
            IN (%(link_id)s, %(last_id)s, %(calendar_id)s, %(booking_id)s, %(schedule_id)s)""",
        "SELECT t::text FROM personal_data t WHERE originator_id IN (%(link_id)s, %(booking_id)s)",
    ):
        rows += sorted(row["t"] for row in services.database.fetch_all(query, ids))
    assert any(MARK in row for row in rows)
    return rows


def test_every_rule_is_of_a_route(app: Flask) -> None:
    endpoints = {rule.endpoint for rule in app.url_map.iter_rules()}
    assert set(RULES) <= endpoints | {endpoint.partition(".")[0] for endpoint in endpoints}


def test_pages_are_for_their_role_and_for_admins_and_show_nothing_of_another_owner(
    calls: list[Call],
    app: Flask,
    sign_in_as: Callable[..., SignedIn],
    services: Services,
    ids: dict[str, str],
) -> None:
    before = of_bob(services, ids)
    pages = [call for call in calls if call.rule in (*ROLES, SIGNED_IN)]
    people = {role: sign_in_as(role) for role in ROLES if role != "admin"}
    nobody = app.test_client()
    for call in pages:
        answer = nobody.open(call.path, method=call.method)
        assert answer.status_code in (302, 403), call
        for role, person in people.items():
            answer = person.client.open(
                call.path, method=call.method, data={"form_token": person.form_token}
            )
            page = answer.get_data(as_text=True)
            assert (NO_ACCESS in page) == (call.rule not in (role, SIGNED_IN)), (role, call)
            if role == "owner":
                assert MARK not in page, call
                assert not call.has_ids or answer.status_code in (403, 404, 422), (call, answer)
    assert of_bob(services, ids) == before


def test_an_admin_may_open_every_page_and_sees_nothing_of_an_owner_on_owners_pages(
    calls: list[Call], sign_in_as: Callable[..., SignedIn]
) -> None:
    admin = sign_in_as("admin")
    for call in calls:
        if call.rule in (*ROLES, SIGNED_IN) and call.method == "GET":
            page = admin.client.get(call.path).get_data(as_text=True)
            assert NO_ACCESS not in page, call
            assert call.rule != "owner" or MARK not in page, call


def test_the_api_is_for_keys_with_the_scope_of_each_call_and_shows_nothing_of_another_owner(
    calls: list[Call],
    new_owner: Callable[..., Owner],
    services: Services,
    ids: dict[str, str],
) -> None:
    admin = new_owner("Alice Admin", roles=("admin",))
    before = of_bob(services, ids)
    keys = {
        scope: services.api_keys.create(admin.account, name="", scopes=[scope], now=NOW)
        for scope in ALL_SCOPES
    }
    for call in (call for call in calls if call.rule in ALL_SCOPES):
        assert admin.client.open(call.path, method=call.method).status_code == 401, call
        for scope, key in keys.items():
            headers = {"Authorization": f"Bearer {key}"}
            answer = admin.client.open(call.path, method=call.method, headers=headers)
            assert (answer.status_code == 403) == (scope != call.rule), (scope, call, answer)
            if scope == call.rule != "audit":
                assert MARK not in answer.get_data(as_text=True), call
                refused = {404, *REFUSED_UNREAD}
                assert not call.has_ids or answer.status_code in refused, (call, answer)
    assert of_bob(services, ids) == before


def test_who_has_no_token_gets_nothing_from_routes_for_tokens(
    calls: list[Call], app: Flask
) -> None:
    for call in (call for call in calls if call.rule == TOKEN):
        answer = app.test_client().open(call.path, method=call.method)
        assert answer.status_code in {404, 410, *REFUSED_UNREAD}, (call, answer)
