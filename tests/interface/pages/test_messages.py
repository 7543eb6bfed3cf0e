"""The pages in other languages."""

import re

import pytest
from babel.messages import Catalog
from flask import Flask

from interface.i18n import LANGUAGES
from interface.pages import messages
from tests.support.signed_in_browser import SignedIn

PLACEHOLDER = re.compile(r"%\(\w+\)s|\{\w+\}|</?\w+>")


@pytest.fixture(scope="module", params=[each for each in LANGUAGES if each != "en"])
def catalog(request: pytest.FixtureRequest, web_application: object) -> Catalog:
    """A catalogue with all texts of the pages, which take long to collect."""
    return messages.update(request.param)


def test_a_catalogue_has_words_for_every_text_and_no_others(catalog: Catalog) -> None:
    before = (messages.FOLDER / f"{catalog.locale}.po").read_text()
    assert messages.missing(catalog) == []
    kept = {message.id for message in catalog if message.id}
    assert before.count('msgid "') == len(kept), "run python -m interface.pages.messages"


def test_a_message_with_only_a_fuzzy_translation_has_none() -> None:
    catalog = Catalog(locale="de")
    catalog.add("Link", "Link")
    catalog.add("Links", "Link", flags=["fuzzy"])
    assert messages.missing(catalog) == ["Links"]


def test_translations_keep_every_placeholder(catalog: Catalog) -> None:
    for message in catalog:
        if message.id:
            texts = _forms(message.string)
            assert _placeholders(texts[-1:]) == _placeholders(_forms(message.id)), message.id
            assert _placeholders(texts) <= _placeholders(_forms(message.id)), message.id


def _forms(text: object) -> list[str]:
    return [str(each) for each in text] if isinstance(text, tuple | list) else [str(text)]


def _placeholders(texts: list[str]) -> set[str]:
    return {found for text in texts for found in PLACEHOLDER.findall(text)}


def test_pages_speak_the_language_that_the_browser_asks_for(app: Flask, person: SignedIn) -> None:
    for wanted, language, word in (
        ("de-AT,de;q=0.9,en;q=0.5", "de", "Einstellungen"),
        ("en-GB", "en", "Settings"),
        ("fr,ja;q=0.5", "en", "Settings"),
        ("fr,de;q=0.5", "de", "Einstellungen"),
        ("complete nonsense;;;q=x", "en", "Settings"),
    ):
        page = person.get("/", headers={"Accept-Language": wanted}).get_data(as_text=True)
        assert f'<html lang="{language}">' in page
        assert word in page


def test_what_is_wrong_with_a_value_is_said_in_the_readers_language(person: SignedIn) -> None:
    answer = person.post(
        "/account/password",
        {"password": "short", "password_again": "short"},
        headers={"Accept-Language": "de"},
    )
    assert "Muss 12 bis 256 Zeichen lang sein." in answer.get_data(as_text=True)
