"""Searches a list of links for words that people typed: among its first links, then by an index.

A common text is soon found among the first links of the list, a rare one by the index of trigrams,
which covers all owners. The index is not used if there are no more links. If it finds more than
5,000 texts, more of the list is read instead: step by step to its end for a text with trigrams, the
first 100,000 links for a shorter one. Of a short text the index finds only beginnings of words, so
the first links are read as well.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from uuid import UUID

from psycopg import sql

from application.eventstore.database import Database
from application.people.typed_search import FIRST_PATTERN, PATTERNS, has_trigram, has_words

R = TypeVar("R")
Values = Mapping[str, Any]

SEARCHED_FIRST = 1000  # links
THEN_SEARCHED = (10_000, 100_000, 1_000_000, 10_000_000)  # links, by one attempt after another
MOST_FOUND = 5000  # texts

# Whatever has a word has a key that has the word's. Not the other way round, and the key has the
# notes of an invitee as well, so those that remain are compared in full.
_SEARCHED = """concat_ws(E'\\n', typed.data->>'recipient', typed.data->>'note',
    typed.data->>'reference', typed.data->>'prefill_name', typed.data->>'prefill_email',
    made.data->>'name', made.data->>'email')"""
_MATCHES = sql.SQL(f"""
    concat_ws(E'\\n', typed.search_key, made.search_key) LIKE ALL ({PATTERNS})
    AND {has_words(_SEARCHED)}""")

# A key that has the word somewhere, if that has trigrams of which the index knows. One or two
# letters have such only at the beginning of a word.
_SOMEWHERE = sql.SQL(f"search_key LIKE {FIRST_PATTERN}")
_BEGINS_A_WORD = sql.SQL(r"""search_key ~ (SELECT '(^|[ \n.,@_+/()-])'
    || regexp_replace(search_key((%(words)s::text[])[1]), '([^a-z0-9])', '\\\1', 'g'))""")

_SEARCH_AMONG_FIRST = sql.SQL("""
    SELECT link_id FROM (
        SELECT * FROM {links} WHERE {conditions} ORDER BY {sorted} LIMIT {first}
    ) AS first {typed}
    WHERE {matches} ORDER BY {sorted} LIMIT {limit}""")

_BEYOND = sql.SQL("SELECT FROM {links} WHERE {conditions} ORDER BY {sorted} OFFSET {first} LIMIT 1")

_FIND = sql.SQL("""
    SELECT originator_id FROM personal_data
    WHERE EXISTS (SELECT FROM {links} WHERE {conditions} ORDER BY {sorted} OFFSET {first})
        AND {is_found} LIMIT {most} + 1""")

_SEARCH_BY_INDEX = sql.SQL("""
    WITH found AS MATERIALIZED (
        SELECT id FROM unnest(%(found)s::uuid[]) AS found (id)
    ), candidates AS MATERIALIZED (
        SELECT link.* FROM found CROSS JOIN LATERAL (
            SELECT * FROM {links} WHERE link_id = id
            UNION ALL SELECT * FROM {links} WHERE booking_id = id OFFSET 0
        ) AS link WHERE {conditions}{besides}
    )
    SELECT link_id FROM candidates {typed}
    WHERE {matches} GROUP BY link_id, {columns} ORDER BY {sorted} LIMIT {limit}""")

_AND_THE_FIRST = sql.SQL("""
        UNION ALL SELECT * FROM (
            SELECT * FROM {links} WHERE {conditions} ORDER BY {sorted} LIMIT {first}
        ) AS first WHERE EXISTS (SELECT FROM found)""")


@dataclass(frozen=True)
class LinkSearch(Generic[R]):
    """A search for `words`, at least one, that returns at most `limit` links.

    `parts` are those of the list's queries: its `links`, the `conditions`, by what they are
    `sorted`, and the join of what people `typed`. `values` are the values in them. `read` returns
    the links of the list whose ids a query chooses.
    """

    database: Database
    words: Sequence[str]
    limit: int
    parts: Mapping[str, sql.Composable]
    values: Values
    read: Callable[[sql.Composable, Values], list[R]]

    def run(self) -> list[R]:
        """Returns the links in the order of the list."""
        links = self._among_first(SEARCHED_FIRST)
        if len(links) == self.limit:
            return links
        is_long = has_trigram(self.words[0])
        found = self._texts(_SOMEWHERE if is_long else _BEGINS_A_WORD)
        if len(found) <= MOST_FOUND:
            besides = sql.SQL("") if is_long else self._query(_AND_THE_FIRST)
            page = self._query(_SEARCH_BY_INDEX, besides=besides)
            return self.read(page, {**self.values, "found": found}) or links
        for first in THEN_SEARCHED if is_long else THEN_SEARCHED[:2]:
            links = self._among_first(first)
            if len(links) == self.limit or not self._has_more_than(first):
                break
        return links

    def _among_first(self, first: int) -> list[R]:
        return self.read(self._query(_SEARCH_AMONG_FIRST, first=sql.Literal(first)), self.values)

    def _has_more_than(self, first: int) -> bool:
        query = self._query(_BEYOND, first=sql.Literal(first))
        return self.database.fetch_one(query, self.values) is not None

    def _texts(self, is_found: sql.SQL) -> list[UUID]:
        """Returns the links and bookings with texts that the index finds: at most one too many."""
        query = self._query(_FIND, is_found=is_found, most=sql.Literal(MOST_FOUND))
        return [row["originator_id"] for row in self.database.fetch_all(query, self.values)]

    def _query(self, template: sql.SQL, **parts: sql.Composable) -> sql.Composed:
        first = sql.Literal(SEARCHED_FIRST)
        return template.format(**{**self.parts, "matches": _MATCHES, "first": first, **parts})
