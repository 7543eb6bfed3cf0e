"""Whatever of a running service is killed outright, it comes back and nothing is lost."""

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from threading import Semaphore
from uuid import uuid4

import pytest

from tests.support.restartable_service import Home, book, new_home
from tests.support.service import Answer, wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

INVITEES = 120
KILLS = 5


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A service on its own database."""
    with new_home(tmp_path_factory.mktemp("home")) as home:
        yield home


def insist(ask: Callable[[], Answer], status: int) -> Answer:
    """Ask again, as people do, until the answer is the one they hope for."""
    answers: list[Answer] = []

    def is_hoped_for() -> bool:
        try:
            answers.append(ask())
        except (OSError, HTTPException):
            return False
        return answers[-1].status == status

    wait_until(is_hoped_for)
    return answers[-1]


def test_killed_web_workers_are_replaced(home: Home) -> None:
    running = home.running()
    server = home.process("interface.runtime.web_server")
    workers = [p for p in home.processes() if p.parent == server.pid]
    assert len(workers) == 2
    for worker in workers:
        worker.kill()
    insist(lambda: running.call("GET", "/healthz"), 200)
    assert not any(worker.alive for worker in workers)
    assert server.alive


def test_a_killed_web_server_is_replaced_and_its_workers_end(home: Home) -> None:
    running = home.running()
    server = home.process("interface.runtime.web_server")
    workers = [p for p in home.processes() if p.parent == server.pid]
    server.kill()
    wait_until(lambda: not any(worker.alive for worker in workers))
    insist(lambda: running.call("GET", "/healthz"), 200)


def test_after_the_projector_was_killed_views_catch_up_again(home: Home) -> None:
    running = home.running()
    calendar = running.new_calendar()
    home.process("projections run").kill()
    written = running.owner("POST", f"/calendars/{calendar}/links", {})
    position = written.headers["x-log-position"]
    path = f"/links/{written.body['id']}"
    insist(lambda: running.owner("GET", path, **{"X-Min-Position": position}), 200)


def test_after_the_database_was_killed_it_can_be_written_to_again(home: Home) -> None:
    running = home.running()
    calendar = running.new_calendar()
    home.process("bin/postgres").kill()
    insist(lambda: running.owner("POST", f"/calendars/{calendar}/links", {}), 201)


def test_after_the_first_process_was_killed_the_others_end_by_themselves(home: Home) -> None:
    booked = book(home.running())
    processes = home.processes()
    home.service.process.kill()
    home.service.process.wait()
    wait_until(lambda: not any(process.alive for process in processes))
    assert home.running().owner("GET", f"/bookings/{booked}").status == 200


def test_right_after_the_first_process_was_killed_a_new_start_succeeds(home: Home) -> None:
    booked = book(home.running())
    processes = home.processes()
    home.service.process.kill()
    home.service.process.wait()
    assert home.running().owner("GET", f"/bookings/{booked}").status == 200
    wait_until(lambda: not any(process.alive for process in processes))


def test_every_booking_that_was_acknowledged_before_a_kill_of_everything_is_in_the_log(
    home: Home,
) -> None:
    running = home.running()
    before = home.bookings()
    calendar = running.new_calendar(duration_minutes=15)
    links = running.new_links(calendar, INVITEES)
    slots = running.slots(links[0]["token"])
    answered = Semaphore(0)

    def book(token: str, start: str) -> str:
        key = str(uuid4())
        answer = insist(lambda: running.redeem(token, start, key=key), 201)
        answered.release()
        booking_id: str = answer.body["booking_id"]
        return booking_id

    with ThreadPoolExecutor(8) as people:
        waiting = [
            people.submit(book, link["token"], start)
            for link, start in zip(links, slots, strict=False)
        ]
        for _ in range(KILLS):
            for _ in range(INVITEES // (KILLS + 1)):
                assert answered.acquire(timeout=60)
            home.kill()
            home.running()
        acknowledged = [future.result() for future in waiting]
    assert len(acknowledged) == INVITEES
    assert sorted(home.bookings()) == sorted(before + acknowledged)
