"""The page of a history: in full, as of a moment, and compared."""

import re
from datetime import timedelta
from html import unescape

import pytest

from interface.bootstrap import Services
from interface.pages.auditor import histories
from tests.interface.pages.page_text import text, words
from tests.support.audit_trail import BookedLink
from tests.support.examples import A_DAY, NINE
from tests.support.owner import Owner
from tests.support.signed_in_browser import SignedIn


def test_a_history_shows_each_event_with_personal_data_and_changes(
    auditor: SignedIn, booked: BookedLink
) -> None:
    answer = auditor.get(f"/audit/history/{booked.link}")
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
    assert f'<dt><code>booking_id</code></dt><dd><a href="/audit/history/{booked.booking}">' in (
        re.sub(r">\s+<", "><", text(answer))
    )
    assert re.search(r"slot_start Nov 24, 2026, 10:00:00\sAM Nov 24, 2026, 9:00:00\sAM UTC", page)


def test_each_link_and_booking_leads_to_its_history_whoever_may_read_it(
    person: SignedIn, booked: BookedLink, services: Services
) -> None:
    def led_to() -> list[str]:
        pages = (f"/links/{booked.link}", f"/bookings/{booked.booking}")
        found = (re.search(r'href="/audit/history/([^"]+)"', text(person.get(it))) for it in pages)
        return [match[1] for match in found if match]

    assert led_to() == []
    services.accounts.change_roles(person.account, ("owner", "auditor"))
    assert led_to() == [booked.link, booked.booking]


def test_a_history_shows_what_a_link_offers_and_how_it_was_changed(
    auditor: SignedIn, owner: Owner
) -> None:
    offer = {"from": A_DAY, "slots": [NINE], "duration_minutes": 60}
    link = owner.new_link(offer=offer, prefill={"name": "Ada"})
    owner.patch(f"/links/{link['id']}", {"reference": "case-17"}, **{"If-Match": "*"})
    page = words(auditor.get(f"/audit/history/{link['id']}"))
    for said in (
        f"offer.first_day {A_DAY}",
        "offer.duration_minutes 60",
        f'offer.slots ["{NINE}"]',
        "prefill_name Ada",
        "Link changed",
        "reference case-17",
    ):
        assert said in page, said
    assert page.count("matches the record") == 2


def test_forgotten_personal_data_is_marked(
    auditor: SignedIn, owner: Owner, booked: BookedLink
) -> None:
    owner.catch_up()
    owner.post(f"/bookings/{booked.booking}/forget-invitee")
    page = words(auditor.get(f"/audit/history/{booked.booking}"))
    assert page.count("[forgotten]") == 2
    assert "Invitee forgotten" in page
    assert "ada@example.org" not in page
    assert "matches the record" not in page


def test_personal_data_that_was_changed_is_marked(
    auditor: SignedIn, booked: BookedLink, services: Services
) -> None:
    with services.database.connection() as conn:
        conn.execute("""UPDATE personal_data SET data = data || '{"note": "Never met"}'""")
    assert "DOES NOT match the record" in words(auditor.get(f"/audit/history/{booked.link}"))


def test_a_history_is_shown_as_of_a_position(auditor: SignedIn, booked: BookedLink) -> None:
    answer = auditor.get(f"/audit/history/{booked.link}?position=2")
    page = words(answer)
    assert "History as of position 2." in page
    assert "1 of 4 events had happened." in page
    assert "State at that moment" in page
    assert "Booking made" not in page[page.index("1 of 4 events had happened.") :]
    nothing = auditor.get(f"/audit/history/{booked.link}?position=1")
    assert (nothing.status_code, "No events had happened yet" in words(nothing)) == (200, True)


def test_a_history_is_shown_as_of_a_time_in_the_auditors_zone(
    auditor: SignedIn, booked: BookedLink, services: Services
) -> None:
    row = services.database.fetch_one(
        "SELECT (max(recorded_at) AT TIME ZONE 'Europe/Paris') AS local FROM stored_events"
    )
    assert row is not None
    for minutes, said in ((2, "4 of 4 events"), (-2, "No events had happened yet")):
        at = (row["local"] + timedelta(minutes=minutes)).isoformat(timespec="seconds")
        assert said in words(auditor.get(f"/audit/history/{booked.link}?at={at}"))
    for at, is_ahead in (("2099-12-31T09:00", True), ("2026-11-01T09:00", False)):
        page = words(auditor.get(f"/audit/history/{booked.link}?at={at}"))
        assert ("This moment is in the future" in page) is is_ahead


def test_two_moments_are_compared(auditor: SignedIn, booked: BookedLink) -> None:
    page = text(auditor.get(f"/audit/history/{booked.link}?from=2&to=6"))
    compared = page[page.index('id="compared"') : page.index("<h2>History</h2>")]
    assert re.search(r"<del>\s*active\s*</del>.*?<ins>\s*redeemed\s*</ins>", compared, re.S)
    assert booked.booking in compared
    same = auditor.get(f"/audit/history/{booked.link}?from=6&to=6")
    assert "Nothing changed between these moments." in words(same)


@pytest.mark.parametrize("query", ["at=then", "position=-1", "from=x", "to=x"])
def test_an_invalid_moment_is_reported_beside_its_field(
    auditor: SignedIn, booked: BookedLink, query: str
) -> None:
    answer = auditor.get(f"/audit/history/{booked.link}?{query}")
    assert answer.status_code == 422
    assert f'id="{query.partition("=")[0]}-help" class="error"' in text(answer)
    assert "Link issued" in words(answer)


def test_a_long_history_has_pages(
    auditor: SignedIn, booked: BookedLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(histories, "PAGE_SIZE", 3)
    first = auditor.get(f"/audit/history/{booked.link}?position=6")
    assert "4 of 4 events had happened." in words(first)
    assert "State after these events" in words(first)
    (following,) = re.findall(r'<a href="([^"]+)" rel="next">', text(first))
    rest = auditor.get(unescape(following))
    assert "State at that moment" in words(rest)
    assert (text(first).count('<li id="p'), text(rest).count('<li id="p')) == (3, 1)
    assert 'rel="next"' not in text(rest)


def test_the_agenda_of_an_owner_is_shown_over_a_period(
    auditor: SignedIn, booked: BookedLink
) -> None:
    path = f"/audit/agendas/{booked.owner}"
    by_default = words(auditor.get(path))
    assert "Time reserved" in by_default
    assert booked.booking in by_default
    assert words(auditor.get(f"{path}?from=2026-11-24&to=2026-11-24")).count("Time reserved") == 1
    none = auditor.get(f"{path}?from=2026-11-01&to=2026-11-02")
    assert "No time was reserved on these days" in words(none)
    for query in ("from=today", "from=2026-11-02&to=2026-11-01", "from=2020-01-01&to=2026-11-01"):
        assert auditor.get(f"{path}?{query}").status_code == 422
