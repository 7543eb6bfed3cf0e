"""Which addresses the service answers at: one public host, and the path below which it lives."""

import re
import socket
from collections.abc import Callable
from dataclasses import replace
from html import unescape
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urldefrag, urlsplit

import pytest
from flask import Flask
from icalendar import Calendar
from werkzeug.test import Client

from domain.errors import Unavailable
from interface.bootstrap import Services
from interface.pages.invitee import booking_page
from tests.support.examples import NOW, calendar_json, redeem_json
from tests.support.http_desk import refusal
from tests.support.owner import Owner
from tests.support.service import Service

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

ROOT = "/book"
PUBLIC = f"https://example.org{ROOT}"
ADDRESS = re.compile(r'\b(?:href|src|action|formaction|hx-(?:get|post)|spec-url)="([^"]*)"')
PASSWORD = "correct horse battery"  # noqa: S105


def at(web_application: Callable[[Services], Flask], services: Services, public_url: str) -> Flask:
    """The application of an operator who has set that public address."""
    settings = replace(services.settings, public_url=public_url, public_url_is_set=True)
    return web_application(replace(services, settings=settings))


def removing_the_path(app: "WSGIApplication") -> "WSGIApplication":
    """A web server in front that removes the path."""
    return lambda environ, start_response: app(
        environ | {"PATH_INFO": environ["PATH_INFO"].removeprefix(ROOT)}, start_response
    )


class Visitor(Client):
    """A browser and a program in one, which knows the public address alone."""

    def open(self, *args: Any, **kwargs: Any) -> Any:
        assert args[0].startswith(ROOT), args
        headers = {"Origin": "https://example.org"} | kwargs.pop("headers", {})
        return super().open(*args, base_url="https://example.org", headers=headers, **kwargs)

    def get(self, *args: Any, **kwargs: Any) -> Any:
        return super().get(*args, **kwargs)

    def post(self, *args: Any, **kwargs: Any) -> Any:
        return super().post(*args, **kwargs)


@pytest.fixture(params=[True, False], ids=["path removed in front", "path kept"])
def visitor(
    web_application: Callable[[Services], Flask],
    services: Services,
    owner: Owner,
    request: pytest.FixtureRequest,
) -> Visitor:
    """Visits a service whose public address has a path."""
    app = at(web_application, services, PUBLIC)
    return Visitor(removing_the_path(app) if request.param else app, app.response_class)


def call(visitor: Visitor, owner: Owner, path: str, body: Any) -> Any:
    """What the owner's POST below /api/v1 answers."""
    answer = visitor.post(f"{ROOT}/api/v1{path}", json=body, headers=owner.headers)
    assert answer.status_code == 201, answer.text
    return answer


def signed_in(visitor: Visitor, owner: Owner, services: Services) -> None:
    """The owner uses the link that the command line prints."""
    settings = replace(services.settings, public_url=PUBLIC)
    url = replace(services, settings=settings).sign_in_url(owner.account)
    assert url.startswith(f"{PUBLIC}/sign-in/")
    assert visitor.post(url.removeprefix("https://example.org")).status_code == 303


def test_a_program_is_led_below_the_public_path(visitor: Visitor, owner: Owner) -> None:
    created = call(visitor, owner, "/calendars", calendar_json())
    assert created.headers["Location"].startswith(f"{ROOT}/api/v1/calendars/")
    owner.catch_up()
    read = visitor.get(created.headers["Location"], headers=owner.headers)
    assert read.json["id"] == created.json["id"]
    link = call(visitor, owner, f"/calendars/{created.json['id']}/links", {}).json
    assert link["url"] == f"{PUBLIC}/b/{link['token']}"
    path = f"{ROOT}/api/v1/booking-links/{link['token']}/redeem"
    booking = visitor.post(path, json=redeem_json("2026-11-24T09:00:00Z")).json
    assert booking["manage_url"].startswith(f"{PUBLIC}/m/")
    ics = visitor.get(booking["ics_url"].removeprefix("https://example.org"))
    (event,) = Calendar.from_ical(ics.data).walk("VEVENT")
    assert str(event["DESCRIPTION"]) == f"Your booking: {booking['manage_url']}"
    owner.catch_up()
    feed = call(visitor, owner, "/feeds", {"detail": "full"}).json["url"]
    assert feed.startswith(f"{PUBLIC}/api/v1/feeds/")
    (event,) = Calendar.from_ical(visitor.get(feed.removeprefix("https://example.org")).data).events
    assert event["URL"] == f"{PUBLIC}/bookings/{booking['booking_id']}"
    document = visitor.get(f"{ROOT}/api/openapi.json").json
    assert document["servers"] == [{"url": PUBLIC}]


