"""The refusals of the API: authentication, scopes, unknown addresses, our own errors."""

import importlib
import pkgutil
from typing import Any

import pytest
from flask import Flask
from psycopg.sql import SQL, Identifier

import application
import domain
import interface
import projections
from application.commands.calendars import CalendarCommands
from application.commands.redemption import RedemptionCommands
from application.deliveries.deliveries import DeliveryNotFound, DeliveryOver
from application.eventstore import deadline
from application.eventstore.database import DiskFull
from application.outgoing import AddressNotAllowed
from application.people.api_keys import ApiKeys
from application.people.rate_limits import TooManyAttempts
from application.people.recent_callers import Caller
from application.people.roles import ALL_SCOPES
from domain import errors
from domain.errors import AdmitOneError
from interface.bootstrap import Services
from interface.web import problems
from projections.catalogue import ViewNotFound
from projections.rebuild.jobs import RebuildNotFound, RebuildRunning
from projections.views import booking_calendar, calendar_list, link_list
from tests.interface.routes import ANY_KEY, METHODS, PUBLIC, guarded, routes
from tests.support.clock import Clock
from tests.support.examples import NOW, calendar_json
from tests.support.http_desk import from_another_address, refusal
from tests.support.owner import Owner
from tests.support.stored_rows import recorded


def subclasses(kind: type[AdmitOneError]) -> list[type[AdmitOneError]]:
    return [kind, *(leaf for child in kind.__subclasses__() for leaf in subclasses(child))]


NEVER_OVER_HTTP = {
    # Families, never raised themselves.
    "domain.errors.AdmitOneError",
    "domain.errors.LinkEnded",
    "domain.errors.SlotRefused",
    "domain.errors.ChangeRefused",
    # Told at the field of a form that asks for the password.
    "application.people.authentication.WrongPassword",
    # Told about the field of an address, or stored with what could not be read.
    "application.outgoing.CertificateRefused",
    "application.outgoing.HostNotFound",
    "application.outgoing.RequestFailed",
    "application.outgoing.TooLarge",
    "application.outgoing.TooManyRedirects",
    "application.outgoing.TooSlow",
    # Stored with what could not be sent.
    "application.webhooks.secrets.SecretUnreadable",
    # Told to operators when the service or a command starts.
    "interface.bootstrap.DatabaseTooOld",
    "interface.cli.mail.NoMailServer",
    "interface.bootstrap.TransactionPooling",
    "interface.bootstrap.SchemaMissing",
    "interface.key_store.KeyMissing",
    "interface.runtime.command_database.DatabaseRefused",
    "interface.runtime.postgres_binaries.AlreadyRuns",
    "interface.runtime.postgres_binaries.EmbeddedPostgresError",
    "interface.runtime.supervisor.AddressInUse",
    # Told by commands, or in the log of the projector.
    "application.backup.BackupUnusable",
    "interface.cli.audit.Unproved",
    "interface.cli.files.NotWritten",
    "interface.cli.witness.WitnessUnusable",
    "interface.key_store.KeyInUse",
    "interface.key_store.KeysAreSettings",
    "interface.reapplied_erasures.ListDamaged",
    "projections.evidence.checkpoint_repair.CheckpointsUnusable",
    "projections.evidence.checkpoint_repair.NotAsSigned",
    "projections.evidence.checkpoint_signing.HistoryChanged",
    "projections.evidence.checkpoint_store.CheckpointConflict",
    "projections.rebuild.rebuild.SwitchRefused",
}


