"""What an owner and their invitees do over HTTP: the twin of `Desk`, with the same verbs.

`new_…` and `book` have to succeed and return the JSON of what was made. The other verbs
return the response, whatever it says.
"""

from ipaddress import IPv4Address
from itertools import count
from typing import Any
from uuid import uuid4

from tests.support.examples import NINE, TEN, calendar_json, redeem_json

_ADDRESSES = count(int(IPv4Address("10.0.0.1")))


class HttpDesk:
    """The verbs. Subclasses say how a request is sent, and with which API key."""

    def api_key(self) -> str:
        """Returns the owner's API key."""
        raise NotImplementedError

    def call(self, method: str, path: str, json: Any = None, **headers: str) -> Any:
        """Sends a request without credentials. `path` is that of the whole address."""
        raise NotImplementedError

    @property
    def headers(self) -> dict[str, str]:
        """The header with the owner's API key."""
        return {"Authorization": f"Bearer {self.api_key()}"}

    def get(self, path: str, **headers: str) -> Any:
        """Sends the owner's GET below /api/v1."""
        return self.call("GET", f"/api/v1{path}", **self.headers | headers)

    def post(self, path: str, json: Any = None, **headers: str) -> Any:
        """Sends the owner's POST below /api/v1."""
        return self.call("POST", f"/api/v1{path}", json, **self.headers | headers)

    def patch(self, path: str, json: Any, **headers: str) -> Any:
        """Sends the owner's PATCH below /api/v1."""
        return self.call("PATCH", f"/api/v1{path}", json, **self.headers | headers)

    def new_calendar(self, **changes: Any) -> str:
        """Creates the example's calendar with these changes and returns its id."""
        calendar_id: str = created(self.post("/calendars", calendar_json(**changes)))["id"]
        return calendar_id

    def archive(self, calendar_id: str) -> Any:
        """Archives a calendar."""
        return self.post(f"/calendars/{calendar_id}/archive")

    def new_link(self, calendar_id: str | None = None, **options: Any) -> dict[str, Any]:
        """Issues a link. By default the calendar is a new one."""
        path = f"/calendars/{calendar_id or self.new_calendar()}/links"
        return created(self.post(path, options))

    def new_links(self, calendar_id: str, count: int) -> list[dict[str, Any]]:
        """Issues links together."""
        path = f"/calendars/{calendar_id}/links/batch"
        items: list[dict[str, Any]] = created(self.post(path, {"links": [{}] * count}))["items"]
        return items

    def revoke(self, link: dict[str, Any], reason: str | None = None) -> Any:
        """Revokes a link."""
        return self.post(f"/links/{link['id']}/revoke", {"reason": reason})

    def replace(self, link: dict[str, Any]) -> Any:
        """Replaces a link."""
        return self.post(f"/links/{link['id']}/replace")

    def slots(self, link: dict[str, Any]) -> list[str]:
        """Returns the starts of the free slots of two weeks, as an invitee reads them."""
        answer = self.call("GET", f"/api/v1/booking-links/{link['token']}/slots")
        assert answer.status_code == 200, answer.text
        return [slot["start"] for slot in answer.json["slots"]]

    def redeem(
        self, link: dict[str, Any], start: str = NINE, *, key: str | None = None, **changes: Any
    ) -> Any:
        """Redeems a link as an invitee, who needs no account."""
        path = f"/api/v1/booking-links/{link['token']}/redeem"
        headers = {"Idempotency-Key": key} if key else {}
        return self.call("POST", path, redeem_json(start, **changes), **headers)

    def try_token(self, token: str) -> list[Any]:
        """Does everything that the bearer of a link's token can do, and returns the answers."""
        path = f"/api/v1/booking-links/{token}"
        reads = [self.call("GET", address) for address in (path, f"{path}/slots")]
        return [*reads, self.redeem({"token": token})]

    def book(self, link: dict[str, Any], start: str = NINE, **options: Any) -> dict[str, Any]:
        """Redeems a link and returns the confirmation; options as in `redeem`."""
        return created(self.redeem(link, start, **options))

    def new_booking(
        self, calendar_id: str | None = None, *, place: int = 0, **options: Any
    ) -> dict[str, Any]:
        """Books the free slot in that place with a new link and returns the confirmation."""
        link = self.new_link(calendar_id)
        return self.book(link, self.slots(link)[place], **options)

    def move(self, booking_id: str, start: str = TEN) -> Any:
        """Moves a booking as its owner."""
        return self.post(f"/bookings/{booking_id}/reschedule", {"start": start})

    def cancel(self, booking_id: str, reason: str | None = None) -> Any:
        """Cancels a booking as its owner."""
        return self.post(f"/bookings/{booking_id}/cancel", {"reason": reason})

    def ask_to_reschedule(self, booking_id: str, message: str | None = None) -> Any:
        """Asks an invitee to pick another time."""
        return self.post(f"/bookings/{booking_id}/ask-to-reschedule", {"message": message})

    def manage(self, booking: dict[str, Any], action: str = "", json: Any = None) -> Any:
        """Reads a booking, or does something with it, as its invitee."""
        path = f"/api/v1/manage/{manage_token(booking)}"
        if action:
            return self.call("POST", f"{path}/{action}", json)
        return self.call("GET", path)

    def forget(self, booking_id: str) -> Any:
        """Forgets an invitee."""
        return self.post(f"/bookings/{booking_id}/forget-invitee")


def created(answer: Any) -> dict[str, Any]:
    """Returns the JSON of a 201; no other answer will do."""
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json
    return made


def manage_token(booking: dict[str, Any]) -> str:
    """Returns the token with which its invitee manages a booking."""
    url: str = booking["manage_url"]
    return url.rpartition("/")[2]


def refusal(answer: Any) -> tuple[int, str]:
    """Returns the status and the name of a problem, which has to be a complete one."""
    assert answer.headers["Content-Type"] == "application/problem+json", answer.text
    problem = answer.json
    assert set(problem) - {"errors"} == {"type", "title", "status", "detail"}, problem
    assert problem["status"] == answer.status_code
    assert problem["title"]
    assert problem["detail"]
    return problem["status"], problem["type"].removeprefix("/problems/")


def wrong_fields(answer: Any) -> set[str]:
    """Returns the fields that a 422 `validation` names, each with sentences."""
    assert refusal(answer) == (422, "validation"), answer.json
    errors: dict[str, list[str]] = answer.json["errors"]
    assert all(sentences and all(sentences) for sentences in errors.values()), errors
    return set(errors)


def unknown_id() -> str:
    """Returns an id that nothing has."""
    return str(uuid4())


def from_another_address() -> dict[str, str]:
    """Returns the part of a WSGI environment that lets a request come from an unused address.

    So rate limits do not refuse tests that fail often on purpose.
    """
    return {"REMOTE_ADDR": str(IPv4Address(next(_ADDRESSES)))}
