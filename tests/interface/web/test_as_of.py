"""One grammar of `as_of` for API, page and command line."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.audit_trail import BookedLink
from tests.support.command_line import Command
from tests.support.http_desk import refusal
from tests.support.owner import Owner
from tests.support.signed_in_browser import SignedIn

SignInAs = Callable[..., SignedIn]

MOMENTS = (
    "2",
    "000000000000000002",
    "2027-01-01",
    "2027-01-01T00:00:00Z",
    "2027-01-01t01:00:00.5+01:00",
)
NO_MOMENTS = (
    "2027-W01-1",  # ISO 8601, but not RFC 3339
    "2027-01-01T00:00:00",  # no offset, and no zone to take it for
    "20270101T000000Z",
    "1" * 5000,
    "-1",
    "٢",
    "yesterday",
)


@pytest.mark.parametrize("text", MOMENTS)
def test_a_moment_is_read_alike_at_all_three_entrances(
    text: str, auditor: Owner, sign_in_as: SignInAs, admitone: Command, booked: BookedLink
) -> None:
    params = {"as_of": text}
    answer = auditor.client.get(
        f"/api/v1/audit/links/{booked.link}", query_string=params, headers=auditor.headers
    )
    assert answer.status_code in (200, 404)
    page = sign_in_as("auditor").get(f"/audit/history/{booked.link}", query_string={"at": text})
    assert page.status_code == 200
    done = admitone("audit", "replay", booked.link, "--as-of", text)
    assert (done.status == 0) == (answer.status_code == 200)
    if done.status:
        assert done.err == "The log has no link, booking, calendar or agenda of that id.\n"


@pytest.mark.parametrize("text", NO_MOMENTS, ids=lambda text: text[:24])
def test_what_is_no_moment_is_refused_alike(
    text: str, auditor: Owner, sign_in_as: SignInAs, admitone: Command, booked: BookedLink
) -> None:
    answer: Any = auditor.client.get(
        f"/api/v1/audit/links/{booked.link}", query_string={"as_of": text}, headers=auditor.headers
    )
    assert refusal(answer) == (422, "validation")
    (sentence,) = answer.json["errors"]["as_of"]
    done = admitone("audit", "replay", booked.link, "--as-of", text)
    assert done.status == 2
    assert sentence in done.err
    if text != "2027-01-01T00:00:00":  # on the page, by the auditor's own clock
        page = sign_in_as("auditor").get(
            f"/audit/history/{booked.link}", query_string={"from": text}
        )
        assert page.status_code == 422