def test_every_refusal_has_a_problem_or_never_reaches_http() -> None:
    for folder in (domain, application, projections, interface):
        for module in pkgutil.walk_packages(folder.__path__, f"{folder.__name__}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    without = set()
    for kind in subclasses(AdmitOneError):
        if kind.__module__.startswith("tests."):
            continue
        for owner in (True, False):
            try:
                status, slug, sentence = problems.problem_of(kind, owner=owner)
            except LookupError:
                without.add(f"{kind.__module__}.{kind.__qualname__}")
            else:
                assert 400 <= status < 500 or status == 503, kind
                assert slug
                assert sentence.endswith("."), kind
    assert without == NEVER_OVER_HTTP


@pytest.mark.parametrize(
    ("kind", "owner", "answer"),
    [
        (errors.CalendarNotFound, True, (404, "not-found")),
        (errors.LinkNotFound, True, (404, "not-found")),
        (errors.BookingNotFound, True, (404, "not-found")),
        (errors.LinkNotFound, False, (404, "link-not-found")),
        (errors.LinkRedeemed, True, (409, "link-redeemed")),
        (errors.LinkRedeemed, False, (410, "link-redeemed")),
        (errors.LinkRevoked, True, (409, "link-revoked")),
        (errors.LinkRevoked, False, (410, "link-revoked")),
        (errors.LinkExpired, False, (410, "link-expired")),
        (errors.SlotTaken, False, (409, "slot-taken")),
        (errors.SlotNotOffered, False, (422, "slot-not-offered")),
        (errors.CalendarArchived, True, (409, "calendar-archived")),
        (errors.BookingCancelled, True, (409, "booking-cancelled")),
        (errors.BookingNotFound, False, (404, "not-found")),
        (errors.InviteeForgotten, True, (409, "invitee-forgotten")),
        (errors.TooLate, False, (409, "too-late")),
        (errors.RescheduleLimitReached, False, (409, "reschedule-limit")),
        (errors.StaleVersion, True, (412, "stale-version")),
        (errors.IdempotencyMismatch, False, (422, "idempotency-mismatch")),
        (errors.Invalid, True, (422, "validation")),
        (errors.Busy, False, (503, "busy")),
        (errors.ViewBehind, True, (503, "view-behind")),
        (AddressNotAllowed, True, (422, "address-not-allowed")),
        (RebuildRunning, True, (409, "rebuild-running")),
        (DeliveryOver, True, (409, "delivery-over")),
        (DeliveryNotFound, True, (404, "not-found")),
        (RebuildNotFound, True, (404, "not-found")),
        (ViewNotFound, True, (404, "not-found")),
        (TooManyAttempts, False, (429, "too-many-requests")),
        (problems.PreconditionRequired, True, (428, "precondition-required")),
        (problems.Malformed, True, (400, "malformed")),
        (problems.Unauthorized, True, (401, "unauthorized")),
        (problems.Forbidden, True, (403, "forbidden")),
    ],
)
def test_a_refusal_has_the_status_and_name_of_the_contract(
    kind: type[AdmitOneError], owner: bool, answer: tuple[int, str]
) -> None:
    assert problems.problem_of(kind, owner=owner)[:2] == answer


def test_every_call_demands_a_scope_or_is_known_to_be_public(app: Flask) -> None:
    calls = list(routes(app))
    assert {route.endpoint for route in calls if route.scope is None} == PUBLIC
    assert {route.scope for route in guarded(app)} == {*ALL_SCOPES, ANY_KEY}


def test_without_a_good_key_nobody_gets_in(
    app: Flask, owner: Owner, services: Services, clock: Clock
) -> None:
    revoked = services.api_keys.create(owner.account, name="revoked", now=NOW)
    services.api_keys.revoke(revoked.split("_")[1], now=clock())
    before = recorded(services)
    guesses = (
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer garbage",
        "Bearer ao_",
        "Bearer ao__",
        f"Bearer {owner.key[:-1]}",
        f"Bearer {owner.key}x",
        f"Bearer {owner.key.upper()}",
        f"Bearer {revoked}",
        f"Basic {owner.key}",
        owner.key,
        "Bearer é",
        "Bearer " + "a" * 5000,
    )
    for authorization in guesses:
        headers = {} if authorization is None else {"Authorization": authorization}
        for route in guarded(app):  # more of them than wrong keys from one address are heard
            answer = owner.client.open(
                route.path,
                method=route.method,
                headers=headers,
                environ_base=from_another_address(),
            )
            assert refusal(answer) == (401, "unauthorized"), (route, authorization)
            assert answer.headers["WWW-Authenticate"] == 'Bearer realm="Admit One"'
    assert recorded(services) == before


def test_a_key_opens_only_what_its_scopes_name(
    app: Flask, owner: Owner, services: Services
) -> None:
    for scope in owner.account.scopes:
        key = services.api_keys.create(owner.account, name=scope, scopes=[scope], now=NOW)
        for route in guarded(app):
            headers = {"Authorization": f"bearer  {key} "}
            answer = owner.client.open(route.path, method=route.method, headers=headers)
            if route.scope in (scope, ANY_KEY):
                assert answer.status_code not in (401, 403), route
            else:
                assert refusal(answer) == (403, "forbidden"), route
                text = answer.get_data(as_text=True)
                assert f"lacks the scope {route.scope}." in text


def test_authentication_comes_before_the_body_is_read(app: Flask, owner: Owner) -> None:
    for body in (b"{", b"x" * (64 * 1024 + 1)):
        for route in guarded(app):
            answer = owner.client.open(route.path, method=route.method, data=body)
            assert refusal(answer) == (401, "unauthorized"), route


def test_a_wrong_method_is_answered_with_the_allowed_ones(app: Flask, owner: Owner) -> None:
    allowed: dict[str, set[str]] = {}
    for route in routes(app):
        allowed.setdefault(route.rule, set()).add(route.method)
    for route in routes(app):
        for method in set(METHODS) - allowed[route.rule]:
            answer = owner.client.open(route.path, method=method, headers=owner.headers)
            assert refusal(answer) == (405, "method-not-allowed"), (method, route)
            allowed_methods = set(answer.headers["Allow"].split(", "))
            assert allowed_methods - {"HEAD", "OPTIONS"} == allowed[route.rule]


def test_options_lists_the_methods_without_authentication(app: Flask, owner: Owner) -> None:
    for route in routes(app):
        answer = owner.client.options(route.path)
        assert answer.status_code == 200
        assert route.method in answer.headers["Allow"]


def test_head_answers_as_get_does_without_the_body(owner: Owner) -> None:
    link = owner.new_link()
    owner.catch_up()
    for path in (
        f"/calendars/{link['calendar_id']}",
        "/calendars",
        "/links",
        f"/links/{link['id']}",
        "/bookings",
        f"/booking-links/{link['token']}",
        f"/booking-links/{link['token']}/slots",
    ):
        headers = owner.headers | {"X-Request-Id": "one-and-the-same"}
        get = owner.client.get(f"/api/v1{path}", headers=headers)
        head = owner.client.head(f"/api/v1{path}", headers=headers)
        assert (head.status_code, head.data) == (get.status_code, b"") == (200, b"")
        assert head.headers == get.headers


def test_reading_changes_nothing(app: Flask, owner: Owner, services: Services) -> None:
    link = owner.new_link(recipient="Ada")
    owner.redeem(link)
    owner.catch_up()

    def everything() -> list[Any]:
        tables = ("stored_events", "personal_data", "accounts", "projection_positions")
        views = (link_list.NAME, booking_calendar.NAME, calendar_list.NAME)
        select = SQL("SELECT * FROM {} ORDER BY 1")
        return [
            services.database.fetch_all(select.format(Identifier(name)))
            for name in (*tables, *views)
        ]

    before = everything()
    paths = [route.path for route in routes(app) if route.method == "GET"]
    paths += [f"/api/v1/booking-links/{link['token']}", f"/api/v1/links/{link['id']}"]
    for path in paths:
        for method in ("GET", "HEAD", "OPTIONS"):
            owner.client.open(path, method=method, headers=owner.headers)
    assert everything() == before


def test_an_unknown_address_is_not_found(owner: Owner) -> None:
    for path in (
        "/api/v1",
        "/api/v1/",
        "/api/v1/nothing",
        "/api/v1/links/",
        "/api/v1//links",
        "/api/v1/links/not-a-uuid",
        "/api/v1/links/%00",
        "/api/v1/links/..%2F..%2Fetc%2Fpasswd",
        "/api/v1/calendars/123",
        "/api/v1/booking-links/",
        "/api/v1/booking-links/a/b/c",
        "/api/v2/links",
    ):
        for method in METHODS:
            answer = owner.client.open(path, method=method, headers=owner.headers)
            assert refusal(answer) == (404, "not-found"), path


@pytest.mark.parametrize(
    ("kind", "slug"),
    [
        (errors.Busy, "busy"),
        (errors.ViewBehind, "view-behind"),
        (errors.Unavailable, "unavailable"),
        (DiskFull, "unavailable"),
    ],
)
def test_a_503_says_when_to_try_again(
    owner: Owner, monkeypatch: pytest.MonkeyPatch, kind: type[AdmitOneError], slug: str
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise kind

    monkeypatch.setattr(RedemptionCommands, "redeem", refuse)
    link = owner.new_link()
    answer = owner.redeem(link)
    assert refusal(answer) == (503, slug)
    assert answer.headers["Retry-After"] == "1"


def test_an_unexpected_error_is_a_problem_without_internals(
    owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("an inner matter")

    monkeypatch.setattr(CalendarCommands, "create", fail)
    answer = owner.post("/calendars", calendar_json())
    assert refusal(answer) == (500, "internal")
    assert "inner matter" not in answer.get_data(as_text=True)


def test_all_that_a_request_does_shares_one_deadline(
    owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    time = [0.0]
    left: list[float] = []

    def slowly(*_: Any, **__: Any) -> Caller:
        time[0] += 4
        return Caller(owner.account.id, frozenset(owner.account.scopes), "key:slow")

    def create(*_: Any, **__: Any) -> None:
        with deadline.deadline():
            left.append(deadline.seconds_left())
        raise errors.Unavailable

    monkeypatch.setattr(deadline, "monotonic", lambda: time[0])
    monkeypatch.setattr(ApiKeys, "caller", slowly)
    monkeypatch.setattr(CalendarCommands, "create", create)
    assert refusal(owner.post("/calendars", calendar_json())) == (503, "unavailable")
    assert left == [deadline.REQUEST_SECONDS - 4]
