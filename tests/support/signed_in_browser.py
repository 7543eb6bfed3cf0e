"""A person who is signed in: a client with cookies and form tokens, without JavaScript."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask.testing import FlaskClient

from application.people.accounts import Account

_FORM_TOKEN = re.compile(r'name="form_token" value="([0-9a-f]+)"')


@dataclass
class SignedIn:
    """An account that is signed in, and its browser."""

    account: Account
    client: FlaskClient
    form_token: str
    catch_up: Callable[[], None]

    def get(self, path: str, **kwargs: Any) -> Any:
        """Returns a page, from views that have caught up."""
        self.catch_up()
        return self.client.get(path, **kwargs)

    def post(self, path: str, form: dict[str, Any] | None = None, **kwargs: Any) -> Any:
        """Sends a form of one of our pages."""
        self.catch_up()
        return self.client.post(path, data={"form_token": self.form_token} | (form or {}), **kwargs)


def sign_in(
    client: FlaskClient, account: Account, token: str, catch_up: Callable[[], None]
) -> SignedIn:
    """Signs in with a sign-in token."""
    answer = client.post(f"/sign-in/{token}")
    assert answer.status_code == 303, answer.get_data(as_text=True)
    return signed_in(client, account, catch_up)


def signed_in(client: FlaskClient, account: Account, catch_up: Callable[[], None]) -> SignedIn:
    """Returns the person whose browser is signed in already."""
    found = _FORM_TOKEN.search(client.get("/settings").get_data(as_text=True))
    assert found is not None
    return SignedIn(account, client, found[1], catch_up)
