"""`python -m tests.benchmarks.hot_spots`: where the CPU time of a pair goes in a web process.

Runs the web application in this process, without the server in front. The profiler measures the CPU
clock: by the wall clock, waiting for PostgreSQL would look expensive. It slows everything down,
small functions the most, so its milliseconds are shares, not costs.
"""

import cProfile
import logging
import os
import pstats
import sys
from collections import Counter
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time
from typing import Any

import msgspec
from flask import Flask
from werkzeug.datastructures import Headers
from werkzeug.test import EnvironBuilder, run_wsgi_app

from domain.booking_rules import WEEKDAYS
from interface.bootstrap import build
from interface.observability import logs
from interface.settings import Settings
from interface.wsgi import create_app
from tests.benchmarks.load import RECIPIENT, free_starts
from tests.benchmarks.machine import running_machine
from tests.benchmarks.report import table
from tests.support.examples import SECRET, calendar_json, redeem_json

ROOT = Path(__file__).parent.parent.parent
PAIRS = 300
LINES = 45


def main() -> None:
    """Prints the milliseconds a pair takes, and the functions that take most of it."""
    with TemporaryDirectory() as place, running_machine(Path(place)) as machine:
        settings = Settings(data=Path(place), secret_keys=(SECRET,), public_url="http://localhost")
        services = build(settings, machine.new_database())
        account = services.accounts.create(email="o@example.org", name="O", roles=("owner",))
        key = services.api_keys.create(account, name="bench", now=services.now())
        with open(os.devnull, "w") as nowhere:
            logging.basicConfig(stream=nowhere)
            logs.configure("json")
            pairs = _Pairs(create_app(services), key)
            pairs.run(PAIRS)  # prepared statements, caches
            begun = process_time()
            pairs.run(PAIRS)
            plain = 1000 * (process_time() - begun) / PAIRS
            profile = cProfile.Profile(process_time)
            profile.runcall(pairs.run, PAIRS)
        services.close()
    sys.stdout.write(f"{plain:.2f} ms of CPU a pair, without the profiler. {PAIRS} pairs:\n")
    statistics = pstats.Stats(profile)
    sys.stdout.write("\n".join([*table(["in", "ms a pair", "share"], _by_library(statistics)), ""]))
    for order in ("cumulative", "tottime"):
        statistics.sort_stats(order).print_stats(LINES)


def _by_library(statistics: Any) -> list[list[object]]:
    """Returns the time inside the functions of each library, with the built-in ones they call."""
    seconds: Counter[str] = Counter()
    for (file, _, _), (_, _, own, _, callers) in statistics.stats.items():
        if file == "~":
            for (caller, _, _), (_, _, own_there, _) in callers.items():
                seconds[_library(caller)] += own_there
        else:
            seconds[_library(file)] += own
    total = seconds.total()
    return [
        [name, f"{1000 * taken / PAIRS:.2f}", f"{100 * taken / total:.0f} %"]
        for name, taken in seconds.most_common()
    ]


def _library(file: str) -> str:
    _, installed, inside = file.partition("/site-packages/")
    if installed:
        return inside.partition("/")[0]
    inside = file.removeprefix(f"{ROOT}/")
    return inside.partition("/")[0] if inside != file else "Python"


class _Pairs:
    """Issues links and redeems them, by calling the application."""

    def __init__(self, app: Flask, key: str) -> None:
        self._app = app
        self._environ: dict[str, Any] = EnvironBuilder(
            method="POST",
            headers=Headers({"Authorization": f"Bearer {key}"}),
            content_type="application/json",
        ).get_environ()
        self._starts = free_starts()
        self._calendar_id = self._posted("/api/v1/calendars", _calendar())["id"]

    def run(self, count: int) -> None:
        """Makes so many pairs."""
        path = f"/api/v1/calendars/{self._calendar_id}/links"
        for _ in range(count):
            token = self._posted(path, RECIPIENT)["token"]
            body = msgspec.json.encode(redeem_json(next(self._starts)))
            self._posted(f"/api/v1/booking-links/{token}/redeem", body)

    def _posted(self, path: str, body: bytes) -> Any:
        environ = self._environ | {"PATH_INFO": path, "CONTENT_LENGTH": str(len(body))}
        parts, status, _ = run_wsgi_app(self._app, {**environ, "wsgi.input": BytesIO(body)})
        assert status.startswith("201"), (status, *parts)
        return msgspec.json.decode(b"".join(parts))


def _calendar() -> bytes:
    always = {day: [["00:00", "24:00"]] for day in WEEKDAYS}
    return msgspec.json.encode(
        calendar_json(duration_minutes=1, availability={"weekly": always}, booking_window_days=365)
    )


if __name__ == "__main__":
    main()
