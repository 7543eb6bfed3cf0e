"""The settings, their navigation, and which mails an owner gets."""

import html
import re
from collections.abc import Callable
from typing import Any

import pytest

from interface.bootstrap import Services
from interface.pages.shared.settings_pages import OWNERS_MAILS
from tests.support.signed_in_browser import SignedIn

ACCOUNT, ACCESS = "/settings/account", "/settings/access"
CALENDARS, SCHEDULES = "/settings/calendars", "/settings/schedules"
CONNECTIONS = "/settings/connections"
NOTIFICATIONS = "/settings/notifications"


def text(answer: Any) -> str:
    return html.unescape(answer.get_data(as_text=True))


@pytest.mark.parametrize(
    ("role", "parts"),
    [
        ("owner", [CALENDARS, SCHEDULES, ACCOUNT, ACCESS, NOTIFICATIONS, CONNECTIONS]),
        ("operator", [ACCOUNT, ACCESS, NOTIFICATIONS]),
    ],
)
def test_the_settings_lead_to_the_parts_that_a_role_has(
    sign_in_as: Callable[..., SignedIn], role: str, parts: list[str]
) -> None:
    page = text(sign_in_as(role).get("/settings"))
    assert re.findall('<h2><a href="([^"]+)"', page) == parts


@pytest.mark.parametrize(
    ("path", "part"),
    [
        (CALENDARS, CALENDARS),
        ("/settings/calendars/new", CALENDARS),
        (SCHEDULES, SCHEDULES),
        (ACCOUNT, ACCOUNT),
        (ACCESS, ACCESS),
        ("/account/passkeys/new", ACCESS),
        (NOTIFICATIONS, NOTIFICATIONS),
        (CONNECTIONS, CONNECTIONS),
        ("/settings/subscribe", CONNECTIONS),
        ("/settings/other-calendars", CONNECTIONS),
        ("/settings/webhooks", CONNECTIONS),
        ("/links", None),
    ],
)
def test_each_page_of_the_settings_says_where_one_is(
    person: SignedIn, path: str, part: str | None
) -> None:
    current = re.findall('<a href="([^"]+)" aria-current="page">', text(person.get(path)))
    assert current == (["/settings", part] if part else ["/links"])


def test_the_account_is_found_at_its_old_addresses(person: SignedIn) -> None:
    for old, new in (("/account?notice=x", f"{ACCOUNT}?notice=x"), ("/account/keys", ACCESS)):
        answer = person.get(old)
        assert (answer.status_code, answer.headers["Location"]) == (301, new)


def test_an_owner_chooses_the_mails_about_bookings(person: SignedIn, services: Services) -> None:
    def checked() -> list[str]:
        return re.findall('name="mails" value="([^"]+)" checked', text(person.get(NOTIFICATIONS)))

    assert checked() == list(OWNERS_MAILS)
    answer = person.post(NOTIFICATIONS, {"mails": ["cancelled", "nonsense"]})
    assert "Changes saved." in text(person.get(answer.headers["Location"]))
    assert checked() == ["cancelled"]
    muted = services.accounts.by_id(person.account.id).muted_mails
    assert set(muted) == set(OWNERS_MAILS) - {"cancelled"}
