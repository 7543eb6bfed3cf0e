"""Texts in which there is nothing to see: spaces, marks without a letter, invisible signs."""

import re

VISIBLE = (
    r"[^\x00-\x20\x7f-\xa0\xad\u0300-\u036f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    r"\u2000-\u200f\u2028-\u202f\u205f-\u206f\u2800\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb]"
)
"""A character that can be seen, as a regular expression."""

_VISIBLE = re.compile(VISIBLE)


def is_visible(text: str) -> bool:
    """Returns True if the text has a letter or another sign that can be seen.

    A name or a note without one counts as empty: nobody could tell it from nothing.
    """
    return _VISIBLE.search(text) is not None
