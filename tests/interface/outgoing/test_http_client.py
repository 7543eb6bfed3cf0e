"""Requests to other servers: which are reached, for how long, and how much is read of them."""

import gzip
from collections.abc import Iterator
from ipaddress import ip_network
from itertools import chain, repeat
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from application.outgoing import (
    AddressNotAllowed,
    Answer,
    CertificateRefused,
    HostNotFound,
    RequestFailed,
    TooLarge,
    TooManyRedirects,
    TooSlow,
)
from domain.errors import Invalid
from interface.outgoing.allowed_addresses import AllowedAddresses
from interface.outgoing.http_client import HttpClient
from interface.outgoing.outgoing_url import Proxy
from tests.support.certificates import certificate_for
from tests.support.other_server import OtherServer, answer, other_server
from tests.support.service import free_port

MOST = 100_000
ALLOWED = "127.0.0.1"
FORBIDDEN = "127.0.0.2"  # these tests allow the other loopback address alone


def client(*addresses: str, **options: Any) -> HttpClient:
    """Returns a client for which every name has these addresses, one after the other."""
    answers = iter(addresses)
    return HttpClient(
        AllowedAddresses([ip_network(ALLOWED)]), resolve=lambda *_: [next(answers)], **options
    )


def get(url: str, http: HttpClient | None = None, **options: Any) -> Answer:
    asked = {"seconds": 30, "most_bytes": MOST} | options
    return (http or HttpClient(AllowedAddresses([ip_network(ALLOWED)]))).send("GET", url, **asked)


@pytest.fixture
def server() -> Iterator[OtherServer]:
    with other_server() as server:
        yield server


def test_a_request_names_its_host_and_gets_status_headers_and_body(server: OtherServer) -> None:
    server.answer = lambda: [answer(b"gone", "410 Gone", ETag='"1"')]
    response = get(f"http://feeds.example:{server.port}/a?b=c", client(ALLOWED))
    assert (response.status, response.headers["etag"], response.body) == (410, '"1"', b"gone")
    (request,) = server.requests
    assert request.startswith(f"GET /a?b=c HTTP/1.1\nHost: feeds.example:{server.port}\n")


def test_what_is_sent_arrives_with_its_headers(server: OtherServer) -> None:
    http = HttpClient(AllowedAddresses([ip_network(ALLOWED)]))
    http.send(
        "POST",
        f"http://{server.authority}/",
        headers={"Webhook-Id": "7"},
        body=b"{}",
        seconds=30,
        most_bytes=MOST,
    )
    (request,) = server.requests
    assert request.startswith("POST / ")
    assert "\nWebhook-Id: 7" in request
    assert "\nContent-Length: 2" in request


def test_a_name_that_means_another_address_a_moment_later_leads_to_the_first() -> None:
    with other_server(ALLOWED) as first, other_server(FORBIDDEN, first.port) as second:
        get(f"http://rebinding.example:{first.port}/", client(ALLOWED, FORBIDDEN))
    assert len(first.requests) == 1
    assert second.requests == []


def test_no_address_of_a_host_is_reached_if_one_of_them_is_not_allowed(server: OtherServer) -> None:
    both = HttpClient(
        AllowedAddresses([ip_network(ALLOWED)]), resolve=lambda *_: [ALLOWED, FORBIDDEN]
    )
    with pytest.raises(AddressNotAllowed):
        get(f"http://both.example:{server.port}/", both)
    assert server.requests == []


@pytest.mark.parametrize("host", ["2130706434", "0x7f.2", "127.2", "[::ffff:127.0.0.2]"])
def test_other_spellings_of_an_address_are_no_way_around(host: str) -> None:
    with other_server(FORBIDDEN) as server:
        with pytest.raises((AddressNotAllowed, RequestFailed)):
            get(f"http://{host}:{server.port}/")
        assert server.requests == []


def test_a_redirect_is_returned_unless_it_may_be_followed(server: OtherServer) -> None:
    server.answer = lambda: [answer(status="301 Moved", Location="/")]
    assert get(f"http://{server.authority}/").status == 301
    with pytest.raises(TooManyRedirects):
        get(f"http://{server.authority}/", redirects=3)
    assert len(server.requests) == 1 + 4


@pytest.mark.parametrize(
    "location", ["http://{authority}/", "file:///etc/passwd", "//[", "http://ada@127.0.0.1/"]
)
def test_a_redirect_leads_nowhere_that_may_not_be_asked_directly(
    server: OtherServer, location: str
) -> None:
    with other_server(FORBIDDEN) as forbidden:
        target = location.format(authority=forbidden.authority)
        server.answer = lambda: [answer(status="302 Found", Location=target)]
        with pytest.raises((AddressNotAllowed, RequestFailed)):
            get(f"http://{server.authority}/", redirects=3)
        assert forbidden.requests == []
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "response",
    [
        answer(b"x" * 10_000_000),
        answer(gzip.compress(b"x" * 10_000_000, mtime=0), Content_Encoding="gzip"),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"800\r\n%b\r\n" % (b"x" * 2048) * 99,
    ],
    ids=["plain", "compressed", "in chunks"],
)
def test_a_large_answer_is_not_read_to_its_end(server: OtherServer, response: bytes) -> None:
    server.answer = lambda: [response]
    with pytest.raises(TooLarge):
        get(f"http://{server.authority}/")


@pytest.mark.parametrize(
    ("start", "rest"),
    [
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", b"x" * 65536),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"A: b\r\n" * 9999),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 2500),
    ],
    ids=["chunk of a negative size", "trailer", "promises"],
)
def test_an_answer_without_end_is_not_read_for_ever(
    server: OtherServer, start: bytes, rest: bytes
) -> None:
    server.answer = lambda: chain([start], repeat(rest))
    with pytest.raises(TooLarge):
        get(f"http://{server.authority}/")