def test_every_address_on_every_page_is_below_the_public_path(
    visitor: Visitor, services: Services, new_owner: Callable[..., Owner]
) -> None:
    admin = new_owner("Ada Admin", roles=("owner", "admin"))
    calendar = call(visitor, admin, "/calendars", calendar_json()).json["id"]
    links = [call(visitor, admin, f"/calendars/{calendar}/links", {}).json for _ in range(2)]
    path = f"{ROOT}/api/v1/booking-links/{links[1]['token']}/redeem"
    booking = visitor.post(path, json=redeem_json("2026-11-24T09:00:00Z")).json
    admin.catch_up()
    signed_in(visitor, admin, services)
    first = (links[0]["url"], booking["manage_url"], f"{PUBLIC}/api/docs", PUBLIC)
    waiting = [url.removeprefix("https://example.org") for url in first]
    seen: dict[str, str] = {}
    while waiting:
        path = waiting.pop()
        kind = re.sub(r"=[^&]*|[0-9a-f]{8}-[0-9a-f-]+", "", path)
        if kind in seen:
            continue
        seen[kind] = path
        waiting += own_addresses(visitor, path)
    routes = {urlsplit(kind).path for kind in seen}
    for route in ("audit", "operations", "account", "api/openapi.json", "static/app.css"):
        assert f"{ROOT}/{route}" in routes
    assert len(routes) > 25


def own_addresses(visitor: Visitor, path: str) -> list[str]:
    """The addresses of this service on a page, each below the public path."""
    answer = visitor.get(path)
    page, location = answer.text, answer.headers.get("Location")
    answer.close()
    assert answer.status_code in (200, 301, 302, 405), path  # 405: where a form is sent to
    addresses = ADDRESS.findall(page) if answer.mimetype == "text/html" else []
    own = [unescape(each) for each in [*addresses, *([location] if location else [])]]
    own = [each for each in own if each and not urlsplit(each).scheme and each[0] not in "#?"]
    assert [each for each in own if not f"{each}/".startswith(f"{ROOT}/")] == [], path
    return [urldefrag(each)[0] for each in own if not each.endswith("/sign-out")]


def test_people_sign_in_out_and_on_below_the_public_path(
    visitor: Visitor, services: Services, owner: Owner
) -> None:
    services.sessions.set_password(owner.account, PASSWORD, now=NOW)
    sent_away = visitor.get(f"{ROOT}/links?status=active")
    assert sent_away.headers["Location"] == f"{ROOT}/?next=/book/links?status%3Dactive"
    part = visitor.get(f"{ROOT}/links", headers={"HX-Request": "true"})
    assert part.headers["HX-Redirect"].startswith(f"{ROOT}/?")
    form = {"email": owner.account.email, "password": PASSWORD, "next": "/book/links?status=active"}
    answer = visitor.post(f"{ROOT}/", data=form)
    assert answer.headers["Location"] == "/book/links?status=active"
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Secure-admitone=")  # browsers hold __Host- to the path /
    assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/book"} <= set(cookie.split("; "))
    page = visitor.get("/book/links?status=active")
    assert "Sign out" in page.text
    (token,) = set(re.findall(r'name="form_token" value="(\w+)"', page.text))
    out = visitor.post(f"{ROOT}/sign-out", data={"form_token": token})
    assert (out.status_code, out.headers["Location"]) == (303, f"{ROOT}/")
    assert "Path=/book" in out.headers["Set-Cookie"].split("; ")
    assert "Sign out" not in visitor.get(ROOT).text


