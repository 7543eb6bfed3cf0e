"""An invitee with a link, and the browser in which they open it."""

import re
from dataclasses import dataclass
from html import unescape
from typing import Any

from flask.testing import FlaskClient

from tests.support.examples import NINE
from tests.support.owner import Owner

ADA = {"name": "Ada Lovelace", "email": "ada@example.org"}
BOB = {"name": "Bob Byte", "email": "bob@example.org"}


@dataclass
class InviteeBrowser:
    """An invitee with a link, and the browser in which they open it."""

    owner: Owner
    link: dict[str, Any]
    browser: FlaskClient

    @property
    def path(self) -> str:
        return f"/b/{self.link['token']}"

    def get(self, query: str = "") -> Any:
        self.owner.catch_up()
        return self.browser.get(f"{self.path}{query}")

    def form(self, start: str = NINE, zone: str = "Europe/London") -> dict[str, str]:
        """Returns the form on the page of that time, filled in."""
        page = self.get(f"?tz={zone}&start={start}").get_data(as_text=True)
        hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page))
        assert re.findall(r'name="start" value="([^"]*)" required checked', page) == [start]
        return hidden | ADA | {"start": start, "tz": zone}

    def post(self, form: dict[str, str], **headers: str) -> Any:
        return self.browser.post(self.path, data=form, headers=headers)

    def choose_again(self, form: dict[str, str]) -> Any:
        """Asks for other days from within the form."""
        return self.browser.post(f"{self.path}/times", data=form)

    def ask(self, **typed: str) -> Any:
        """Asks for a new link."""
        return self.browser.post(f"{self.path}/ask", data=typed)

    def elsewhere(self) -> "InviteeBrowser":
        """Returns an invitee with the same link in another browser."""
        return InviteeBrowser(self.owner, self.link, self.browser.application.test_client())

    def revoke(self) -> None:
        assert self.owner.revoke(self.link).status_code == 200

    def bookings(self) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self.owner.get("/bookings").json["items"]
        return items


def text_of(answer: Any) -> str:
    """Returns the text of a page without its head, in one line."""
    page = re.sub(r"<head>.*?</head>", "", answer.get_data(as_text=True), flags=re.DOTALL)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", page)))


def manage_token(answer: Any) -> str:
    path: str = answer.headers["Location"]
    assert path.startswith("/m/")
    return path.removeprefix("/m/")


def tells_nothing(answer: Any) -> None:
    page = answer.get_data(as_text=True)
    for secret in ("Ada", "ada@example.org", "Room 1", "Hello.", "/m/"):
        assert secret not in page
