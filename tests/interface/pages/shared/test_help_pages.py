"""Help: what it says is there."""

import re
from html import unescape

from flask import Flask

from tests.support.signed_in_browser import SignedIn


def test_help_is_for_everybody_and_has_a_part_for_each_person(app: Flask) -> None:
    answer = app.test_client().get("/help")
    assert answer.status_code == 200
    page = answer.get_data(as_text=True)
    parts = re.findall(r'<section aria-labelledby="(\w+)"', page)
    assert parts == ["invitee", "owner", "auditor", "operator", "programmer"]
    assert re.findall(r'<li><a href="#(\w+)"', page) == parts


def test_every_page_leads_to_help_and_the_words_of_help_are_those_of_the_pages(
    person: SignedIn,
) -> None:
    page = unescape(person.get("/settings").get_data(as_text=True))
    assert '<a href="/help">Help</a>' in page
    helped = person.get("/help").get_data(as_text=True)
    for words in ("Settings", "Calendars", "Schedules", "Connections", "Access"):
        assert words in page
        assert words in helped
