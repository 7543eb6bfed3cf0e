"""The metrics of a whole service: the sum over all web workers, dead ones included."""

import sys
from collections import Counter
from collections.abc import Iterator
from functools import partial
from http.client import HTTPException
from pathlib import Path
from time import sleep

import pytest

from interface.observability.metrics import KEEP_SECONDS
from interface.runtime.metrics_folder import metrics_folder
from tests.interface.observability.prometheus_text import grown, value, values
from tests.support.database_proxy import Proxy
from tests.support.processes import web_workers
from tests.support.service import (
    Answer,
    Service,
    running_service,
    start_again,
    stop_service,
    wait_until_ready,
)
from tests.support.waiting import at_once, wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

REDEMPTIONS = ("admitone_redemptions_total", "outcome")


@pytest.fixture(scope="module")
def counting(network: Proxy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with two web workers."""
    with running_service(tmp_path_factory.mktemp("counting"), network.conninfo) as running:
        yield running


def folder(service: Service) -> Path:
    return metrics_folder(Path(service.environment["ADMITONE_DATA"]), service.port)


def scrape(service: Service) -> str:
    """Returns the metrics, trying again while a killed worker takes connections along."""
    sleep(KEEP_SECONDS)  # until no worker answers with what it computed before
    answers: list[Answer] = []

    def is_answered() -> bool:
        try:
            answers.append(service.call("GET", "/metrics"))
        except (OSError, HTTPException):
            return False
        return True

    wait_until(is_answered)
    assert answers[-1].status_code == 200
    return answers[-1].text


def redemptions(service: Service) -> dict[str, float]:
    return values(scrape(service), *REDEMPTIONS)


def outcome(answer: Answer) -> str:
    """Returns the outcome of a redemption by the name of its metric."""
    kind: str = answer.json.get("type", "/problems/booked")
    return kind.removeprefix("/problems/")


def rush(service: Service) -> Counter[str]:
    """Forty people race for twenty links and five slots; returns how often each outcome came."""
    links = service.new_links(service.new_calendar(), 20)
    slots = service.slots(links[0])[:5]
    return Counter(
        map(
            outcome,
            at_once(
                [
                    partial(service.redeem, link, slots[place % 5])
                    for place, link in enumerate(links * 2)
                ]
            ),
        )
    )


def test_the_sum_over_all_workers_equals_the_answers(counting: Service) -> None:
    before = redemptions(counting)
    seen = rush(counting)
    assert seen.total() == 40
    assert seen["booked"] == 5
    assert grown(before, redemptions(counting)) == seen


def test_every_worker_counts_in_files_of_its_own(counting: Service) -> None:
    def each_has_counted() -> bool:
        rush(counting)
        pids = {str(worker.pid) for worker in web_workers(counting.process.pid)}
        counters = {file.stem.rpartition("_")[2] for file in folder(counting).glob("counter_*.db")}
        return len(pids) == 2 and pids <= counters  # the server, their parent, has files as well

    wait_until(each_has_counted)


def test_the_counts_of_a_killed_worker_are_not_lost(counting: Service) -> None:
    rush(counting)
    before = redemptions(counting)
    killed = web_workers(counting.process.pid)
    for worker in killed:
        worker.kill()
    wait_until(lambda: len(set(web_workers(counting.process.pid)) - set(killed)) == 2)
    assert redemptions(counting) == before
    seen = rush(counting)
    assert grown(before, redemptions(counting)) == seen


def test_an_empty_file_of_a_new_worker_is_skipped(counting: Service) -> None:
    (folder(counting) / "counter_4194305.db").touch()
    assert scrape(counting)


def test_request_times_of_all_workers_are_added_up(counting: Service) -> None:
    took = {"method": "GET", "route": "/api/v1/booking-links/<token>", "status": "4xx"}
    for _ in range(8):
        assert counting.call("GET", "/api/v1/booking-links/nonsense").status_code == 404
    text = scrape(counting)
    assert value(text, "admitone_request_seconds_count", **took) == 8
    assert value(text, "admitone_request_seconds_bucket", **took, le="+Inf") == 8


def test_counts_can_be_read_while_the_database_is_silent(counting: Service, network: Proxy) -> None:
    before = redemptions(counting)
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
