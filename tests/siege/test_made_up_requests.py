"""Requests made up from the OpenAPI document are answered as it says, and never by a 5xx.

Each role sends its own calls, most of them with real ids and tokens; the role `nobody` sends every
call. The requests are the same in every run. If `SIEGE_SECONDS` is set, many more are made up, and
each role sends every call.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from itertools import count, cycle, repeat
from typing import Any
from uuid import UUID, uuid4
from wsgiref.types import StartResponse, WSGIEnvironment
from zlib import crc32

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from schemathesis import Case as GenericCase
from schemathesis.config import SchemathesisConfig
from schemathesis.core.parameters import ParameterLocation
from schemathesis.core.result import Ok
from schemathesis.core.transport import Response
from schemathesis.generation.hypothesis.builder import (
    HypothesisTestConfig,
    HypothesisTestMode,
    create_test,
)
from schemathesis.generation.stateful.state_machine import StepInput, StepOutput
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from application.outgoing import Answer
from domain.booking_rules import known_time_zones
from domain.link import SingleUseLink
from interface.bootstrap import Services
from interface.outgoing.http_client import HttpClient
from interface.web.fields import FIRST_YEAR, LAST_YEAR
from projections.views import link_list
from tests.support.audit_trail import sign_checkpoint
from tests.support.examples import SCHEDULE_JSON
from tests.support.http_desk import from_another_address, manage_token
from tests.support.owner import Owner

Case = GenericCase[Any]

IS_LONG = "SIEGE_SECONDS" in os.environ
EXAMPLES = 60 if IS_LONG else 3
CHAINS = 80 if IS_LONG else 6
STEPS = 12 if IS_LONG else 8
OF_OTHERS = 2 if IS_LONG else 1  # examples of calls for which the role has no right

# The calls that are for this role, by the tags of the document.
OWN_CALLS = {
    "nobody": set[str](),
    "invitee": {"booking-links", "manage"},
    "owner": {
        *("calendars", "schedules", "links", "link-requests", "bookings", "busy-calendars"),
        *("feeds", "webhooks", "key"),
    },
    "auditor": {"audit"},
    "operator": {"projections", "deliveries"},
}

OF_MANAGE_LINKS = (
    "GET /api/v1/manage/{token}",
    "GET /api/v1/manage/{token}/slots",
    "POST /api/v1/manage/{token}/reschedule",
    "POST /api/v1/manage/{token}/cancel",
    "POST /api/v1/manage/{token}/forget",
)

OF_REQUESTS = (
    "POST /api/v1/link-requests/{link_id}/answer",
    "DELETE /api/v1/link-requests/{link_id}",
)

# The calls of chains, by their tags. An owner's end with what invitees do with the links.
CHAINS_OF = {
    "owner": OWN_CALLS["owner"] | OWN_CALLS["invitee"],
    "auditor": OWN_CALLS["auditor"],
    "operator": OWN_CALLS["operator"],
    "nobody": set[str]().union(*OWN_CALLS.values()),
}

CONFIG = {
    # The tests bring the keys, and a service ignores headers that it does not know.
    "generation": {"with-security-parameters": False, "allow-extra-parameters": False},
    # 428 is what RFC 6585 has for a missing If-Match. A schema does not bound a whole body (413).
    "checks": {
        "missing_required_header": {"expected-statuses": [401, 403, 422, 428]},
        "negative_data_rejection": {
            "expected-statuses": [400, 401, 403, 404, 405, 409, 413, 415, 422, 428]
        },
        "positive_data_acceptance": {"expected-statuses": ["2xx", "3xx", 401, 403, 404, 409, 413]},
    },
}

# Fields whose rules no schema can express: opening hours end after they start and do not overlap,
# a calendar has hours and a time zone or follows a schedule that there is, a link has one expiry
# within a year, a period does not end (`to`, `until`) before it begins, a calendar offers the slots
# that its link offers, an owner has few calendars elsewhere, webhooks (`url`) and feeds (`detail`),
# a replay has ids or a time, a cursor is one that an answer named, and a witness knows no more than
# there is (`old`).
BEYOND_SCHEMAS = {
    *("availability", "time_zone", "schedule_id", "expires_at", "expires_in_days", "offer"),
    *("to", "until", "url", "detail", "ids", "cursor", "old"),
}

# A server of somebody else. Nothing is sent to it: see `nobody_is_called`.
ELSEWHERE = "https://93.184.216.34"

# Headers that no made-up value can fit.
HEADERS = {"If-Match": "*", "X-Min-Position": "3"}

_DAYS = st.dates(date(FIRST_YEAR, 1, 2), date(LAST_YEAR, 12, 30))
_OFFSETS = st.sampled_from(["Z", "+02:00", "-11:30"])
schemathesis.openapi.format("date", _DAYS.map(str))
schemathesis.openapi.format(
    "date-time", st.builds("{}T{:%H:%M:%S}{}".format, _DAYS, st.times(), _OFFSETS)
)
schemathesis.openapi.format("time-zone", st.sampled_from(sorted(known_time_zones())))
schemathesis.openapi.format(
    "email", st.from_regex(r"[a-z]{1,9}", fullmatch=True).map("{}@example.org".format)
)


@dataclass
class RealValues:
    """What requests name, by the name of the parameter or field, if need be after the call's."""

    values: dict[str, Iterator[Any]]

    def put_into(self, case: Case) -> None:
        """Puts real values where made-up ones are valid, but leaves one in eight paths alone."""
        path = case.path_parameters or {}
        if crc32(str(path).encode()) % 8:
            self._fill(case, ParameterLocation.PATH, path)
        self._fill(case, ParameterLocation.QUERY, case.query)
        self._fill(case, ParameterLocation.HEADER, case.headers)
        if isinstance(case.body, dict):
            self._fill(case, ParameterLocation.BODY, case.body)

    def apart_from_ids(self) -> "RealValues":
        """Returns those that no earlier answer holds."""
        kept = ("start", "cursor", "Idempotency-Key", *HEADERS)
        return RealValues({name: self.values[name] for name in self.values if name.endswith(kept)})

    def _fill(self, case: Case, location: ParameterLocation, found: Any) -> None:
        if case.meta is None or case.meta.is_negative_at(location):
            return
        for name in list(found):
            real = self.values.get(f"{case.operation.label} {name}", self.values.get(name))
            found[name] = next(real) if real else in_whole_numbers(found[name])


