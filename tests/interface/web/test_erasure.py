"""Forgetting a person by API, page, command line and retention."""

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
from tests.interface.pages.page_text import words
from tests.support.clock import Clock
from tests.support.command_line import Command, refusal
from tests.support.desk import ALWAYS_OPEN, Desk
from tests.support.examples import ADA, GRACE, NOW, TOMORROW_AT_NINE
from tests.support.http_desk import refusal as problem_of
from tests.support.http_desk import unknown_id
from tests.support.owner import Owner
from tests.support.projector import apply_log
from tests.support.service import log_of, running_service
from tests.support.signed_in_browser import SignedIn
from tests.support.stored_rows import personal_data, query
from tests.support.waiting import wait_until


@pytest.fixture
def desk(services: Services, owner: Owner) -> Desk:
    """Gives the owner's commands."""
    return Desk(services, owner.account.id)


@pytest.fixture
def booking_id(desk: Desk) -> str:
    """A booking of Ada's, by a link that was meant for her."""
    calendar_id = desk.new_calendar()
    return str(desk.new_booking(calendar_id, notes="By phone", recipient="Countess"))


def forgetters(conninfo: str) -> list[str]:
    """Returns the actors of all erasures in order."""
    rows = query(
        conninfo,
        "SELECT data->>'actor' FROM log WHERE topic = 'booking.invitee_forgotten'",
    )
    return [actor for (actor,) in rows]


def test_forgetting_an_invitee_twice_gives_the_same_answer_twice(
    owner: Owner, conninfo: str
) -> None:
    link = owner.new_link(recipient="Countess")
    booking = owner.book(link, notes="By phone")
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


def test_the_api_does_not_forget_invitees_of_another_owner(
    owner: Owner, new_owner: Callable[..., Owner], conninfo: str
) -> None:
    theirs = owner.book(owner.new_link())["booking_id"]
    other = new_owner("Bob Other")
    for booking_id in (theirs, unknown_id()):
        answer = other.post(f"/bookings/{booking_id}/forget-invitee")
        assert problem_of(answer) == (404, "not-found")
    assert forgetters(conninfo) == []
    assert len(personal_data(conninfo)) == 1


def test_the_page_lists_what_will_be_erased_before_erasing_it(
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
    assert "Angaben dieser Person löschen?" in asked
    assert "lässt sich nicht rückgängig machen" in asked
    person.post(f"/bookings/{booking_id}/forget")
    assert "[gelöscht]" in words(person.get(f"/bookings/{booking_id}", headers=german))


def test_the_page_does_not_forget_invitees_of_another_owner(
    person: SignedIn, services: Services, new_owner: Callable[..., Owner], conninfo: str
) -> None:
    other = Desk(services, new_owner("Nora Neighbour").account.id)
    path = f"/bookings/{other.new_booking(other.new_calendar())}/forget"
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


def test_after_a_restore_a_command_applies_all_erasures_again(
    admitone: Command, booking_id: str, conninfo: str
) -> None:
    query(conninfo, "CREATE TABLE backup AS SELECT * FROM personal_data")
    query(conninfo, "ALTER TABLE backup DROP COLUMN search_key")  # as no backup has it
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


def test_invitees_are_forgotten_the_set_number_of_days_after_their_booking(
    desk: Desk,
    services: Services,
    clock: Clock,
    catch_up: Callable[[], None],
    conninfo: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(retention, "PAGE", 2)
    calendar = desk.new_calendar(**ALWAYS_OPEN)
    starts = [TOMORROW_AT_NINE + timedelta(days=n) for n in range(6)]
    ids = [desk.new_booking(calendar, start) for start in starts]
    desk.cancel(ids[1])
    catch_up()
    assert forget_due(services, days=30, stop=Event()) == 0
    clock.time = starts[4] + timedelta(days=30, minutes=29)
    assert forget_due(services, days=30, stop=Event()) == 4
    assert {row[0] for row in personal_data(conninfo)} == set(ids[4:])
    clock.advance(minutes=1)
    assert forget_due(services, days=30, stop=Event()) == 1
    assert forget_due(services, days=30, stop=Event()) == 0
    assert forgetters(conninfo) == ["retention"] * 5


def test_retention_can_be_stopped(
    desk: Desk, services: Services, catch_up: Callable[[], None]
) -> None:
    desk.new_booking(desk.new_calendar(**ALWAYS_OPEN), NOW - timedelta(days=9))
    catch_up()
    stop = Event()
    stop.set()
    assert forget_due(services, days=1, stop=stop) == 0
    assert forget_due(services, days=1, stop=Event()) == 1


def test_an_operator_applies_the_setting_by_command(
    admitone: Command,
    desk: Desk,
    catch_up: Callable[[], None],
    conninfo: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calendar = desk.new_calendar(**ALWAYS_OPEN)
    # Long before the day on which this runs, whichever it is, and long after.
    desk.new_booking(calendar, NOW.replace(year=2020))
    ahead = desk.new_booking(calendar, NOW.replace(year=2190), GRACE)
    catch_up()
    assert admitone("privacy", "retention")[:2] == (
        0,
        "Deleted 0 refused attempts.\n"
        "Deleted the addresses of 0 entries of the security log.\n"
        "Told the security log of 0 more failed sign-ins.\n"
        "Deleted 0 ended rate limits.\n"
        "Deleted 0 old requests for a new link.\n"
        "Deleted 0 old deliveries.\n",
    )
    assert len(personal_data(conninfo)) == 2
    monkeypatch.setenv("ADMITONE_FORGET_AFTER_DAYS", "30")
    assert "Forgot 1 invitee.\n" in admitone("privacy", "retention").out
    assert "Forgot 0 invitees.\n" in admitone("privacy", "retention").out
    assert personal_data(conninfo) == [(ahead, 1)]
    assert forgetters(conninfo) == ["retention"]


def test_retention_tries_again_after_a_minute_while_the_database_is_unavailable(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unavailable(*_: object, **__: object) -> int:
        raise Unavailable

    again = retention_loop.seconds_until_next
    assert again(services, stop=Event()) == retention_loop.HOUR
    monkeypatch.setattr(RefusedAttempts, "sweep", unavailable)
    assert again(services, stop=Event()) == retention_loop.MINUTE


def test_the_service_applies_the_retention_setting_by_itself(
    new_database: Callable[[], str], tmp_path: Path
) -> None:
    conninfo = new_database()
    built = build(Settings(data=tmp_path), conninfo)
    account = built.accounts.create(email="o@example.org", name="O", roles=("owner",))
    desk = Desk(built, account.id)
    desk.new_booking(desk.new_calendar(**ALWAYS_OPEN), NOW.replace(year=2020))
    built.close()
    apply_log(conninfo)
    with running_service(tmp_path, conninfo, ADMITONE_FORGET_AFTER_DAYS="30") as service:
        wait_until(lambda: not personal_data(conninfo))
        wait_until(lambda: "Forgot 1 invitee." in log_of(service))
    assert forgetters(conninfo) == ["retention"]
