"""The public API of a service, as a program calls it that has its address and a key, or a link."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_network
from time import sleep
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

import msgspec

from application.outgoing import AddressNotAllowed, Answer, RequestFailed
from interface.outgoing.allowed_addresses import AllowedAddresses
from interface.outgoing.http_client import HttpClient

ANSWER_SECONDS = 20.0
LARGEST_ANSWER = 4 * 1024 * 1024  # bytes
ATTEMPTS = 5
"""The number of times that a request is sent while the service can't answer it."""

LONGEST_WAIT_SECONDS = 2.0

_EVERYWHERE = AllowedAddresses((ip_network("0.0.0.0/0"), ip_network("::/0")))

# What to do after a refusal, by its slug.
_NEXT = {
    "slot-taken": "Ask for the free times again, and choose another one.",
    "slot-not-offered": "Ask for the free times again, and choose one of them.",
    "link-redeemed": "It can't book again. Its owner can issue another link.",
    "link-expired": "It can't book any more. Its owner can issue another link.",
    "link-revoked": "It can't book any more. Ask its owner.",
    "link-not-found": "Ask the user for the whole link.",
    "not-found": "Check the id: list what there is first.",
    "calendar-archived": "Choose another calendar.",
    "stale-version": "Read it again, then repeat the change if it is still wanted.",
    "forbidden": "Don't try again: tell the user which permission is missing.",
    "unauthorized": "Don't try again: ask the user for a key that is valid.",
    "validation": "Correct these arguments, and call the tool again.",
    "too-late": "Don't try again: tell the user how to reach the host.",
    "reschedule-limit": "Don't try again: tell the user how to reach the host.",
    "no-other-times": "Don't try again: tell the user how to reach the host.",
    "agent-limit": "Don't try again: the owner of the key has set this limit. Tell the user.",
    "too-many-open-links": "List the active links and show them to the user, who can say which of"
    " them to revoke or to wait for.",
    "log-too-long": "Don't try again: tell the user, who can run this command.",
    "too-many-requests": "Wait as long as it says before you try again.",
}


class Refused(Exception):
    """The service refuses, in words for whoever reads them. `status` is that of its answer."""

    def __init__(self, sentences: str, status: int | None = None) -> None:
        super().__init__(sentences)
        self.status = status


class Result(NamedTuple):
    """An answer of the service, and the version of what it is about."""

    value: Any
    etag: str


@dataclass
class ServiceClient:
    """A service at a URL. Lists that it reads show what it has written."""

    url: str
    key: str | None = None
    _http: HttpClient = field(default_factory=lambda: HttpClient(_EVERYWHERE))
    _position: int = 0

    def read(self, path: str, **query: Any) -> Any:
        """Returns what is at a path of the API. Raises `Refused`."""
        return self.send("GET", path, query=query).value

    def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        attempts: int = ATTEMPTS,
    ) -> Result:
        """Sends a request, again if the service asks for that. Raises `Refused`.

        Each request must be one that can be repeated.
        """
        given = {name: value for name, value in (query or {}).items() if value is not None}
        url = f"{self.url.rstrip('/')}/api/v1{path}" + (f"?{urlencode(given)}" if given else "")
        all_headers = {"Accept": "application/json"} | dict(headers or {})
        if self.key is not None:
            all_headers["Authorization"] = f"Bearer {self.key}"
        if method == "GET" and self._position:
            all_headers["X-Min-Position"] = str(self._position)
        content = None
        if body is not None:
            all_headers["Content-Type"] = "application/json"
            content = msgspec.json.encode(body)
        for attempt in range(attempts):
            answer = self._send(method, url, all_headers, content)
            if answer.status != 503 or attempt == attempts - 1:
                break
            sleep(min(float(_wait(answer) or "1"), LONGEST_WAIT_SECONDS))
        return self._result(answer)

    def _send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None
    ) -> Answer:
        try:
            return self._http.send(
                method,
                url,
                headers=headers,
                body=body,
                seconds=ANSWER_SECONDS,
                most_bytes=LARGEST_ANSWER,
            )
        except (AddressNotAllowed, RequestFailed) as error:
            raise Refused(
                f"The service at {self.url} can't be reached. {error.detail}"
                " It is safe to call the tool again with the same arguments."
            ) from error

    def _result(self, answer: Answer) -> Result:
        if answer.status >= 300:
            raise Refused(_in_words(answer), answer.status)
        self._position = max(self._position, int(answer.headers.get("x-log-position", "0")))
        is_json = "json" in answer.headers.get("content-type", "")
        value = msgspec.json.decode(answer.body) if is_json else answer.body.decode()
        return Result(value, answer.headers.get("etag", ""))


def part(text: str) -> str:
    """Returns a text as one part of a path."""
    return quote(text, safe="")


def repeatable(tool: str, arguments: Any) -> dict[str, str]:
    """Returns the header by which the same call, whoever repeats it, is one request."""
    text = msgspec.json.encode([tool, arguments], order="deterministic")
    return {"Idempotency-Key": f"mcp-{hashlib.sha256(text).hexdigest()}"}


def _wait(answer: Answer) -> str | None:
    """Returns for how many seconds to wait; None if the answer does not say, or names a date."""
    wait = answer.headers.get("retry-after", "")
    return wait if wait.isascii() and wait.isdecimal() else None


def _in_words(answer: Answer) -> str:
    try:
        problem = msgspec.json.decode(answer.body, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return f"This is no service of Admit One: it answered with status {answer.status}."
    slug = str(problem.get("type", "")).rpartition("/")[2]
    errors = problem.get("errors", {})
    fields = [f"{name}: {' '.join(sentences)}" for name, sentences in errors.items()]
    wait = _wait(answer)
    hint = _NEXT.get(slug) or (f"Try again in {wait} seconds." if wait else "")
    return " ".join(filter(None, [str(problem.get("detail", "")), *fields, hint]))
