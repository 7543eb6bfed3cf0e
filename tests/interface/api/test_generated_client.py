"""A typed client is generated from the OpenAPI document alone, and goes all the way with it."""

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

from tests.interface.api.generated_client import source_of
from tests.interface.api.openapi import API, faults, operations
from tests.support.service import Service

WALK = Path(__file__).with_name("walk.py")

WRONG = """\
from generated_client import Client

def wrong(client: Client) -> None:
    client.links_issue("id", {"recipients": "Ada"})
    client.links_read()
    client.bookings_list(status="active")
    client.bookings_read("id").body["starts"]
"""


@pytest.fixture
def document(service: Service) -> dict[str, Any]:
    """The document as the running service has it."""
    found: dict[str, Any] = service.call("GET", "/api/openapi.json").json
    return found


@pytest.fixture
def folder(document: dict[str, Any], tmp_path: Path) -> Path:
    """Where the generated client lies, and the program that uses it."""
    (tmp_path / "generated_client.py").write_text(source_of(document))
    (tmp_path / "walk.py").write_text(WALK.read_text())
    return tmp_path


class HeldToTheDocument:
    """Sends requests, and finds in each of them and in each answer what the document lacks."""

    def __init__(self, service: Service, document: dict[str, Any]) -> None:
        self._service = service
        self._document = document
        self.faults: list[str] = []
        self.calls: list[str] = []

    def __call__(
        self, method: str, path: str, headers: dict[str, str], body: str | None
    ) -> tuple[int, Mapping[str, str], str]:
        """Sends a request, and shows the client no header that is not in the document."""
        place, _, query = path.partition("?")
        call, operation = self._operation(method, place.removeprefix(API))
        self.calls.append(call)
        known = {each["name"] for each in operation.get("parameters", ())}
        sent = {name for name, _ in parse_qsl(query)} | set(headers)
        unknown = sent - known - {"Authorization", "Content-Type"}
        self.faults += [f"{call} has no parameter {name}" for name in sorted(unknown)]
        value = None if body is None else json.loads(body)
        if body is not None:
            self._compare(call, operation["requestBody"]["content"], "application/json", value)
        answer = self._service.call(method, path, value, **headers)
        said = operation["responses"][str(answer.status_code)]
        media_type = answer.headers["Content-Type"].partition(";")[0]
        self._compare(f"{call} {answer.status_code}", said["content"], media_type, answer.json)
        documented = said.get("headers", ())
        missing = [name for name in documented if name not in answer.headers]
        self.faults += [f"{call} answers without {name}" for name in missing]
        shown = {name: answer.headers[name] for name in ("Content-Type", *documented)}
        return answer.status_code, shown, answer.text

    def _operation(self, method: str, path: str) -> tuple[str, dict[str, Any]]:
        (found,) = (
            (call, operation)
            for call, operation in operations(self._document).items()
            if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", call), f"{method} {path}")
        )
        return found

    def _compare(self, call: str, content: Any, media_type: str, value: Any) -> None:
        schema = content[media_type]["schema"]
        self.faults += [f"{call}: {each}" for each in faults(self._document, schema, value)]


def test_the_client_has_strict_types_and_a_wrong_use_of_it_is_noticed(folder: Path) -> None:
    (folder / "wrong.py").write_text(WRONG)
    files = ["generated_client.py", "walk.py", "wrong.py"]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", "cache", *files],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    places = re.findall(r"^(.*?): error: ", done.stdout, re.MULTILINE)
    assert places == [f"wrong.py:{line}" for line in (4, 5, 6, 7)], done.stdout


def test_an_owner_and_an_invitee_go_all_the_way_with_it(
    service: Service,
    document: dict[str, Any],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(folder)
    client, program = import_module("generated_client"), import_module("walk")
    del sys.modules["generated_client"], sys.modules["walk"]
    send = HeldToTheDocument(service, document)
    seen = program.walk(client.Client(send, service.key), client.Client(send, "not needed"))
    assert send.faults == []
    assert len(send.calls) == 12
    assert seen == [
        "link active",
        "calendar Intro call",
        "refused 410 /problems/link-redeemed",
        "booking confirmed",
        "booking cancelled",
        "owner reads cancelled: Ill",
        "owner lists 1",
    ]
