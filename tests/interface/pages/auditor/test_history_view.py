"""The story of a link or a booking at a browser: told in full, as of a moment, compared."""

import re
from datetime import timedelta

import pytest

from interface.bootstrap import Services
from tests.conftest import Owner
from tests.interface.pages.page_text import text, words
from tests.support.audit_trail import Story
from tests.support.signed_in_browser import SignedIn


def test_a_story_tells_each_event_what_was_typed_and_what_changed(
    inspector: SignedIn, story: Story
) -> None:
    answer = inspector.get(f"/audit/history/{story.link}")
    page = words(answer)
    for said in (
        "Link issued",
        "Link used",
        "Booking made",
        "Time reserved",
        "Met in Lyon",
        "ada@example.org",
        "matches the record",
        "invitee",
        "Current state",
    ):
        assert said in page, said
    assert re.search(r"<del>\s*active\s*</del>.*?<ins>\s*redeemed\s*</ins>", text(answer), re.S)
    assert f'<dt><code>booking_id</code></dt><dd><a href="/audit/history/{story.booking}">' in (
        re.sub(r">\s+<", "><", text(answer))
    )
    assert re.search(r"slot_start Nov 24, 2026, 10:00:00\sAM Nov 24, 2026, 9:00:00\sAM UTC", page)


def test_what_was_forgotten_is_said_to_be(inspector: SignedIn, owner: Owner, story: Story) -> None:
    owner.catch_up()
    owner.post(f"/bookings/{story.booking}/forget-invitee")
    page = words(inspector.get(f"/audit/history/{story.booking}"))
    assert page.count("[forgotten]") == 2
    assert "Invitee forgotten" in page
    assert "ada@example.org" not in page
    assert "matches the record" not in page


def test_what_was_changed_behind_our_back_stands_out(
    inspector: SignedIn, story: Story, services: Services
) -> None:
    with services.database.connection() as conn:
        conn.execute("""UPDATE personal_data SET data = data || '{"note": "Never met"}'""")
    assert "DOES NOT match the record" in words(inspector.get(f"/audit/history/{story.link}"))


def test_a_story_is_told_as_of_a_position(inspector: SignedIn, story: Story) -> None:
    answer = inspector.get(f"/audit/history/{story.link}?position=2")
    page = words(answer)
    assert "History as of position 2." in page
    assert "1 of 4 events had happened." in page
    assert "State at that moment" in page
    assert "Booking made" not in page[page.index("1 of 4 events had happened.") :]
    nothing = inspector.get(f"/audit/history/{story.link}?position=1")
    assert (nothing.status_code, "No events had happened yet" in words(nothing)) == (200, True)


def test_a_story_is_told_as_of_the_auditors_wall_clock(
    inspector: SignedIn, story: Story, services: Services
) -> None:
    row = services.database.fetch_one(
        "SELECT (max(recorded_at) AT TIME ZONE 'Europe/Paris') AS local FROM stored_events"
    )
    assert row is not None
    for minutes, said in ((2, "4 of 4 events"), (-2, "No events had happened yet")):
        at = (row["local"] + timedelta(minutes=minutes)).isoformat(timespec="seconds")
        assert said in words(inspector.get(f"/audit/history/{story.link}?at={at}"))


def test_two_moments_are_compared(inspector: SignedIn, story: Story) -> None:
    page = text(inspector.get(f"/audit/history/{story.link}?from=2&to=6"))
    compared = page[page.index('id="compared"') : page.index("<h2>History</h2>")]
    assert re.search(r"<del>\s*active\s*</del>.*?<ins>\s*redeemed\s*</ins>", compared, re.S)
    assert story.booking in compared
    same = inspector.get(f"/audit/history/{story.link}?from=6&to=6")
    assert "Nothing changed between these moments." in words(same)


@pytest.mark.parametrize("query", ["at=then", "position=-1", "from=x", "to=x"])
def test_a_moment_that_is_none_is_told_beside_its_field(
    inspector: SignedIn, story: Story, query: str
) -> None:
    answer = inspector.get(f"/audit/history/{story.link}?{query}")
    assert answer.status_code == 422
    assert f'id="{query.partition("=")[0]}-help" class="error"' in text(answer)
    assert "Link issued" in words(answer)
