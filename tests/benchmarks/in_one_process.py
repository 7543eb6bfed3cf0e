"""The WSGI applications of both services in this process, without the server in front.

What they do can be counted here, function by function, and nothing else runs beside them.
"""

import hashlib
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from werkzeug.datastructures import Headers
from werkzeug.test import EnvironBuilder, run_wsgi_app

from domain.booking_rules import WEEKDAYS
from interface.bootstrap import Services, build
from interface.observability import logs
from interface.settings import Settings
from tests.benchmarks.crud import service as crud
from tests.benchmarks.load import RECIPIENT, free_starts
from tests.support.examples import SECRET, calendar_json, redeem_json

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

ROOT = Path(__file__).parent.parent.parent
KEY = "a-key-that-is-long-enough-for-a-benchmark"


@dataclass
class Pairs:
    """Issues links of a calendar and redeems them, by calling an application."""

    app: "WSGIApplication"
    key: str
    calendar_id: str
    _starts: Iterator[str] = field(default_factory=free_starts)

    def run(self, count: int) -> None:
        """Makes so many pairs."""
        path = f"/api/v1/calendars/{self.calendar_id}/links"
        for _ in range(count):
            token = posted(self.app, self.key, path, RECIPIENT)["token"]
            body = msgspec.json.encode(redeem_json(next(self._starts)))
            posted(self.app, self.key, f"/api/v1/booking-links/{token}/redeem", body)


@contextmanager
def log_to_nowhere() -> Iterator[None]:
    """Lets requests log as in a web worker, to /dev/null."""
    handlers, logger = logging.root.handlers, logging.getLogger("interface")
    level = logger.level
    with open(os.devnull, "w") as nowhere:
        logging.root.handlers = [logs.JSONHandler(nowhere)]
        logger.setLevel(logging.INFO)
        try:
            yield
        finally:
            logging.root.handlers = handlers
            logger.setLevel(level)


@contextmanager
def our_services(folder: Path, conninfo: str) -> Iterator[Services]:
    """Opens our services on the empty database at `conninfo`."""
    settings = Settings(data=folder, secret_keys=(SECRET,), public_url="http://localhost")
    services = build(settings, conninfo)
    try:
        yield services
    finally:
        services.close()


def our_pairs(services: Services, app: "WSGIApplication") -> Pairs:
    """Returns the pairs of a new owner, whose calendar offers slots of a minute all year."""
    account = services.accounts.create(email="o@example.org", name="O", roles=("owner",))
    key = services.api_keys.create(account, name="bench", now=services.now())
    always = {day: [["00:00", "24:00"]] for day in WEEKDAYS}
    calendar = calendar_json(
        duration_minutes=1, availability={"weekly": always}, booking_window_days=365
    )
    made = posted(app, key, "/api/v1/calendars", msgspec.json.encode(calendar))
    return Pairs(app, key, made["id"])


@contextmanager
def crud_pairs(conninfo: str) -> Iterator[Pairs]:
    """Yields the pairs of the hand-written service, on the empty database at `conninfo`."""
    crud.create_tables(conninfo)
    with crud.new_pool(conninfo, connections=1) as pool:
        app = crud.create_app(pool, hashlib.sha256(KEY.encode()).hexdigest())
        yield Pairs(app, KEY, str(crud.CALENDAR_ID))


def posted(app: "WSGIApplication", key: str, path: str, body: bytes) -> Any:
    """Sends JSON to an application and returns what it answers, which must be 201."""
    environ = EnvironBuilder(
        method="POST",
        path=path,
        headers=Headers({"Authorization": f"Bearer {key}"}),
        content_type="application/json",
    ).get_environ()
    environ |= {"CONTENT_LENGTH": str(len(body)), "wsgi.input": BytesIO(body)}
    parts, status, _ = run_wsgi_app(app, environ, buffered=True)
    answer = b"".join(parts)
    assert status.startswith("201"), (status, answer)
    return msgspec.json.decode(answer)


def place_of(file: str) -> str:
    """Returns where a source file is in our folders or in a library, or `Python` and its name."""
    for root in (f"{ROOT}/", "/site-packages/"):
        _, found, inside = file.rpartition(root)
        if found and ".venv" not in inside:
            return inside
    return f"Python/{Path(file).name}"
