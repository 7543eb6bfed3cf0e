"""Reads the text and the forms of a page."""

import html
import re
from typing import Any

from tests.support.owner import Owner


def text(answer: Any) -> str:
    return html.unescape(answer.get_data(as_text=True))


def words(answer: Any) -> str:
    """Returns the text of a page without tags, in one line."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", answer.get_data(as_text=True))).split())


def filled_in(answer: Any, form_id: str = "calendar") -> dict[str, Any]:
    """Returns the form of a calendar, or another one, as a browser would send it."""
    page = answer.get_data(as_text=True)
    begins = page.index(f'<form id="{form_id}"')
    form = page[begins : page.index("</form>", begins)]
    sent: dict[str, Any] = {}
    for tag in re.findall(r"<input[^>]*>", form):
        name, value = (re.search(rf' {part}="([^"]*)"', tag) for part in ("name", "value"))
        assert name is not None
        sent.setdefault(name[1], []).append(html.unescape(value[1]) if value else "")
    for name, inner in re.findall(r'<textarea [^>]*name="(\w+)"[^>]*>([^<]*)<', form):
        sent[name] = html.unescape(inner)
    for name, inner in re.findall(r'<select [^>]*name="(\w+)"[^>]*>(.*?)</select>', form, re.S):
        chosen = re.search(r'value="([\w-]+)" selected', inner) or re.search(
            r'value="([\w-]*)"', inner
        )
        assert chosen is not None
        sent[name] = chosen[1]
    return sent


def error_at(answer: Any, name: str) -> str:
    """Returns the error beside a field."""
    found = re.search(rf'<small id="{re.escape(name)}-help" class="error">([^<]*)<', text(answer))
    return found[1].strip() if found else ""


def the_calendar(owner: Owner) -> dict[str, Any]:
    (calendar,) = owner.get("/calendars").json["items"]
    found: dict[str, Any] = calendar
    return found
