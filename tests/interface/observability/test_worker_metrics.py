"""What /metrics tells of a whole service: all web workers together, the dead ones too."""

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from http.client import HTTPException
from pathlib import Path
from time import sleep

import pytest

from interface.observability.metrics import KEEP_SECONDS
from tests.interface.observability.prometheus_text import grown, value, values
from tests.support.database_proxy import Proxy
from tests.support.processes import Process, family
from tests.support.service import (
    Answer,
    Service,
    at_once,
    running_service,
    start_again,
    stop_service,
    wait_until,
    wait_until_ready,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

REDEMPTIONS = ("admitone_redemptions_total", "outcome")


@pytest.fixture(scope="module")
def network(new_database: Callable[[], str]) -> Iterator[Proxy]:
    """The way to the database."""
    proxy = Proxy(new_database())
    yield proxy
    proxy.close()


@pytest.fixture(scope="module")
def counting(network: Proxy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with two web workers."""
    with running_service(tmp_path_factory.mktemp("counting"), network.conninfo) as running:
        yield running


def workers(service: Service) -> list[Process]:
    processes = family(service.process.pid)
    (server,) = [
        process
        for process in processes
        if "interface.runtime.web_server" in process.command
        and process.parent == service.process.pid
    ]
    return [process for process in processes if process.parent == server.pid]


def folder(service: Service) -> Path:
    return Path(service.environment["ADMITONE_DATA"]) / "metrics" / str(service.port)


def scrape(service: Service) -> str:
    """Asking again while nobody listens: a worker that was killed takes its connections along."""
    sleep(KEEP_SECONDS)  # until no worker answers with what it computed before
    answers: list[Answer] = []

    def is_answered() -> bool:
        try:
            answers.append(service.call("GET", "/metrics"))
        except (OSError, HTTPException):
            return False
        return True

    wait_until(is_answered)
    assert answers[-1].status == 200
    text: str = answers[-1].body
    return text


def redemptions(service: Service) -> dict[str, float]:
    return values(scrape(service), *REDEMPTIONS)


def told(answer: Answer) -> str:
    """What a client was told, as the metric calls it."""
    kind: str = answer.body.get("type", "/problems/booked")
    return kind.removeprefix("/problems/")


def rush(service: Service) -> Counter[str]:
    """Forty people race for twenty links and five slots; what they were told."""
    links = service.new_links(service.new_calendar(), 20)
    slots = service.slots(links[0]["token"])[:5]
    return Counter(
        map(
            told,
            at_once(
                [
                    partial(service.redeem, link["token"], slots[place % 5])
                    for place, link in enumerate(links * 2)
                ]
            ),
        )
    )


def test_the_sum_over_all_workers_is_what_people_were_told(counting: Service) -> None:
    before = redemptions(counting)
    seen = rush(counting)
    assert seen.total() == 40
    assert seen["booked"] == 5
    assert grown(before, redemptions(counting)) == seen


def test_every_worker_counts_in_files_of_its_own(counting: Service) -> None:
    pids = {str(worker.pid) for worker in workers(counting)}
    assert len(pids) == 2
    counters = {file.stem.rpartition("_")[2] for file in folder(counting).glob("counter_*.db")}
    assert counters == pids


def test_what_a_killed_worker_counted_is_not_lost(counting: Service) -> None:
    rush(counting)
    before = redemptions(counting)
    killed = workers(counting)
    for worker in killed:
        worker.kill()
    wait_until(lambda: len(set(workers(counting)) - set(killed)) == 2)
    assert redemptions(counting) == before
    seen = rush(counting)
    assert grown(before, redemptions(counting)) == seen


def test_a_file_that_a_worker_is_about_to_begin_is_passed_over(counting: Service) -> None:
    (folder(counting) / "counter_4194305.db").touch()
    assert scrape(counting)


def test_the_time_of_requests_is_told_by_route(counting: Service) -> None:
    took = {"method": "GET", "route": "/api/v1/booking-links/<token>", "status": "4xx"}
    for _ in range(8):
        assert counting.call("GET", "/api/v1/booking-links/nonsense").status == 404
    text = scrape(counting)
    assert value(text, "admitone_request_seconds_count", **took) == 8
    assert value(text, "admitone_request_seconds_bucket", **took, le="+Inf") == 8


@pytest.mark.parametrize("outage", ["refused", "silent"])
def test_without_the_database_requests_are_told_all_the_same(
    counting: Service, network: Proxy, outage: str
) -> None:
    before = redemptions(counting)
    if outage == "refused":
        network.refuse()
        network.cut()
        text = scrape(counting)
        network.accept()
    else:
        with network.silence():
            text = scrape(counting)
    assert value(text, "admitone_database_up") == 0
    assert values(text, *REDEMPTIONS) == before
    wait_until(lambda: value(scrape(counting), "admitone_database_up") == 1)
    wait_until(lambda: value(scrape(counting), "admitone_projector_up") == 1)


def test_a_new_start_counts_from_zero(counting: Service) -> None:
    stop_service(counting)
    again = start_again(counting)
    try:
        wait_until_ready(again)
        assert redemptions(again) == {}
    finally:
        stop_service(again)
