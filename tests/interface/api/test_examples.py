"""Every example of the OpenAPI document works when it is tried, today and in years."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import pytest
from flask import Flask

from application.outgoing import Answer
from domain.link import SingleUseLink
from interface.bootstrap import Services
from interface.outgoing.http_client import HttpClient
from projections.evidence.security_log_proofs import SecurityLogSigner
from projections.views import link_list
from tests.interface.api.openapi import API, example_body, operations, success
from tests.support.audit_trail import sign_checkpoint
from tests.support.clock import Clock
from tests.support.http_desk import manage_token
from tests.support.owner import Owner

ICS = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-\r\nEND:VCALENDAR\r\n"


@dataclass
class Reader:
    """Tries calls of the document with its examples, on things that were made from its examples."""

    owner: Owner
    services: Services
    document: dict[str, Any]

    def example(self, call: str) -> Any:
        """Returns the example of the body of a call."""
        return example_body(self.document, call)

    def created(self, path: str, rule: str | None = None) -> dict[str, Any]:
        """Returns what is created from the example there."""
        answer = self.owner.post(path, self.example(f"POST {rule or path}"))
        assert answer.status_code in (201, 202), (path, answer.json)
        found: dict[str, Any] = answer.json
        return found

    def new_link(self) -> dict[str, Any]:
        """Returns a new link of a new calendar."""
        calendar = self.created("/calendars")["id"]
        return self.created(f"/calendars/{calendar}/links", "/calendars/{calendar_id}/links")

    def new_booking(self) -> dict[str, Any]:
        """Returns a new booking."""
        path = f"/booking-links/{self.new_link()['token']}/redeem"
        return self.created(path, "/booking-links/{token}/redeem")

    def link_with_request(self) -> str:
        """Returns the id of a link whose bearer asks for a new one."""
        link = self.services.event_store.get(SingleUseLink, UUID(self.new_link()["id"]))
        ask = self.services.link_requests.ask
        ask(link, name="Bob", email=None, message=None, language="en", now=self.services.now())
        return str(link.id)

    def made_from_examples(self) -> dict[str, Any]:
        """Makes what calls name, and returns its ids by the names in their paths."""
        webhook = self.created("/webhooks")["id"]
        link, booking, schedule = self.new_link(), self.new_booking(), self.created("/schedules")
        self.owner.catch_up()
        (delivery, *_) = self.owner.get(f"/webhooks/{webhook}/deliveries").json["items"]
        self.cancel(booking["booking_id"])
        rebuilds = f"/projections/{link_list.NAME}/rebuilds"
        rebuild = self.created(rebuilds, "/projections/{name}/rebuilds")["id"]
        self.owner.catch_up()
        return {
            "calendar_id": link["calendar_id"],
            "link_id": link["id"],
            "booking_id": booking["booking_id"],
            "schedule_id": schedule["id"],
            "webhook_id": webhook,
            "delivery_id": delivery["id"],
            "name": link_list.NAME,
            "rebuild_id": rebuild,
            "owner_id": self.owner.account.id,
            "day": booking["start"][:10],
            "position": 1,
        }

    def try_out(self, call: str, operation: dict[str, Any], made: dict[str, Any]) -> Any:
        """Sends a call as the page of the document would; returns the answer."""
        method, path = call.split(" ")
        own = self._own(method, path)
        query = {
            each["name"]: each["schema"]["example"]
            for each in operation.get("parameters", ())
            if each["in"] == "query" and "example" in each["schema"]
        }
        body = self.example(call) if "requestBody" in operation else None
        address = f"{API}{path.format(**{**made, **own})}?{urlencode(query)}"
        has_version = any(each["name"] == "If-Match" for each in operation.get("parameters", ()))
        headers = self.owner.headers | ({"If-Match": "*"} if has_version else {})
        answer = self.owner.call(method, address, body, **headers)
        booked = own.get("booking_id") or (answer.json or {}).get("booking_id")
        if booked:  # so that the next one can have its time
            self.cancel(booked)
        return answer

    def cancel(self, booking_id: str) -> None:
        """Cancels a booking."""
        self.owner.post(f"/bookings/{booking_id}/cancel")

    def _own(self, method: str, path: str) -> dict[str, Any]:
        """Returns what is made for one call alone, because others may have used it up."""
        kind = path.split("/")[1]
        if kind == "booking-links":
            return {"token": self.new_link()["token"]}
        if kind == "manage":
            booking = self.new_booking()
            return {"token": manage_token(booking), "booking_id": booking["booking_id"]}
        if kind == "bookings" and method != "GET":
            return {"booking_id": self.new_booking()["booking_id"]}
        if kind == "links" and method != "GET":
            return {"link_id": self.new_link()["id"]}
        if path.startswith("/schedules/") and method != "GET":
            return {"schedule_id": self.created("/schedules")["id"]}
        if path.endswith("/archive"):
            return {"calendar_id": self.created("/calendars")["id"]}
        if path.startswith("/link-requests/"):
            return {"link_id": self.link_with_request()}
        if path.startswith("/busy-calendars/"):
            found = self.owner.get("/busy-calendars").json["items"]
            return {"calendar_id": (found or [self.created("/busy-calendars")])[0]["id"]}
        if path.startswith("/feeds/"):
            feed = self.created("/feeds")
            return {"feed_id": feed["id"], "token": feed["url"][:-4].rpartition("/")[2]}
        if method == "DELETE":
            return {"webhook_id": self.created("/webhooks")["id"]}
        return {}


@pytest.fixture(autouse=True)
def nobody_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers here whatever would be sent to other servers."""

    def answer(*_: object, **__: object) -> Answer:
        return Answer(200, {}, ICS)

    monkeypatch.setattr(HttpClient, "send", answer)
    monkeypatch.setattr(HttpClient, "check", lambda _, url: url)


@pytest.mark.parametrize("years", [0, 3])
def test_every_example_works_when_it_is_tried(
    years: int,
    app: Flask,
    new_owner: Callable[..., Owner],
    services: Services,
    conninfo: str,
    clock: Clock,
    subtests: pytest.Subtests,
) -> None:
    clock.advance(days=years * 365)
    owner = new_owner(roles=("owner", "auditor", "operator"))
    owner.key = services.api_keys.create(owner.account, name="tests", now=clock())
    document: Any = app.test_client().get("/api/openapi.json").json
    reader = Reader(owner, services, document)
    made = reader.made_from_examples()
    sign_checkpoint(services, conninfo)
    security_log = SecurityLogSigner(services.checkpoint_signer(), services.checkpoint_store())
    with services.database.connection() as conn:
        security_log.sign_due(conn, now=clock())
    for call, operation in operations(document).items():
        with subtests.test(call):
            answer = reader.try_out(call, operation, made)
            assert answer.status_code == success(operation)["status"], answer.text