def test_a_compressed_answer_is_read(server: OtherServer) -> None:
    server.answer = lambda: [answer(gzip.compress(b"x" * MOST, mtime=0), Content_Encoding="gzip")]
    assert get(f"http://{server.authority}/").body == b"x" * MOST


@pytest.mark.parametrize(
    "response",
    [
        b"SSH-2.0-OpenSSH_9.2p1\r\n",
        answer(b"all of it")[:-1],
        answer(gzip.compress(b"all of it", mtime=0)[:-4], Content_Encoding="gzip"),
        answer(b"not compressed", Content_Encoding="gzip"),
        answer(b"", Content_Encoding="br"),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nall",
    ],
)
def test_an_answer_that_is_broken_or_cut_off_is_refused(
    server: OtherServer, response: bytes
) -> None:
    server.answer = lambda: [response]
    with pytest.raises(RequestFailed):
        get(f"http://{server.authority}/")


@pytest.mark.parametrize("start", [b"", answer(b"x" * 99)[:-99]], ids=["headers", "body"])
def test_a_server_that_always_sends_a_little_does_not_hold_a_request(
    server: OtherServer, start: bytes
) -> None:
    enough = Event()

    def drip() -> Iterator[bytes]:
        yield start
        while not enough.wait(0.05):
            yield b"x"

    server.answer = drip
    with pytest.raises(TooSlow):
        get(f"http://{server.authority}/", seconds=0.4)
    enough.set()


def test_a_name_that_is_not_resolved_in_time_does_not_hold_a_request() -> None:
    enough = Event()
    hanging = HttpClient(AllowedAddresses(), resolve=lambda *_: [str(enough.wait())])
    with pytest.raises(TooSlow):
        get("http://slow.example/", hanging, seconds=0.1)
    enough.set()


def test_a_host_that_nobody_listens_on_fails() -> None:
    with pytest.raises(RequestFailed):
        get(f"http://127.0.0.1:{free_port()}/")


def test_a_name_without_an_address_fails() -> None:
    with pytest.raises(HostNotFound):
        get("http://no-such-host.invalid/")


def test_a_proxy_is_asked_for_the_checked_address_and_told_its_credentials(
    server: OtherServer,
) -> None:
    answers = [answer(b"through"), b"HTTP/1.1 200 Connected\r\n\r\n"]
    server.answer = lambda: [answers.pop()]
    proxied = client(ALLOWED, proxy=Proxy("127.0.0.1", server.port, "ada:secret"))
    assert get("http://feeds.example:8080/", proxied).body == b"through"
    asked, sent_on = server.requests
    assert asked == (
        "CONNECT 127.0.0.1:8080 HTTP/1.1\nHost: 127.0.0.1:8080"
        "\nProxy-Authorization: Basic YWRhOnNlY3JldA=="
    )
    assert sent_on.startswith("GET / HTTP/1.1\nHost: feeds.example:8080\n")
    assert "Authorization" not in sent_on


def test_an_address_that_a_proxy_refuses_fails(server: OtherServer) -> None:
    server.answer = lambda: [answer(status="403 Forbidden")]
    with pytest.raises(RequestFailed):
        get("http://feeds.example/", client(ALLOWED, proxy=Proxy("127.0.0.1", server.port)))


def test_a_proxy_is_not_asked_for_an_address_that_is_not_allowed(server: OtherServer) -> None:
    proxied = client(FORBIDDEN, proxy=Proxy("127.0.0.1", server.port))
    with pytest.raises(AddressNotAllowed):
        get("http://feeds.example:8080/", proxied)
    assert server.requests == []


def test_a_certificate_counts_for_its_name_and_only_if_its_authority_is_trusted(
    tmp_path: Path,
) -> None:
    ca_file, context = certificate_for("feeds.example", tmp_path)
    with other_server(tls=context) as server:
        server.answer = lambda: [answer(b"secret")]
        trusting = client(ALLOWED, ALLOWED, ca_file=ca_file)
        assert get(f"https://feeds.example:{server.port}/", trusting).body == b"secret"
        with pytest.raises(CertificateRefused):
            get(f"https://other.example:{server.port}/", trusting)
        with pytest.raises(CertificateRefused):
            get(f"https://feeds.example:{server.port}/", client(ALLOWED))
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("url", "normal"),
    [
        (f"HTTP://{ALLOWED}:80", f"http://{ALLOWED}/"),
        (f"webcal://{ALLOWED}/a%20b?c=d#e", f"https://{ALLOWED}/a%20b?c=d"),
        (f" https://{ALLOWED}?key ", f"https://{ALLOWED}/?key"),
    ],
)
def test_a_url_is_checked_and_gets_its_normal_form(url: str, normal: str) -> None:
    assert client(ALLOWED).check(url) == normal
    with pytest.raises(AddressNotAllowed):
        client(FORBIDDEN).check(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.org",
        "ftp://example.org/",
        "file:///etc/passwd",
        "https://example.org/a b",
        "https://example.org/\r\nX: y",
        "https://example.org/é",
        "https://ada:secret@example.org/",
        "https://example.org:0/",
        "https://[::1",
        "https://example.org/" + "x" * 2000,
        "https://no-such-host.invalid/",
    ],
)
def test_text_that_is_no_usable_url_is_refused(url: str) -> None:
    with pytest.raises(Invalid) as refused:
        HttpClient(AllowedAddresses()).check(url)
    assert list(refused.value.errors) == ["url"]
