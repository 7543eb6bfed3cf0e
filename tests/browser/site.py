"""The running service as people reach it with a browser."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from playwright.sync_api import Page

from tests.support.http_desk import HttpDesk
from tests.support.service import OWNER, Answer, Service


@dataclass
class Site(HttpDesk):
    """A running service and one of its owners. The pages show every write when it returns."""

    service: Service
    key: str

    @property
    def url(self) -> str:
        """Where the service is, without a slash at the end."""
        return self.service.url

    def api_key(self) -> str:
        """Returns the owner's key."""
        return self.key

    def call(self, method: str, path: str, json: Any = None, **headers: str) -> Answer:
        """Sends a request, and waits until the views show what it has written."""
        answer = self.service.call(method, path, json, **headers)
        if position := answer.headers["X-Log-Position"]:
            self._wait_for_views(position)
        return answer

    def sign_in_link(self, email: str = OWNER) -> str:
        """Returns a one-time link. Earlier ones end with it."""
        with self.service.services() as services:
            return services.sign_in_url(services.accounts.by_email(email))

    def sign_in(self, page: Page, email: str = OWNER) -> None:
        """Signs in with a one-time link, without opening a page: the browser gets the cookies."""
        answer = page.context.request.post(self.sign_in_link(email), max_redirects=0)
        assert answer.status == 303, answer.text()

    def new_person(self, email: str, name: str) -> "Site":
        """Creates another owner, with nothing yet, and returns the service as they use it."""
        with self.service.services() as services:
            person = services.accounts.create(email=email, name=name, roles=("owner",))
            key = services.api_keys.create(person, name="", now=services.now())
        return Site(self.service, key)

    def _wait_for_views(self, position: str) -> None:
        """Waits until the views show a log position."""
        headers = self.headers | {"X-Min-Position": position}
        for path in ("/calendars", "/links?limit=1", "/bookings?limit=1"):
            while (
                shown := self.service.call("GET", f"/api/v1{path}", **headers)
            ).status_code == 503:
                pass
            assert shown.status_code == 200, shown


def moment(text: str) -> datetime:
    """Returns a time of the API."""
    return datetime.fromisoformat(text)
