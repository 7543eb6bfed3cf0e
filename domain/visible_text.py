"""Finds the visible characters of a text, and removes misleading ones."""

import re

VISIBLE = (
    r"[^\x00-\x20\x7f-\xa0\xad\u0300-\u036f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    r"\u2000-\u200f\u2028-\u202f\u205f-\u206f\u2800\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb]"
)
"""A character that can be seen, as a regular expression."""

# Those that turn the direction of the text after them, and those without a width. Letters of some
# languages, and emoji, need the joiners U+200C and U+200D, and the marks U+200E, U+200F and U+061C.
_MISLEADING = re.compile(r"[\u200b\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]")

_VISIBLE = re.compile(VISIBLE)


def is_visible(text: str) -> bool:
    """Returns True if the text has a letter or another sign that can be seen.

    A name or a note without one counts as empty: nobody could tell it from nothing.
    """
    return _VISIBLE.search(text) is not None


def without_misleading(text: str) -> str:
    """Returns the text without invisible signs by which it looks like another one.

    One of them shows what comes after it backwards, so that "txt.exe" reads "exe.txt". They come
    along unseen when something is copied, so nobody is told.
    """
    return _MISLEADING.sub("", text)
