"""The running service as people reach it with a browser."""

import re
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from playwright.sync_api import Page

from tests.support.service import Answer, Service

OWNER = "owner@localhost"


@dataclass
class Site:
    """A running service and its owner."""

    service: Service

    @property
    def url(self) -> str:
        """Where the service is, without a slash at the end."""
        return self.service.url

    def sign_in_link(self, email: str = OWNER) -> str:
        """A one-time link, as the command line prints it. Earlier ones end with it."""
        return self._printed("accounts", "sign-in-link", email)

    def sign_in(self, page: Page, email: str = OWNER) -> None:
        """Sign in with a one-time link, and be at the page that follows."""
        page.goto(self.sign_in_link(email))
        page.get_by_role("button", name=re.compile("Sign in|Anmelden")).click()
        page.wait_for_url(re.compile(r"^(?!.*/sign-in/)"))

    def new_person(self, email: str, name: str) -> "Site":
        """Another owner, with nothing yet: the same service, seen by them."""
        self._printed("accounts", "create", email, "--name", name)
        key = self._printed("keys", "create", "--account", email)
        return Site(replace(self.service, _key=[key]))

    def new_calendar(self, **changes: Any) -> str:
        """The id of a new calendar, open every day from 9 to 5 UTC, half an hour each."""
        return self.service.new_calendar(**changes)

    def new_links(self, calendar_id: str, count: int) -> list[dict[str, Any]]:
        """That many new links: `id`, `url`, `token` and the rest."""
        return self.service.new_links(calendar_id, count)

    def new_link(self, calendar_id: str, **given: Any) -> dict[str, Any]:
        """A new link, for the `recipient` and with the `note` that are given."""
        return self.owner("POST", f"/calendars/{calendar_id}/links", given)

    def slots(self, token: str) -> list[str]:
        """The starts of the free slots of two weeks."""
        return self.service.slots(token)

    def redeem(self, token: str, start: str, **changes: Any) -> Answer:
        """Book as an invitee does, without a browser."""
        return self.service.redeem(token, start, **changes)

    def booked(self, calendar_id: str, place: int = 0, **changes: Any) -> dict[str, Any]:
        """A booking of the free slot in that place, through a new link."""
        (link,) = self.new_links(calendar_id, 1)
        answer = self.redeem(link["token"], self.slots(link["token"])[place], **changes)
        assert answer.status == 201, answer
        self._seen(answer)
        booking: dict[str, Any] = answer.body
        return booking

    def owner(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """A call of the owner below /api/v1, which the pages show when this returns."""
        answer = self.service.owner(method, path, body)
        assert answer.status < 300, answer
        self._seen(answer)
        shown: dict[str, Any] = answer.body
        return shown

    def _seen(self, answer: Answer) -> None:
        """Return when the views show what was written."""
        position = answer.headers.get("x-log-position")
        if position is None:
            return
        headers = {"X-Min-Position": position}
        for path in ("/calendars", "/links?limit=1", "/bookings?limit=1"):
            shown = self.service.owner("GET", path, **headers)
            while shown.status == 503:
                shown = self.service.owner("GET", path, **headers)
            assert shown.status == 200, shown

    def _printed(self, *arguments: str) -> str:
        return self.service.command(*arguments).stdout.strip().splitlines()[-1]


def moment(text: str) -> datetime:
    """A time of the API."""
    return datetime.fromisoformat(text)