def in_whole_numbers(value: Any) -> Any:
    """Returns JSON with 30 for 30.0, which is an integer in a schema, but not in this API."""
    match value:
        case float() if value.is_integer():
            return int(value)
        case dict():
            return {name: in_whole_numbers(inner) for name, inner in value.items()}
        case list():
            return [in_whole_numbers(inner) for inner in value]
    return value


def check(case: Case, response: Response, headers: dict[str, str], **more: Any) -> None:
    """Fails unless the response is what the document says, by all checks but those wrong here."""
    wrong_here: list[Any] = []
    if response.status_code == 422 and is_beyond_schemas(response.json()):
        wrong_here.append(positive_data_acceptance)
    # An empty parameter counts as absent, and so is an empty object or list sent.
    if any(value in ("", {}, []) for value in case.query.values()):
        wrong_here.append(negative_data_rejection)
    case.validate_response(
        response,
        headers=headers,
        excluded_checks=wrong_here,
        transport_kwargs={"headers": headers},
        **more,
    )


def is_beyond_schemas(problem: dict[str, Any]) -> bool:
    """Returns True if a request is refused for nothing that a schema could say."""
    if problem["type"] == "/problems/slot-not-offered":
        return True
    wrong = problem.get("errors", {})
    return bool(wrong) and all(BEYOND_SCHEMAS & set(field.split(".")) for field in wrong)


@pytest.fixture
def real_values(
    new_owner: Callable[..., Owner], services: Services, conninfo: str
) -> tuple[Owner, RealValues]:
    """An owner, and what there is for each role to name."""
    owner = new_owner()
    calendar, changed, archived = (owner.new_calendar() for _ in range(3))
    bookings = [owner.new_booking(calendar, place=place) for place in range(2)]
    managed = [manage_token(owner.new_booking(calendar, place=place)) for place in range(2, 8)]
    owner.catch_up()
    sign_checkpoint(services, conninfo)

    def two(path: str, body: dict[str, Any]) -> list[str]:
        return [owner.post(path, json=body).json["id"] for _ in range(2)]

    webhook, deleted_webhook = two("/webhooks", {"url": ELSEWHERE, "events": ["booking.made"]})
    schedule, archived_schedule = two("/schedules", SCHEDULE_JSON)
    feed, deleted_feed = two("/feeds", {"detail": "busy"})
    operator = new_owner("Paul Operator", roles=("operator",))
    rebuild = operator.post(f"/projections/{link_list.NAME}/rebuilds").json

    def fresh(name: str) -> Iterator[str]:
        while True:
            # Of a calendar of their own: requests may archive one that they know.
            yield from (link[name] for link in owner.new_links(owner.new_calendar(), 50))

    def with_requests() -> Iterator[str]:
        for link_id in fresh("id"):
            link = services.event_store.get(SingleUseLink, UUID(link_id))
            ask = services.link_requests.ask
            ask(link, name="Bob", email=None, message=None, language="en", now=services.now())
            yield link_id

    asked_for = with_requests()
    values = {
        "calendar_id": repeat(changed),
        "POST /api/v1/calendars/{calendar_id}/archive calendar_id": repeat(archived),
        "link_id": fresh("id"),
        "token": fresh("token"),
        **{f"{call} token": cycle(managed) for call in OF_MANAGE_LINKS},
        **{f"{call} link_id": asked_for for call in OF_REQUESTS},
        "start": cycle(owner.slots(owner.new_link(calendar))),
        "booking_id": cycle(booking["booking_id"] for booking in bookings),
        "name": repeat(link_list.NAME),
        "rebuild_id": repeat(rebuild["id"]),
        "owner_id": repeat(str(owner.account.id)),
        "day": repeat(bookings[0]["start"][:10]),
        "position": repeat(3),
        "url": (f"{ELSEWHERE}/{number}.ics" for number in count()),
        "webhook_id": repeat(webhook),
        "DELETE /api/v1/webhooks/{webhook_id} webhook_id": repeat(deleted_webhook),
        "schedule_id": repeat(schedule),
        "POST /api/v1/schedules/{schedule_id}/archive schedule_id": repeat(archived_schedule),
        "feed_id": repeat(feed),
        "DELETE /api/v1/feeds/{feed_id} feed_id": repeat(deleted_feed),
        **{name: repeat(value) for name, value in HEADERS.items()},
        # A key that is used again must come with the same request.
        "Idempotency-Key": (str(uuid4()) for _ in count()),
        "GET /api/v1/links cursor": repeat(owner.get("/links?limit=1").json["next_cursor"]),
        "GET /api/v1/bookings cursor": repeat(owner.get("/bookings?limit=1").json["next_cursor"]),
    }
    return owner, RealValues(values)


