"""Races over HTTP end with one booking and true refusals for everybody else."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from time import monotonic
from typing import Any

import psycopg

from domain.slot import Reservation, Slot
from tests.support.http_desk import created, refusal
from tests.support.service import Answer, Service
from tests.support.waiting import at_once, wait_until


def outcome(answer: Answer) -> tuple[int, str]:
    """Returns the status, and the name of the problem if there is one."""
    return (201, "") if answer.status_code == 201 else refusal(answer)


def seen(service: Service, path: str, position: str) -> Any:
    """Returns what the owner reads at a log position, trying again while a view is behind."""
    answers: list[Answer] = []

    def is_there() -> bool:
        answers.append(service.get(path, **{"X-Min-Position": position}))
        return answers[-1].status_code != 503

    wait_until(is_there)
    assert answers[-1].status_code == 200, answers[-1]
    return answers[-1].json


def bookings(service: Service, calendar_id: str, position: str) -> list[dict[str, Any]]:
    """All bookings of a calendar."""
    found: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        path = f"/bookings?limit=200&calendar_id={calendar_id}&cursor={cursor}"
        page = seen(service, path, position)
        found += page["items"]
        cursor = page["next_cursor"]
    return found


def active_links(service: Service, calendar_id: str, position: str) -> set[str]:
    """The ids of a calendar's active links, of which there are at most 200."""
    path = f"/links?limit=200&status=active&calendar_id={calendar_id}"
    return {link["id"] for link in seen(service, path, position)["items"]}


def issued(
    service: Service, count: int, *, after_days: int = 0, **calendar: Any
) -> tuple[str, list[dict[str, Any]], list[str]]:
    """A new calendar, links for it, and its free slots of two weeks.

    The weeks begin that many days after tomorrow, so that tests keep out of each other's way.
    """
    calendar_id = service.new_calendar(**calendar)
    path = f"/calendars/{calendar_id}/links/batch"
    answer = service.post(path, {"links": [{}] * count})
    links: list[dict[str, Any]] = created(answer)["items"]
    bookings(service, calendar_id, answer.headers["x-log-position"])  # what is taken is seen
    first = datetime.now(UTC).date() + timedelta(days=1 + after_days)
    days = f"from={first}&to={first + timedelta(days=13)}"
    shown = service.call("GET", f"/api/v1/booking-links/{links[0]['token']}/slots?{days}")
    return calendar_id, links, [slot["start"] for slot in shown.json["slots"]]


def redeeming(
    service: Service, links: list[dict[str, Any]], starts: list[str]
) -> list[Callable[[], Answer]]:
    """Returns a call for each link that redeems it for the slot in the same place."""
    pairs = zip(links, starts, strict=True)
    return [partial(service.redeem, link, start) for link, start in pairs]


def log_of_links(service: Service) -> dict[str, list[str]]:
    """Returns the topics of every link's events by id."""
    found: dict[str, list[str]] = {}
    with psycopg.connect(service.environment["ADMITONE_DATABASE_URL"]) as conn:
        rows = conn.execute("SELECT id::text, topic FROM log WHERE topic LIKE 'link.%'")
        for link_id, topic in rows:
            found.setdefault(link_id, []).append(topic)
    return found


def test_two_hundred_people_race_for_one_link(service: Service) -> None:
    calendar, links, starts = issued(service, 8)
    won: dict[str, tuple[str, str]] = {}
    for link, start in zip(links, starts, strict=False):
        people = [{"name": f"Person {n}", "email": f"{n}@example.org"} for n in range(200)]
        answers = at_once(
            [partial(service.redeem, link, start, invitee=person) for person in people]
        )
        outcomes = Counter(map(outcome, answers))
        assert outcomes == {(201, ""): 1, (410, "link-redeemed"): 199}
        (winner,) = [answer for answer in answers if answer.status_code == 201]
        position = winner.headers["x-log-position"]
        assert winner.json["start"] == start
        won[winner.json["booking_id"]] = (start, winner.json["invitee"]["name"])
    assert len(won) == 8
    made = bookings(service, calendar, position)
    assert {item["id"]: (item["start"], item["invitee"]["name"]) for item in made} == won
    assert active_links(service, calendar, position) == set()


def test_a_hundred_links_race_for_one_slot(service: Service) -> None:
    calendar, links, (start, *others) = issued(service, 100, after_days=3)
    answers = at_once(redeeming(service, links, [start] * 100))
    assert Counter(map(outcome, answers)) == {(201, ""): 1, (409, "slot-taken"): 99}

    pairs = list(zip(links, answers, strict=True))
    losers = [link for link, answer in pairs if answer.status_code == 409]
    (position,) = [
        answer.headers["x-log-position"] for _, answer in pairs if answer.status_code == 201
    ]
    assert active_links(service, calendar, position) == {link["id"] for link in losers}
    for link, other in zip(losers[:5], others, strict=False):
        again = service.redeem(link, other)
        assert (again.status_code, again.json["start"]) == (201, other)
    assert len(bookings(service, calendar, again.headers["x-log-position"])) == 6


