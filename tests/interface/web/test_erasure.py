"""Forgetting a person: by API, page and command line, and by itself."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from threading import Event

import pytest

from application.people.refused_attempts import RefusedAttempts
from domain.errors import Unavailable
from interface.bootstrap import Services, build
from interface.runtime import retention_loop
from interface.settings import Settings
from projections import retention
from projections.catalogue import CATALOGUE
from tests.conftest import Clock, Owner, apply_log
from tests.interface.pages.page_text import words
from tests.support import calls
from tests.support.calls import NINE, booked, new_link, redeem, unknown_id
from tests.support.command_line import Command, refusal
from tests.support.diary import Diary
from tests.support.examples import ADA, GRACE, NOW, TOMORROW_AT_NINE
from tests.support.service import log_of, running_service, wait_until
from tests.support.signed_in_browser import SignedIn
from tests.support.stored_rows import personal_data, query


@pytest.fixture
def diary(services: Services, owner: Owner) -> Diary:
    """What the owner does."""
    return Diary(services, owner.account)


@pytest.fixture
def booking_id(diary: Diary, catch_up: Callable[[], None]) -> str:
    """A booking of Ada's, by a link that was meant for her."""
    calendar = diary.calendar()
    return str(diary.booking(calendar, TOMORROW_AT_NINE, notes="By phone", recipient="Countess"))


def forgetters(conninfo: str) -> list[str]:
    """By whom people were forgotten, in order."""
    rows = query(
        conninfo,
        "SELECT data->>'actor' FROM log WHERE topic = 'booking.invitee_forgotten'",
    )
    return [actor for (actor,) in rows]


def test_an_owner_forgets_an_invitee_as_often_as_they_ask(owner: Owner, conninfo: str) -> None:
    link = new_link(owner, recipient="Countess")
    booking = booked(owner, link, notes="By phone")
    path = f"/bookings/{booking['booking_id']}"
    before = owner.get(path).json
    assert before["invitee"]["name"] == ADA.name
    answers = [owner.post(f"{path}/forget-invitee") for _ in range(2)]
    for answer in answers:
        assert answer.status_code == 200
        assert answer.json == before | {"invitee": None, "notes": None}
        assert answer.headers["X-Log-Position"] == answers[0].headers["X-Log-Position"]
    assert owner.get(path).json == answers[0].json
    shown = owner.get(f"/links/{link['id']}").json
    assert (shown["status"], shown["recipient"], shown["booking"]["invitee"]) == (
        "redeemed",
        None,
        None,
    )
    assert forgetters(conninfo) == [f"key:{owner.key.split('_')[1]}"]
    assert personal_data(conninfo) == []


def test_another_owners_invitee_is_not_there_to_forget(
    owner: Owner, new_owner: Callable[..., Owner], conninfo: str
) -> None:
    theirs = booked(owner, new_link(owner))["booking_id"]
    other = new_owner("Bob Other")
    for booking_id in (theirs, unknown_id()):
        answer = other.post(f"/bookings/{booking_id}/forget-invitee")
        assert calls.refusal(answer) == (404, "not-found")
    assert forgetters(conninfo) == []
    assert len(personal_data(conninfo)) == 1


def test_whoever_repeats_their_request_after_being_forgotten_hears_that_the_link_is_used(
    owner: Owner,
) -> None:
    link = new_link(owner)
    booking = booked(owner, link, key="k-1")
    owner.post(f"/bookings/{booking['booking_id']}/forget-invitee")
    assert calls.refusal(redeem(owner, link, NINE, key="k-1")) == (410, "link-redeemed")


def test_views_that_are_built_anew_show_that_somebody_was_forgotten(
    owner: Owner, booking_id: str, conninfo: str
) -> None:
    owner.post(f"/bookings/{booking_id}/forget-invitee")
    before = [owner.get(path).json for path in ("/bookings", "/links", "/calendars")]
    for projection in CATALOGUE:
        for table in projection.tables:
            query(conninfo, f"TRUNCATE {table.name}")
    query(conninfo, "UPDATE projection_positions SET position = 0")
    after = [owner.get(path).json for path in ("/bookings", "/links", "/calendars")]
    assert after == before
    assert [item["invitee"] for item in after[0]["items"]] == [None]


