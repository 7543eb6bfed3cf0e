"""Texts in which there is something to see, and others."""

import pytest

from domain.errors import Invalid
from domain.visible_text import is_visible, without_misleading
from tests.support.desk import terms

SEEN = ("a", "é", "e\u0301", "李", "ليلى", "👩\u200d👧", "-", "‽", "\u200bx", "\u0e01\u0e34", "1")
UNSEEN = ("", " ", "\u200b", "\u00a0\u3000", "\u2800", "\u3164", "\u0301", "\ufeff\u202e", "\n\t\0")


@pytest.mark.parametrize("text", SEEN, ids=ascii)
def test_a_letter_or_a_sign_is_seen_whatever_is_around_it(text: str) -> None:
    assert is_visible(text)
    terms(name=text).check()


@pytest.mark.parametrize("text", UNSEEN, ids=ascii)
def test_a_name_without_anything_to_see_is_empty(text: str) -> None:
    assert not is_visible(text)
    with pytest.raises(Invalid) as refused:
        terms(name=text).check()
    assert list(refused.value.errors) == ["name"]


@pytest.mark.parametrize("sign", "\u200b\u202a\u202e\u2060\u2066\u2069\ufeff\ufff9", ids=ascii)
def test_what_makes_a_text_look_like_another_is_left_out(sign: str) -> None:
    assert without_misleading(f"A{sign}da{sign}") == "Ada"


@pytest.mark.parametrize("text", [*SEEN[:8], "می\u200cخواهم", "\u200f(ליאור)"], ids=ascii)
def test_letters_of_all_languages_and_emoji_stay_as_they_are(text: str) -> None:
    assert without_misleading(text) == text
