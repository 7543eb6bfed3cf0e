"""An owner with an API key, talking to the web application without a network."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from flask.testing import FlaskClient

from application.people.accounts import Account
from tests.support.http_desk import HttpDesk


@dataclass
class Owner(HttpDesk):
    """An account of any role, its key, and a client of the application."""

    account: Account
    key: str
    client: FlaskClient
    catch_up: Callable[[], None] = field(repr=False)

    def api_key(self) -> str:
        """Returns the key, which a test may exchange for another one."""
        return self.key

    def call(self, method: str, path: str, json: Any = None, **headers: str) -> Any:
        """Sends a request."""
        return self.client.open(path, method=method, json=json, headers=headers)

    def get(self, path: str, **options: Any) -> Any:
        """Reads below /api/v1, from views that have caught up; options as Flask's client's."""
        self.catch_up()
        return self.client.get(f"/api/v1{path}", headers=self.headers, **options)