def test_the_page_says_what_goes_before_it_goes(
    person: SignedIn, booking_id: str, conninfo: str
) -> None:
    path = f"/bookings/{booking_id}"
    assert "Forget this person" in words(person.get(path))
    asked = words(person.get(f"{path}/forget"))
    for said in ("Ada Lovelace", "notes", "recipient", "can't be undone", "hasn't taken place yet"):
        assert said in asked
    assert forgetters(conninfo) == []
    for _ in range(2):
        answer = person.post(f"{path}/forget")
        assert answer.status_code == 303
        left = words(person.get(answer.headers["Location"]))
        assert "[forgotten]" in left
        assert "Everything they entered has been erased." in left
        for gone in ("Ada", "ada@example.org", "By phone", "Countess", "Forget this person"):
            assert gone not in left
    assert forgetters(conninfo) == [f"account:{person.account.id}"]
    assert person.get(f"{path}/forget").headers["Location"] == path
    for other in ("/bookings", "/links", "/bookings?view=week", "/"):
        page = words(person.get(other))
        assert "Ada" not in page
        assert "Countess" not in page


def test_the_page_speaks_german(person: SignedIn, booking_id: str) -> None:
    german = {"Accept-Language": "de"}
    asked = words(person.get(f"/bookings/{booking_id}/forget", headers=german))
    assert "Diese Person vergessen?" in asked
    assert "lässt sich nicht rückgängig machen" in asked
    person.post(f"/bookings/{booking_id}/forget")
    assert "[vergessen]" in words(person.get(f"/bookings/{booking_id}", headers=german))


def test_nobody_forgets_another_owners_invitee_by_its_page(
    person: SignedIn, services: Services, new_owner: Callable[..., Owner], conninfo: str
) -> None:
    other = Diary(services, new_owner("Nora Neighbour").account)
    path = f"/bookings/{other.booking(other.calendar(), TOMORROW_AT_NINE)}/forget"
    assert person.get(path).status_code == 404
    assert person.post(path).status_code == 404
    assert forgetters(conninfo) == []


def test_an_operator_forgets_by_command(
    admitone: Command, owner: Owner, booking_id: str, conninfo: str
) -> None:
    for _ in range(2):
        done = admitone("privacy", "forget", booking_id)
        assert done[:2] == (0, f"Forgot the invitee of booking {booking_id}.\n")
    assert forgetters(conninfo) == ["operator"]
    assert personal_data(conninfo) == []
    assert refusal(admitone("privacy", "forget", unknown_id())) == "There is no such booking."
    assert admitone("privacy", "forget", "nonsense").status == 2


def test_after_a_restore_an_operator_forgets_all_of_them_again(
    admitone: Command, booking_id: str, conninfo: str
) -> None:
    query(conninfo, "CREATE TABLE backup AS SELECT * FROM personal_data")
    try:
        admitone("privacy", "forget", booking_id)
        query(conninfo, "INSERT INTO personal_data SELECT * FROM backup")
        assert admitone("privacy", "reapply")[:2] == (0, "Erased 2 rows that had come back.\n")
        assert personal_data(conninfo) == []
        assert admitone("privacy", "reapply").out == "Erased 0 rows that had come back.\n"
    finally:
        query(conninfo, "DROP TABLE backup")


def test_an_operator_exports_what_is_held_about_an_address(
    admitone: Command, booking_id: str, tmp_path: Path
) -> None:
    done = admitone("privacy", "export", "Ada@example.org")
    held = json.loads(done.out)
    assert (done.status, done.err) == (0, "")
    assert [item["booking_id"] for item in held["typed"]] == [booking_id] * 2
    assert [item["data"] for item in held["typed"]][1]["name"] == ADA.name
    file = tmp_path / "held.json"
    assert admitone("privacy", "export", "ada@example.org", "--out", str(file)).out == ""
    assert file.read_text() == done.out.replace("Ada@example.org", "ada@example.org", 1)
    assert file.stat().st_mode & 0o777 == 0o600
    nowhere = str(tmp_path / "no" / "folder")
    assert "can't be written" in refusal(admitone("privacy", "export", "a@b", "--out", nowhere))
    assert json.loads(admitone("privacy", "export", "nobody@example.org").out)["typed"] == []


