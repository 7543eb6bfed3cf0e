"""The way of a browser to the identity provider and back, and what the ID token says."""

import html
from collections.abc import Callable
from typing import Any

from flask.testing import FlaskClient
from joserfc.jwk import RSAKey

from tests.support.examples import NOW
from tests.support.identity_provider import Provider, signed

CALLBACK = "/sign-in/provider/callback"
ADA = "ada@example.org"
SECONDS_NOW = int(NOW.timestamp())


def text(answer: Any) -> str:
    return html.unescape(answer.get_data(as_text=True))


def sent_to(browser: FlaskClient, path: str = "/sign-in/provider") -> str:
    """Returns the address to which the page sends the browser."""
    answer = browser.get(path)
    assert answer.status_code == 303, text(answer)
    return answer.headers["Location"]


def come_back(
    browser: FlaskClient, provider: Provider, subject: str = "ada", path: str = ""
) -> Any:
    """Signs in at the provider, and follows it back."""
    back = provider.sign_in(sent_to(browser, path or "/sign-in/provider"), subject)
    assert back.startswith("https://book.example.org" + CALLBACK)
    return browser.get(back.removeprefix("https://book.example.org"))


def with_claims(**changes: Any) -> Callable[[dict[str, Any], RSAKey], str]:
    return lambda claims, key: signed(claims | changes, key)


def without(name: str) -> Callable[[dict[str, Any], RSAKey], str]:
    return lambda claims, key: signed(
        {other: value for other, value in claims.items() if other != name}, key
    )