def test_overlapping_slots_race_with_buffers_between_them(service: Service) -> None:
    buffers = {"buffer_before_minutes": 10, "buffer_after_minutes": 20}
    calendar, links, free = issued(
        service, 62, after_days=14, start_increment_minutes=15, **buffers
    )
    starts = free[:31] * 2  # all of one day, each for two people
    answers = at_once(redeeming(service, links, starts))

    def reservation(start: str) -> Reservation:
        begin = datetime.fromisoformat(start)
        slot = Slot(begin, begin + timedelta(minutes=30))
        return Reservation(slot, timedelta(minutes=10), timedelta(minutes=20))

    pairs = list(zip(links, starts, answers, strict=True))
    won = [reservation(start) for _, start, answer in pairs if answer.status_code == 201]
    assert len(won) >= 1
    for place, one in enumerate(won):
        assert not any(one.clashes_with(other) for other in won[place + 1 :])
    lost = [(link, start, answer) for link, start, answer in pairs if answer.status_code != 201]
    for _, start, answer in lost:
        assert outcome(answer) == (409, "slot-taken")
        assert any(reservation(start).clashes_with(other) for other in won), start
    positions = [int(a.headers["x-log-position"]) for a in answers if a.status_code == 201]
    active = active_links(service, calendar, str(max(positions)))
    assert active == {link["id"] for link, _, _ in lost}


def test_redeeming_races_revoking_and_one_of_them_is_final(service: Service) -> None:
    _, links, starts = issued(service, 80, after_days=28, duration_minutes=15)
    ended = []
    for place, (link, start) in enumerate(zip(links, starts, strict=False)):
        redeem = partial(service.redeem, link, start)
        revoke = partial(service.revoke, link)
        first = place % 2  # each of them is the first to be started every other time
        answers = at_once([redeem, revoke] if first else [revoke, redeem])
        ended.append((link["id"], *(answers if first else reversed(answers))))
    assert len(ended) == 80
    log = log_of_links(service)
    for link_id, redeemed, revoked in ended:
        if redeemed.status_code == 201:
            assert refusal(revoked) == (409, "link-redeemed")
            assert log[link_id] == ["link.issued", "link.redeemed"]
        else:
            assert (refusal(redeemed), revoked.status_code) == ((410, "link-revoked"), 200)
            assert log[link_id] == ["link.issued", "link.revoked"]


def test_one_request_sent_fifty_times_at_once_makes_one_booking(service: Service) -> None:
    calendar, (link,), (start, *_) = issued(service, 1, after_days=7)
    answers = at_once([partial(service.redeem, link, start, key="once")] * 50)
    assert Counter(map(outcome, answers)) == {(201, ""): 50}
    assert all(answer.json == answers[0].json for answer in answers)
    position = max(int(answer.headers["x-log-position"]) for answer in answers)
    (booking,) = bookings(service, calendar, str(position))
    assert (booking["id"], booking["start"]) == (answers[0].json["booking_id"], start)


def test_eight_different_slots_of_one_day_are_all_booked_at_once(service: Service) -> None:
    _, links, starts = issued(service, 40, after_days=8)
    for day in range(5):
        some = starts[16 * day : 16 * day + 8]
        assert len({start[:10] for start in some}) == 1
        answers = at_once(redeeming(service, links[8 * day : 8 * day + 8], some))
        assert [outcome(answer) for answer in answers] == [(201, "")] * 8
        assert [answer.json["start"] for answer in answers] == some


def test_a_read_that_names_the_position_of_a_write_shows_it(service: Service) -> None:
    calendar, (link,), (start, *_) = issued(service, 1, after_days=21)
    for _ in range(20):
        new = service.post(f"/calendars/{calendar}/links", {})
        assert seen(service, f"/links/{new.json['id']}", new.headers["x-log-position"]) == new.json
    redeemed = service.redeem(link, start)
    position = redeemed.headers["x-log-position"]
    assert seen(service, f"/links/{link['id']}", position)["status"] == "redeemed"
    booking = seen(service, f"/bookings/{redeemed.json['booking_id']}", position)
    assert booking["start"] == start


def test_a_write_is_soon_shown_to_reads_without_a_position(
    service: Service, record_property: Callable[[str, object], None]
) -> None:
    _, links, starts = issued(service, 10, after_days=22)
    waits = []
    for link, start in zip(links, starts, strict=False):
        booking_id = service.redeem(link, start).json["booking_id"]
        began = monotonic()
        wait_until(partial(is_shown, service, f"/links/{link['id']}", "redeemed"))
        wait_until(partial(is_shown, service, f"/bookings/{booking_id}", "confirmed"))
        waits.append(monotonic() - began)
    record_property("longest wait for the views in seconds", round(max(waits), 3))


def is_shown(service: Service, path: str, status: str) -> bool:
    """Returns True if a read without a position shows this status."""
    answer = service.get(path)
    return answer.status_code == 200 and bool(answer.json["status"] == status)
