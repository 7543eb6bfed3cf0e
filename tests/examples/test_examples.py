"""The examples do what they say, against a running service."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from json import dumps
from pathlib import Path
from time import time
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.support.service import Service
from tests.support.waiting import wait_until

FOLDER = Path(__file__).parent


def environment(service: Service) -> dict[str, str]:
    return os.environ | {"API": f"{service.url}/api/v1", "KEY": service.key}


@pytest.mark.parametrize(
    ("program", "example"), [(sys.executable, "book.py"), ("sh", "book.sh"), ("node", "book.mjs")]
)
def test_a_link_is_issued_and_booked_and_the_booking_read(
    service: Service, program: str, example: str
) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    calendar = service.new_calendar()
    done = subprocess.run(
        [program, FOLDER / example, calendar],
        env=environment(service),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    link, free, booking = (line.split(" ") for line in done.stdout.splitlines())
    (booked,) = service.get(f"/bookings?calendar_id={calendar}").json["items"]
    assert link[1].startswith(f"{service.url}/b/")
    assert int(free[1]) > 0
    assert booking == ["booking", "confirmed", booked["start"], "Ada"]


@pytest.fixture
def crm(service: Service) -> Iterator[subprocess.Popen[str]]:
    """The CRM with two contacts."""
    calendar = service.new_calendar(name="Demo")
    with subprocess.Popen(
        [sys.executable, FOLDER / "crm.py", calendar, "Ada", "Grace"],
        env=environment(service),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)


def test_the_crm_shows_bookings_beside_its_contacts(
    service: Service, crm: subprocess.Popen[str]
) -> None:
    assert crm.stdout is not None
    said = dict(crm.stdout.readline().split() for _ in range(3))
    token = said["Ada"].rpartition("/")[2]

    def shown() -> str:
        with urlopen(said["CRM"], timeout=60) as answer:
            text: str = answer.read().decode()
            return text

    nobody = "Ada: nothing booked\nGrace: nothing booked\n"
    assert shown() == nobody
    forged = {
        "type": "booking.made",
        "timestamp": "2027-01-18T09:00:00Z",
        "data": {"reference": "contact-2", "title": "X", "status": "Y", "start": "Z"},
    }
    headers = {"webhook-timestamp": str(int(time())), "webhook-signature": "v1,AAAA"}
    with pytest.raises(HTTPError, match="401"):
        urlopen(Request(f"{said['CRM']}/hook", dumps(forged).encode(), headers), timeout=60)

    link = {"token": token}
    start = service.slots(link)[-1]
    booking = service.book(link, start)
    wait_until(lambda: shown() != nobody)
    assert shown() == f"Ada: Demo confirmed {start}\nGrace: nothing booked\n"

    assert service.manage(booking, "cancel", {}).status_code == 200
    wait_until(lambda: f"Ada: Demo cancelled {start}\n" in shown())

    crm.send_signal(signal.SIGTERM)
    assert crm.wait(30) == 0
    addresses = [each["url"] for each in service.get("/webhooks").json["items"]]
    assert f"{said['CRM']}/hook" not in addresses