@pytest.mark.parametrize(
    "elsewhere", ["/", "/links", "/other/app", "/bookings", "/book/../other", "/book/%2e%2E/other"]
)
def test_nobody_is_sent_to_what_else_is_on_the_host(
    visitor: Visitor, services: Services, owner: Owner, elsewhere: str
) -> None:
    services.sessions.set_password(owner.account, PASSWORD, now=NOW)
    form = {"email": owner.account.email, "password": PASSWORD, "next": elsewhere}
    assert visitor.post(f"{ROOT}/", data=form).headers["Location"] == f"{ROOT}/"


def test_an_invitee_books_below_the_public_path(visitor: Visitor, owner: Owner) -> None:
    calendar = call(visitor, owner, "/calendars", calendar_json()).json["id"]
    link = call(visitor, owner, f"/calendars/{calendar}/links", {}).json
    owner.catch_up()
    path = link["url"].removeprefix("https://example.org")
    page = visitor.get(f"{path}?start=2026-11-24T09:00:00Z").text
    form = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page))
    typed = {"start": "2026-11-24T09:00:00Z", "name": "Ada", "email": "ada@example.org"}
    answer = visitor.post(path, data=form | typed)
    assert answer.headers["Location"].startswith(f"{ROOT}/m/")
    assert f"Path={path}" in answer.headers["Set-Cookie"].split("; ")
    assert "You're booked" in unescape(visitor.get(answer.headers["Location"]).text)
    assert visitor.get(path).headers["Location"] == answer.headers["Location"]


