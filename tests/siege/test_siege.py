"""Honest people are served while strangers attack the port.

`SIEGE_SECONDS` (2) is how long each attack is held. If it is not set, a few attacks are made,
and no time is judged.
"""

import os
import resource
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.client import HTTPException
from statistics import quantiles
from time import monotonic, sleep
from typing import Any

import pytest

from domain.booking_rules import WEEKDAYS
from tests.siege.attacks import ATTACKS, Target, under
from tests.support.examples import redeem_json
from tests.support.processes import web_workers
from tests.support.service import Service, log_of, running_service

SECONDS = float(os.environ.get("SIEGE_SECONDS", "2"))
TIMES_COUNT = SECONDS >= 30
LONGEST_SECONDS = 2.0
RECOVERY_SECONDS = 10.0 if TIMES_COUNT else 0.0
PAUSE_SECONDS = 0.1
MOST_SOCKETS = 2048

IN_THE_SUITE = {"slow bodies with a length", "slow chunked bodies", "half headers"}

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="attackers come from all addresses of the loopback network"
)


def _attacks() -> list[Any]:
    """Returns the names of the attacks; those for which the suite has no time are skipped."""
    skipped = pytest.mark.skipif(
        "SIEGE_SECONDS" not in os.environ, reason="takes long: `make siege`"
    )
    return [
        pytest.param(name, marks=() if name in IN_THE_SUITE else skipped, id=name)
        for name in ATTACKS
    ]


@dataclass
class Visitors:
    """An owner and invitees who come one after the other."""

    service: Service
    calendar_id: str
    starts: Iterator[str]
    seconds: list[float] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)

    def come(self) -> None:
        """Asks for the health, and issues a link, looks at its page and redeems it."""
        self._answered("GET", "/healthz", 200)
        path = f"/api/v1/calendars/{self.calendar_id}/links"
        link = self._answered("POST", path, 201, json={}, **self.service.headers)
        if link is None:
            return
        self._answered("GET", f"/b/{link.json['token']}", 200)
        path = f"/api/v1/booking-links/{link.json['token']}/redeem"
        self._answered("POST", path, 201, json=redeem_json(next(self.starts)))

    def _answered(self, method: str, path: str, expected: int, **options: Any) -> Any:
        """Returns the answer, or None if it is not the expected one."""
        begun = monotonic()
        try:
            answer = self.service.call(method, path, **options)
        except (OSError, HTTPException) as error:
            self.lost.append(f"{method} {path}: {error!r}")
            return None
        finally:
            self.seconds.append(monotonic() - begun)
        if answer.status_code != expected:
            self.lost.append(f"{method} {path}: {answer.status_code} {answer.text}")
            return None
        return answer


@pytest.fixture(scope="module")
def service(
    new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """A service that no other test uses."""
    with running_service(tmp_path_factory.mktemp("besieged"), new_database()) as running:
        yield running


@pytest.fixture(scope="module")
def _many_sockets(service: Service) -> Iterator[None]:
    """Lets this process open all sockets that it may. The service has started without that."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < MOST_SOCKETS:
        pytest.skip("this machine does not let a process open that many sockets")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture(scope="module")
def calendar_id(service: Service) -> str:
    """The calendar that all visitors are invited to."""
    weekly = {day: [["06:00", "22:00"]] for day in WEEKDAYS}
    return service.new_calendar(availability={"weekly": weekly}, booking_window_days=365)


@pytest.fixture(scope="module")
def starts() -> Iterator[str]:
    """The starts of the calendar's slots from the day after tomorrow on, each used once."""
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return (
        (midnight + timedelta(days=day, hours=6, minutes=30 * place)).isoformat()
        for day in range(2, 360)
        for place in range(32)
    )


@pytest.fixture
def visitors(service: Service, calendar_id: str, starts: Iterator[str]) -> Visitors:
    """Those who come during one attack."""
    return Visitors(service, calendar_id, starts)


@pytest.fixture
def target(service: Service, calendar_id: str) -> Target:
    """The service as the attackers know it."""
    token = service.new_link(calendar_id)["token"]
    return Target(service.host, service.port, token, service.key)


@pytest.mark.usefixtures("_many_sockets")
@pytest.mark.parametrize("name", _attacks())
def test_every_visitor_is_served_during_and_after(
    name: str, service: Service, visitors: Visitors, target: Target
) -> None:
    workers = web_workers(service.process.pid)
    ends_at = monotonic() + SECONDS
    with under(ATTACKS[name], target):
        while monotonic() < ends_at:
            visitors.come()
            sleep(PAUSE_SECONDS)
    percentiles = quantiles(visitors.seconds, n=100)
    p50, p99 = percentiles[49], percentiles[98]
    print(
        f"\n{name}: {len(visitors.seconds)} requests, p50 {p50 * 1000:.0f} ms,"
        f" p99 {p99 * 1000:.0f} ms; attackers got {dict(target.answers)}"
    )
    sleep(RECOVERY_SECONDS)
    visitors.come()
    assert visitors.lost == []
    assert "Traceback" not in log_of(service)
    if TIMES_COUNT:
        assert p99 < LONGEST_SECONDS
        assert web_workers(service.process.pid) == workers
