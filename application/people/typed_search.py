"""Searches texts for words in any order, whatever their accents, capitals and quotes.

The parts of queries here take the parameter `words`, which is what `words_of` returns. Texts are
compared as the function `folded` of the schema returns them, and `search_key` makes of them what
an index of trigrams holds.
"""

import re
from unicodedata import normalize

from domain.visible_text import is_visible

PATTERNS = """(SELECT array_agg('%%' || search_key(word) || '%%')
    FROM unnest(%(words)s::text[]) AS word)::text[]"""
"""An array of patterns. A key that has all the words matches each, but a few others do as well."""

FIRST_PATTERN = "(SELECT '%%' || search_key((%(words)s::text[])[1]) || '%%')"
"""The pattern of the word that fewest texts are likely to have."""

_HAS_TRIGRAM = re.compile(r"[a-z0-9]{3}|[^\W\x00-\x7f]", re.IGNORECASE)


def words_of(text: str) -> list[str]:
    """Returns the words to search for, first the one that fewest texts are likely to have.

    Those are numbers, then long words. What nobody could see is not a word.
    """
    words = dict.fromkeys(word for word in text.split() if is_visible(word))
    return sorted(words, key=lambda word: (not any(map(str.isdigit, word)), -len(word)))


def has_trigram(word: str) -> bool:
    """Returns True if the index of searched texts can find this word: if it has three letters."""
    return _HAS_TRIGRAM.search(normalize("NFKD", word)) is not None


def has_words(text: str) -> str:
    """Returns a condition that a text, given as an expression of SQL, has all the words."""
    return f"""(SELECT bool_and(strpos(folded_text, folded_word) > 0)
        FROM (SELECT folded({text}) AS folded_text OFFSET 0) AS once,
            unnest((SELECT array_agg(folded(word))
                FROM unnest(%(words)s::text[]) AS word)) AS folded_word)"""  # noqa: S608
