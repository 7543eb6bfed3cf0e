"""Search in the list of links: what is found, and that it finds it by an index."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from hashlib import md5
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import Connection, sql
from psycopg.rows import DictRow, dict_row

from application.eventstore.database import Database
from application.people.personal_data import Invitee, Prefill
from domain.link import LinkStatus
from projections.views import link_list, link_search
from projections.views.link_list import LinkOrder, links_of
from tests.support.desk import Desk
from tests.support.examples import ADA, NOW, OWNER, TOMORROW_AT_NINE

Search = Callable[[str], list[UUID]]


@pytest.fixture(params=[0, 1000], ids=["by the index", "among the first links"])
def search(
    desk: Desk,
    catch_up: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Search:
    """Finds links in each of the two ways."""
    monkeypatch.setattr(link_search, "SEARCHED_FIRST", request.param)

    def find(q: str) -> list[UUID]:
        catch_up()
        found = links_of(desk.services.database, OWNER, now=NOW, limit=50, q=q)
        return [row.id for row in found]

    return find


@pytest.mark.parametrize(
    ("typed", "q"),
    [
        ("Zoë Ångström", "zoe angstrom"),
        ("Zoe Angstrom", "ÅNGSTRÖM"),
        ("Łukasz Ørsted", "lukasz orsted"),
        ("Straße 12", "STRASSE"),
        ("Мария Кюри", "мария"),
        ("李明", "李"),
        ("50% off_now", "50% off_"),
        ("C:\\path", "C:\\p"),
        ("Ada\u0301", "ADÁ"),
        ("Ada Lovelace", "lovelace ada"),
        ("Ada Byron King", "king   byron"),
        ("Seán O\u2019Brien", "sean o'brien"),
        ('The "Big" Deal', "\u201cBIG\u201d deal"),
        ("Jean\u2011Luc", "jean-luc"),
        ("\uff21\uff23\uff2d\uff25", "acme"),
        ("Ac\u200bme", "acme"),
    ],
)
def test_a_text_is_found_whatever_its_accents_and_capitals(
    desk: Desk, search: Search, typed: str, q: str
) -> None:
    calendar_id = desk.new_calendar()
    wanted = desk.new_link(calendar_id, recipient=typed)
    desk.new_link(calendar_id, recipient="Somebody else", note="320320 50x offend C:path")
    assert search(q) == [wanted]


def test_one_or_two_letters_are_found_where_a_word_begins_however_many_links_there_are(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, catch_up: Callable[[], None]
) -> None:
    monkeypatch.setattr(link_search, "SEARCHED_FIRST", 1)
    calendar_id = desk.new_calendar()
    of_li, alib = desk.new_link(calendar_id, recipient="Wei Li"), desk.new_link(calendar_id)
    desk.change_link(alib, recipient="Alib", reference="R (42)")
    _, newest = desk.new_links(calendar_id, 2)
    desk.change_link(newest, recipient="Ali")
    catch_up()

    def find(q: str) -> list[UUID]:
        return [row.id for row in links_of(desk.services.database, OWNER, now=NOW, limit=9, q=q)]

    assert find("lI") == [newest, of_li]
    assert find("42") == find("r") == [alib]
    assert find("(4") == [alib]
    assert find("zz") == []


def test_a_text_that_very_many_have_is_looked_for_in_growing_parts_of_the_list(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, catch_up: Callable[[], None]
) -> None:
    monkeypatch.setattr(link_search, "SEARCHED_FIRST", 1)
    monkeypatch.setattr(link_search, "THEN_SEARCHED", (2, 3, 4))
    monkeypatch.setattr(link_search, "MOST_FOUND", 2)
    calendar_id = desk.new_calendar()
    names = ("Bob Li", "Bob", "Bob", "Limbob Rossi")
    oldest, second, third, newest = (desk.new_link(calendar_id, recipient=name) for name in names)
    catch_up()

    def find(q: str) -> list[UUID]:
        return [row.id for row in links_of(desk.services.database, OWNER, now=NOW, limit=4, q=q)]

    assert find("bob") == find("b bob") == [newest, third, second, oldest]
    assert find("bo") == [newest, third, second]
    assert find("li") == find("bob li") == [newest, oldest]
    assert find("ss") == [newest]


def test_a_link_is_found_once_though_link_and_invitee_have_the_text(
    desk: Desk, search: Search
) -> None:
    calendar_id = desk.new_calendar()
    first = desk.new_link(calendar_id, recipient="Ada Lovelace")
    second = desk.new_link(calendar_id, note="for Ada Lovelace")
    desk.redeem(first, TOMORROW_AT_NINE, ADA)
    assert search("ada lovelace") == [second, first]


def test_each_word_may_be_in_another_text_and_none_may_be_missing(
    desk: Desk, search: Search
) -> None:
    prefill = Prefill("Grace Hopper", "grace@navy.example")
    link_id = desk.new_link(recipient="Acme Ltd", reference="PO 4711", prefill=prefill)
    desk.redeem(link_id, TOMORROW_AT_NINE, ADA)
    for q in ("4711 acme", "hopper", "navy.example acme", "ada acme", "lovelace hopper ltd"):
        assert search(q) == [link_id], q
    for q in ("4711 acne", "4712", "ada lovelace babbage", "\u200b", "\u0301"):
        assert search(q) == [], q


def test_a_link_is_found_by_its_newest_text_and_not_by_notes_of_the_invitee(
    desk: Desk, search: Search
) -> None:
    link_id = desk.new_link(note="first draft")
    desk.change_link(link_id, note="second draft")
    desk.redeem(link_id, TOMORROW_AT_NINE, ADA, notes="third draft")
    assert search("second draft") == [link_id]
    assert search("first draft") == search("third draft") == []


def test_who_is_forgotten_is_found_no_more_and_leaves_no_key(
    desk: Desk, search: Search, conn: Connection[DictRow]
) -> None:
    link_id = desk.new_link(recipient="Zoë Ångström")
    booking_id = desk.book(link_id, invitee=Invitee("Zoë Ångström", "zoe@example.org"))
    assert search("ångström") == [link_id]
    desk.forget(booking_id)
    assert search("ångström") == []
    query = "SELECT count(*) AS keys FROM personal_data WHERE search_key LIKE '%angstrom%'"
    assert conn.execute(query).fetchone() == {"keys": 0}


# Plans

MANY = 100_000


@pytest.fixture(scope="module")
def full_database(new_database: Callable[[], str]) -> str:
    """A database with many links, nine tenths of them of one owner, and what was typed with them.

    No statistics of it have been gathered.
    """
    conninfo = new_database()
    with psycopg.connect(conninfo) as conn:
        conn.execute(
            sql.SQL("""
            WITH made AS (
                INSERT INTO {links} (link_id, owner_id, calendar_id, position, version,
                    typed_version, issued_at, expires_at, redeemed_at, booking_id, revoked_at)
                SELECT md5(n::text)::uuid,
                    CASE WHEN n % 10 = 0 THEN md5('owner' || n % 1000)::uuid ELSE {owner} END,
                    md5('calendar' || n % 7)::uuid, n, 1, 1, {now},
                    {now} + (n * 7919 % 2000 - 1000) * interval '1 hour',
                    CASE WHEN n % 3 = 0 THEN {now} END,
                    CASE WHEN n % 3 = 0 THEN md5('booking' || n)::uuid END,
                    CASE WHEN n % 50 = 1 THEN {now} END
                FROM generate_series(1, {many}::bigint) AS n
                RETURNING link_id, position, booking_id
            ), booked AS (
                INSERT INTO {bookings} (booking_id, booking_start, booking_end, booking_status)
                SELECT booking_id, {now}, {now} + interval '1 hour', 'confirmed'
                FROM made WHERE booking_id IS NOT NULL
            )
            INSERT INTO personal_data (originator_id, originator_version, salt, data)
            SELECT link_id, 1, '', CASE WHEN position % 100 = 0
                THEN jsonb_build_object('recipient', 'Person ' || position) ELSE '{{}}' END
            FROM made""").format(
                links=link_list.LINKS.identifier,
                bookings=link_list.BOOKINGS.identifier,
                owner=sql.Literal(OWNER),
                now=sql.Literal(NOW),
                many=sql.Literal(MANY),
            )
        )
    return conninfo


class Explained:
    """Keeps the plans of all queries that go to a database."""

    def __init__(self, conn: Connection[DictRow]) -> None:
        self._conn = conn
        self.nodes: list[tuple[str, str | None]] = []

    def fetch_all(self, query: sql.Composed, values: dict[str, Any]) -> list[DictRow]:
        """Plans the query, and finds nothing."""
        explain = sql.SQL("EXPLAIN (FORMAT JSON) ") + query
        (row,) = self._conn.execute(explain, values).fetchall()
        plan = row["QUERY PLAN"]
        self.nodes += _nodes((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"])
        return []


def _nodes(plan: dict[str, Any]) -> Iterator[tuple[str, str | None]]:
    yield plan["Node Type"], plan.get("Index Name") or plan.get("Relation Name")
    for part in plan.get("Plans", ()):
        yield from _nodes(part)


@pytest.fixture(scope="module", params=[False, True], ids=["without statistics", "with statistics"])
def planner(full_database: str, request: pytest.FixtureRequest) -> Iterator[Connection[DictRow]]:
    """A database whose statistics are missing, or there."""
    with psycopg.connect(full_database, row_factory=dict_row, autocommit=True) as conn:
        if request.param:
            conn.execute("VACUUM ANALYZE")
        yield conn


@pytest.fixture
def explained(planner: Connection[DictRow]) -> Explained:
    """The plans of the queries of a test."""
    return Explained(planner)


_WISHES: list[dict[str, Any]] = [
    {},
    {"before": MANY // 2},
    {"after": MANY // 2},
    {"order": LinkOrder.OLDEST, "before": MANY // 2},
    {"order": LinkOrder.EXPIRING},
    {"order": LinkOrder.EXPIRING, "before": MANY // 2},
    {"calendar_id": UUID(md5(b"calendar3", usedforsecurity=False).hexdigest())},
    {"ids": [UUID(int=7)]},
    {"positions": (MANY // 2, MANY // 2 + 500)},
    {"q": "Person 1234"},
    {"q": "Person 1234", "order": LinkOrder.EXPIRING, "before": MANY // 2},
    {"q": "Pe"},
    {"q": "p", "order": LinkOrder.EXPIRING, "before": MANY // 2},
    *({"status": status} for status in LinkStatus),
]


@pytest.mark.parametrize("wish", _WISHES, ids=str)
def test_no_list_reads_a_table_from_end_to_end(explained: Explained, wish: dict[str, Any]) -> None:
    links_of(as_database(explained), OWNER, now=NOW + timedelta(days=1), limit=51, **wish)
    assert [node for node in explained.nodes if node[0] == "Seq Scan"] == []


@pytest.mark.parametrize(
    ("wish", "index"),
    [
        ({}, "newest"),
        ({"before": MANY // 2}, "newest"),
        ({"order": LinkOrder.OLDEST}, "newest"),
        ({"order": LinkOrder.EXPIRING, "before": MANY // 2}, "expiring"),
    ],
    ids=str,
)
def test_a_page_is_chosen_from_an_index_alone(
    explained: Explained, wish: dict[str, Any], index: str
) -> None:
    links_of(as_database(explained), OWNER, now=NOW, limit=51, **wish)
    assert ("Index Only Scan", f"{link_list.NAME}_{index}") in explained.nodes


@pytest.mark.parametrize("q", ["Person 1234", "Pe", "p"])
def test_a_text_is_looked_up_in_the_index_of_trigrams(explained: Explained, q: str) -> None:
    links_of(as_database(explained), OWNER, now=NOW, limit=51, q=q)
    assert ("Bitmap Index Scan", "personal_data_search") in explained.nodes


def as_database(explained: Explained) -> Database:
    """Passes the one method off that lists need."""
    stand_in: Any = explained
    return stand_in  # type: ignore[no-any-return]