@pytest.fixture(autouse=True)
def nobody_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers here whatever would be sent to other servers."""

    def answer(*_: object, **__: object) -> Answer:
        return Answer(204, {}, b"")

    monkeypatch.setattr(HttpClient, "send", answer)


@pytest.fixture
def api(app: Flask) -> BaseSchema:
    """The document, and the application that it describes. Requests come from everywhere."""

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Any:
        here = {"HTTP_HOST": "book.example.org"} | from_another_address()
        return app.wsgi_app({**environ, **here}, start_response)

    config = SchemathesisConfig.from_dict(CONFIG)
    return schemathesis.openapi.from_wsgi("/api/openapi.json", application, config=config)


@pytest.fixture
def headers(
    role: str, real_values: tuple[Owner, RealValues], new_owner: Callable[..., Owner]
) -> dict[str, str]:
    """The header with the key of the role, if it has one."""
    if role in ("nobody", "invitee"):
        return {}
    owner, _ = real_values
    return (owner if role == "owner" else new_owner("Quentin Else", roles=(role,))).headers


def bounded(examples: int) -> settings:
    """Returns settings for that many examples, the same in every run."""
    return settings(
        max_examples=examples,
        stateful_step_count=STEPS,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


def requests(api: BaseSchema, *, is_own: bool) -> HypothesisTestConfig:
    """Returns how many requests of a call to make up, and of which kinds."""
    modes = list(HypothesisTestMode) if is_own else [HypothesisTestMode.FUZZING]
    return HypothesisTestConfig(
        project=api.config, modes=modes, settings=bounded(EXAMPLES if is_own else OF_OTHERS)
    )


@pytest.mark.parametrize("role", OWN_CALLS)
def test_every_call_answers_as_documented(
    api: BaseSchema,
    role: str,
    headers: dict[str, str],
    real_values: tuple[Owner, RealValues],
    subtests: pytest.Subtests,
) -> None:
    _, values = real_values

    def is_answered_as_documented(case: Case) -> None:
        values.put_into(case)
        check(case, case.call(headers=headers), headers)

    for found in api.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()
        is_own = not OWN_CALLS[role].isdisjoint(operation.tags or ())
        if not (is_own or role == "nobody" or IS_LONG):
            continue  # `test_access` sees that a key without the scope is refused
        with subtests.test(operation.label):
            config = requests(api, is_own=is_own)
            create_test(operation=operation, test_func=is_answered_as_documented, config=config)()


@pytest.mark.parametrize("role", CHAINS_OF)
def test_calls_that_follow_each_other_answer_as_documented(
    api: BaseSchema,
    role: str,
    headers: dict[str, str],
    real_values: tuple[Owner, RealValues],
) -> None:
    owner, values = real_values
    machine: Any = api.include(tag=sorted(CHAINS_OF[role])).as_state_machine()

    class Chains(machine):  # type: ignore[misc]
        """Calls with the ids and tokens of earlier answers. The first ones get existing ones."""

        def step(self, step: StepInput) -> StepOutput:
            (values if step.transition is None else values.apart_from_ids()).put_into(step.case)
            output: StepOutput = super().step(step)
            owner.catch_up()
            return output

        def get_call_kwargs(self, case: Case) -> dict[str, Any]:
            return {"headers": headers}

        def validate_response(self, response: Response, case: Case, **_: Any) -> None:
            check(case, response, headers, recorder=self.recorder)

    # One at a time, the first of each being the simplest: of chains that begin alike, hypothesis
    # expects that they are answered alike, but each finds what the ones before it left.
    for number in range(CHAINS):
        seed(number)(Chains).run(settings=bounded(2))