def test_a_page_that_names_its_own_address_names_the_public_path(
    visitor: Visitor, services: Services, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    calendar = call(visitor, owner, "/calendars", calendar_json()).json["id"]
    link = call(visitor, owner, f"/calendars/{calendar}/links", {}).json
    owner.catch_up()
    services.accounts.change(owner.account, name="Olivia", time_zone=None)
    signed_in(visitor, owner, services)
    page = visitor.get(f"{ROOT}/bookings?view=week").text
    assert f'name="next" value="{ROOT}/bookings?view=week"' in page

    def unavailable(token: str) -> NoReturn:
        raise Unavailable

    monkeypatch.setattr(booking_page, "invitation", unavailable)
    path = f"{ROOT}/b/{link['token']}?tz=Europe/Paris"
    page = visitor.get(path).text
    assert f'<a href="{path}">Try again</a>' in page


@pytest.fixture
def public(web_application: Callable[[Services], Flask], services: Services) -> Client:
    """Talks to a service that is reached at https://book.example.org, with any header."""
    return at(web_application, services, "https://book.example.org").test_client()


OTHER_HOSTS = [
    "",
    "evil.example",
    "book.example.org.evil.example",
    "evil.example,book.example.org",
    "book.example.org,book.example.org",
    "book.example.org, evil.example",
    "book.example.org:80",
    "book.example.org:8000",
    "book.example.org/",
    "ada@book.example.org",
    "[",
    "[::1",
    "book.example.org:port",
    "b\xfccher.example",
    "a" * 5000,
    "localhost",
    "127.0.0.1:8000",
]


@pytest.mark.parametrize("host", OTHER_HOSTS)
def test_other_hosts_are_refused_once_a_public_address_is_set(public: Client, host: str) -> None:
    environ = {"HTTP_HOST": host}
    for path in ("/", "/links", "/no-such-page", "/static/app.css"):
        page = public.get(path, environ_overrides=environ)
        assert page.status_code == 400
        assert "This isn't the address of this service." in unescape(page.text)
        assert page.headers["Content-Security-Policy"]
    for path in ("/api/v1/links", "/api/v1/no-such-call"):
        assert refusal(public.get(path, environ_overrides=environ)) == (400, "wrong-host")
    assert public.post("/", environ_overrides=environ).status_code == 400


def test_who_asks_at_another_host_reads_why_in_their_language(public: Client) -> None:
    headers = {"Host": "evil.example", "Accept-Language": "de"}
    page = unescape(public.get("/", headers=headers).text)
    assert "Dies ist nicht die Adresse dieses Dienstes." in page
    assert "book.example.org" not in page  # scanners of IP addresses do not learn the name
    assert "/static/" not in page


@pytest.mark.parametrize(
    "host", ["book.example.org", "BOOK.example.org", "book.example.org:443", "book.example.org:"]
)
def test_the_public_host_is_answered_however_it_is_written(public: Client, host: str) -> None:
    assert public.get("/", environ_overrides={"HTTP_HOST": host}).status_code == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_machines_ask_for_health_by_any_ip_address(public: Client, path: str) -> None:
    for host in ("localhost", "localhost:8000", "127.0.0.1:8000", "[::1]:8000", "10.0.0.7"):
        assert public.get(path, environ_overrides={"HTTP_HOST": host}).status_code != 400
    for host in ("evil.example", "localhost.evil.example", "127.0.0.1.evil.example", ""):
        assert public.get(path, environ_overrides={"HTTP_HOST": host}).status_code == 400


def test_any_one_host_is_answered_until_a_public_address_is_set(app: Flask) -> None:
    browser = app.test_client()
    for host in ("localhost", "192.0.2.7:8000", "[::1]:8000", "nas.local", "admit_one:8000"):
        assert browser.get("/", environ_overrides={"HTTP_HOST": host}).status_code == 200
    for host in ("", "a,b", "a/b", "[", "a b"):
        assert browser.get("/", environ_overrides={"HTTP_HOST": host}).status_code == 400


@pytest.mark.parametrize(
    "host", ["", "Host: localhost\r\nHost: localhost\r\n", "Host: a\r\nHost: localhost\r\n"]
)
def test_a_request_without_a_host_or_with_two_is_refused(service: Service, host: str) -> None:
    with socket.create_connection((service.host, service.port), timeout=60) as connection:
        connection.sendall(f"GET /healthz HTTP/1.1\r\n{host}Connection: close\r\n\r\n".encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 400 ")


FOREIGN_ORIGINS = [
    "null",
    "",
    "http://[",
    "https://[book.example.org",
    "http://]",
    "http://\xe9\x80\u0080",
    "https://book.example.org:port",
    "https://book.example.org:99999999999",
    "http://book.example.org",
    "https://book.example.org:8443",
    "https://book.example.org/",
    "https://book.example.org/path",
    "https://ada@book.example.org",
    "https://book.example.org, https://book.example.org",
    "https://book.example.org.evil.example",
    "https://evil.example",
    "//book.example.org",
]


@pytest.mark.parametrize("origin", FOREIGN_ORIGINS)
def test_forms_from_another_origin_are_refused(public: Client, origin: str) -> None:
    headers = {"Host": "book.example.org", "Origin": origin}
    assert public.post("/sign-in/x", headers=headers).status_code == 403


@pytest.mark.parametrize("origin", ["https://book.example.org", "https://BOOK.example.org:443"])
def test_forms_from_our_own_origin_are_accepted(public: Client, origin: str) -> None:
    headers = {"Host": "book.example.org", "Origin": origin}
    assert public.post("/sign-in/x", headers=headers).status_code == 410


def test_until_a_public_address_is_set_our_origin_is_the_host_of_the_request(app: Flask) -> None:
    browser = app.test_client()
    for origin, status in (
        ("http://nas.local:8000", 410),
        ("https://nas.local:8000", 410),  # a web server in front may end TLS
        ("http://nas.local", 403),
        ("http://evil.example", 403),
        ("http://[", 403),
    ):
        headers = {"Host": "nas.local:8000", "Origin": origin}
        assert browser.post("/sign-in/x", headers=headers).status_code == status