def forget_due(services: Services, *, days: int, stop: Event) -> int:
    now = services.now()
    return retention.forget_due_invitees(
        services.database,
        services.erasure,
        ended_by=now - timedelta(days=days),
        now=now,
        stop=stop,
    )


def test_invitees_are_forgotten_when_their_booking_has_been_over_for_so_many_days(
    diary: Diary,
    services: Services,
    clock: Clock,
    catch_up: Callable[[], None],
    conninfo: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(retention, "PAGE", 2)
    calendar = diary.calendar(minutes=30)
    starts = [TOMORROW_AT_NINE + timedelta(days=n) for n in range(6)]
    ids = [diary.booking(calendar, start) for start in starts]
    diary.cancel(ids[1])
    catch_up()
    assert forget_due(services, days=30, stop=Event()) == 0
    clock.time = starts[4] + timedelta(days=30, minutes=29)
    assert forget_due(services, days=30, stop=Event()) == 4
    assert {row[0] for row in personal_data(conninfo)} == set(ids[4:])
    clock.advance(minutes=1)
    assert forget_due(services, days=30, stop=Event()) == 1
    assert forget_due(services, days=30, stop=Event()) == 0
    assert forgetters(conninfo) == ["retention"] * 5


def test_what_is_stopped_forgets_no_more(
    diary: Diary, services: Services, catch_up: Callable[[], None]
) -> None:
    diary.booking(diary.calendar(), NOW - timedelta(days=9))
    catch_up()
    stop = Event()
    stop.set()
    assert forget_due(services, days=1, stop=stop) == 0
    assert forget_due(services, days=1, stop=Event()) == 1


def test_an_operator_applies_the_setting_by_command(
    admitone: Command,
    diary: Diary,
    catch_up: Callable[[], None],
    conninfo: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calendar = diary.calendar()
    # Long before the day on which this runs, whichever it is, and long after.
    diary.booking(calendar, NOW.replace(year=2020))
    ahead = diary.booking(calendar, NOW.replace(year=2190), GRACE)
    catch_up()
    assert admitone("privacy", "retention")[:2] == (0, "Deleted 0 refused attempts.\n")
    assert len(personal_data(conninfo)) == 2
    monkeypatch.setenv("ADMITONE_FORGET_AFTER_DAYS", "30")
    assert "Forgot 1 invitee.\n" in admitone("privacy", "retention").out
    assert "Forgot 0 invitees.\n" in admitone("privacy", "retention").out
    assert personal_data(conninfo) == [(ahead, 1)]
    assert forgetters(conninfo) == ["retention"]


def test_while_the_database_is_away_the_clock_waits_a_minute_instead_of_an_hour(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unavailable(*_: object, **__: object) -> int:
        raise Unavailable

    again = retention_loop.seconds_until_next
    assert again(services, stop=Event()) == retention_loop.HOUR
    monkeypatch.setattr(RefusedAttempts, "sweep", unavailable)
    assert again(services, stop=Event()) == retention_loop.MINUTE


def test_the_service_forgets_by_itself_where_it_is_set_to(
    new_database: Callable[[], str], tmp_path: Path
) -> None:
    conninfo = new_database()
    built = build(Settings(data=tmp_path), conninfo)
    account = built.accounts.create(email="o@example.org", name="O", roles=("owner",))
    diary = Diary(built, account)
    diary.booking(diary.calendar(), NOW.replace(year=2020))
    built.close()
    apply_log(conninfo)
    with running_service(tmp_path, conninfo, ADMITONE_FORGET_AFTER_DAYS="30") as service:
        wait_until(lambda: not personal_data(conninfo))
        wait_until(lambda: "Forgot 1 invitee." in log_of(service))
    assert forgetters(conninfo) == ["retention"]
