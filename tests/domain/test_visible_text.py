"""Texts in which there is something to see, and others."""

import pytest

from domain.errors import Invalid
from domain.visible_text import is_visible
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
