"""Any process of a running service that is killed comes back."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPException

import pytest

from interface.runtime.postgres_binaries import AlreadyRuns
from interface.runtime.postgres_locks import LauncherLock
from tests.support.processes import web_workers
from tests.support.restartable_service import RestartableService, restartable_service
from tests.support.service import Answer, Service, log_of
from tests.support.waiting import wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture(scope="module")
def restartable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RestartableService]:
    """A service on its own database."""
    with restartable_service(tmp_path_factory.mktemp("home")) as restartable:
        yield restartable


def insist(ask: Callable[[], Answer], status: int) -> Answer:
    """Sends a request again and again until the answer has this status."""
    answers: list[Answer] = []

    def is_hoped_for() -> bool:
        try:
            answers.append(ask())
        except (OSError, HTTPException):
            return False
        return answers[-1].status_code == status

    wait_until(is_hoped_for)
    return answers[-1]


@contextmanager
def database_down(restartable: RestartableService, running: Service) -> Iterator[None]:
    """Kills the database, which can't be started again within the block."""
    (needed,) = (restartable.data / "postgres").glob("cluster/global/pg_control")
    away = needed.rename(needed.with_suffix(".away"))
    restartable.process("postgres").kill()
    wait_until(lambda: "This is tried again until it succeeds." in log_of(running))
    yield
    away.rename(needed)


def acquired(lock: LauncherLock) -> bool:
    """Returns True once no other process holds the lock."""
    try:
        lock.acquire()
    except AlreadyRuns:
        return False
    return True


def test_killed_web_workers_are_replaced(restartable: RestartableService) -> None:
    running = restartable.running()
    server = restartable.process("web server")
    workers = web_workers(running.process.pid)
    assert len(workers) == 2
    for worker in workers:
        worker.kill()
    insist(lambda: running.call("GET", "/healthz"), 200)
    wait_until(lambda: not any(worker.alive for worker in workers))
    assert server.alive


def test_a_web_worker_that_lives_but_answers_nobody_is_replaced(
    restartable: RestartableService,
) -> None:
    running = restartable.running()
    workers = web_workers(running.process.pid)
    frozen = workers[0]
    frozen.freeze()
    wait_until(lambda: not frozen.alive)
    insist(lambda: running.call("GET", "/healthz"), 200)
    metrics = insist(lambda: running.call("GET", "/metrics"), 200).text
    assert "admitone_workers_killed_total" in metrics
    assert "admitone_workers_killed_total 0.0" not in metrics


def test_a_killed_web_server_is_replaced_and_its_workers_end(
    restartable: RestartableService,
) -> None:
    running = restartable.running()
    server = restartable.process("web server")
    workers = web_workers(running.process.pid)
    server.kill()
    wait_until(lambda: not any(worker.alive for worker in workers))
    insist(lambda: running.call("GET", "/healthz"), 200)


def test_after_the_projector_was_killed_views_catch_up_again(
    restartable: RestartableService,
) -> None:
    running = restartable.running()
    calendar = running.new_calendar()
    restartable.process("projector").kill()
    written = running.post(f"/calendars/{calendar}/links", {})
    position = written.headers["x-log-position"]
    path = f"/links/{written.json['id']}"
    insist(lambda: running.get(path, **{"X-Min-Position": position}), 200)


def test_after_the_database_was_killed_it_can_be_written_to_again(
    restartable: RestartableService,
) -> None:
    running = restartable.running()
    calendar = running.new_calendar()
    restartable.process("postgres").kill()
    insist(lambda: running.post(f"/calendars/{calendar}/links", {}), 201)


def test_a_database_that_can_not_be_started_again_at_once_is_started_later(
    restartable: RestartableService,
) -> None:
    running = restartable.running()
    calendar = running.new_calendar()
    with database_down(restartable, running):
        assert running.call("GET", "/healthz").status_code == 200
    insist(lambda: running.post(f"/calendars/{calendar}/links", {}), 201)
    wait_until(lambda: "The database runs again." in log_of(running))


def test_a_command_that_starts_the_database_itself_does_not_end_the_service(
    restartable: RestartableService,
) -> None:
    running = restartable.running()
    calendar = running.new_calendar()
    lock = LauncherLock(restartable.data / "postgres")
    with database_down(restartable, running):
        wait_until(lambda: acquired(lock))
    with pytest.raises(subprocess.TimeoutExpired):
        running.process.wait(3)  # it tries every second or two
    lock.release()
    insist(lambda: running.post(f"/calendars/{calendar}/links", {}), 201)


def test_after_the_first_process_was_killed_the_others_end_by_themselves(
    restartable: RestartableService,
) -> None:
    booked = restartable.running().new_booking()["booking_id"]
    processes = restartable.processes()
    restartable.service.process.kill()
    restartable.service.process.wait()
    wait_until(lambda: not any(process.alive for process in processes))
    running = restartable.running()
    wait_until(lambda: running.get(f"/bookings/{booked}").status_code == 200)


def test_right_after_the_first_process_was_killed_a_new_start_succeeds(
    restartable: RestartableService,
) -> None:
    booked = restartable.running().new_booking()["booking_id"]
    processes = restartable.processes()
    restartable.service.process.kill()
    restartable.service.process.wait()
    running = restartable.running()
    wait_until(lambda: running.get(f"/bookings/{booked}").status_code == 200)
    wait_until(lambda: not any(process.alive for process in processes))
