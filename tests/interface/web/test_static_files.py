"""Static files: small on the wire, cached as long as they are right, and never when missing."""

import gzip
import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from interface.web.static_files import FOLDER

FOR_GOOD = "public, max-age=31536000, immutable"
NAMES = sorted(str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*") if path.is_file())
GZIP = {"Accept-Encoding": "gzip"}


@pytest.fixture
def browser(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.mark.parametrize("name", NAMES)
def test_a_file_comes_compressed_to_those_who_accept_it(browser: FlaskClient, name: str) -> None:
    content = (FOLDER / name).read_bytes()
    plain = browser.get(f"/static/{name}")
    compressed = browser.get(f"/static/{name}", headers=GZIP)
    assert plain.data == content
    assert "Content-Encoding" not in plain.headers
    assert compressed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(compressed.data) == content
    assert int(compressed.headers["Content-Length"]) == len(compressed.data)
    assert plain.headers["Vary"] == compressed.headers["Vary"] == "Accept-Encoding"
    assert plain.headers["Content-Type"] == compressed.headers["Content-Type"]
    assert plain.headers["ETag"] != compressed.headers["ETag"]


@pytest.mark.parametrize(
    ("accepted", "is_compressed"),
    [
        ("gzip, deflate, br, zstd", True),
        ("GZIP;q=0.5", True),
        ("*", True),
        ("br", False),
        ("gzip;q=0", False),
        ("gzip;q=0, *", False),
        ("identity", False),
        ("nonsense;;q=x", False),
    ],
)
def test_what_is_accepted_is_read_as_the_standard_says(
    browser: FlaskClient, accepted: str, is_compressed: bool
) -> None:
    answer = browser.get("/static/app.css", headers={"Accept-Encoding": accepted})
    assert ("Content-Encoding" in answer.headers) is is_compressed


@pytest.mark.parametrize("headers", [{}, GZIP], ids=["plain", "compressed"])
def test_a_file_that_a_browser_has_is_not_sent_again(
    browser: FlaskClient, headers: dict[str, str]
) -> None:
    tag = browser.get("/static/app.css", headers=headers).headers["ETag"]
    again = browser.get("/static/app.css", headers=headers | {"If-None-Match": tag})
    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", tag)
    assert again.headers["Vary"] == "Accept-Encoding"
    other = browser.get("/static/app.css", headers=headers | {"If-None-Match": '"other"'})
    assert other.status_code == 200


def test_only_the_address_that_pages_use_is_cached_for_good(browser: FlaskClient) -> None:
    for page in ("/", "/api/docs"):
        addresses = re.findall(r'"(/static/[^"]+)"', browser.get(page).get_data(as_text=True))
        assert addresses
        for address in addresses:
            assert browser.get(address).headers["Cache-Control"] == FOR_GOOD
    for address in ("/static/app.css", "/static/app.css?v=", "/static/app.css?v=0123456789ab"):
        assert browser.get(address).headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize(
    "path", ["missing.css", "", "vendor", "../wsgi.py", "%2e%2e/wsgi.py", "/etc/passwd", "app.css/"]
)
def test_a_file_that_is_not_there_is_not_cached_as_missing(browser: FlaskClient, path: str) -> None:
    answer = browser.get(f"/static/{path}?v=0123456789ab")
    assert answer.status_code == 404
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Content-Security-Policy" in answer.headers


def test_static_files_have_the_headers_that_protect_them(browser: FlaskClient) -> None:
    for headers in ({}, GZIP):
        answer = browser.get("/static/app.js", headers=headers)
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Strict-Transport-Security"]
        assert "Set-Cookie" not in answer.headers


def test_pages_are_not_compressed_here(browser: FlaskClient) -> None:
    answer = browser.get("/", headers=GZIP)
    assert answer.status_code == 200
    assert "Content-Encoding" not in answer.headers


def test_part_of_a_file_can_be_asked_for(browser: FlaskClient) -> None:
    content = (FOLDER / "app.css").read_bytes()
    part = browser.get("/static/app.css", headers={"Range": "bytes=0-9"})
    assert (part.status_code, part.data) == (206, content[:10])
    beyond = browser.get("/static/app.css", headers={"Range": "bytes=9999999-"})
    assert beyond.status_code == 416
    assert beyond.headers["Content-Range"] == f"bytes */{len(content)}"
