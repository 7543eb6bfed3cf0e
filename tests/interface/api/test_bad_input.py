"""Bad input is refused by the name of its field and never causes an internal error."""

import json
from collections.abc import Iterator
from gzip import compress
from io import BytesIO
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from interface.bootstrap import Services
from interface.web.request_context import LARGEST_BODY
from tests.interface.api.bad_input import CALLS, CREATE, NO_DATES, NO_JSON, NO_WEEKDAYS, WRONG, Call
from tests.support.http_desk import from_another_address, manage_token, refusal, wrong_fields
from tests.support.owner import Owner
from tests.support.stored_rows import recorded


@pytest.fixture
def calls(owner: Owner) -> list[Call]:
    """All calls that take a body, each on a calendar and a link of its own."""
    booking = owner.new_booking()
    booked = {"booking_id": booking["booking_id"], "manage_token": manage_token(booking)}
    ready = [call._replace(path=call.path.format(**owner.new_link(), **booked)) for call in CALLS]
    owner.catch_up()
    return ready


@pytest.fixture
def nothing_is_left(services: Services, calls: list[Call]) -> Iterator[None]:
    """Checks that a test left the log and the personal data unchanged."""
    before = recorded(services)
    yield
    assert recorded(services) == before


def send(owner: Owner, call: Call, body: Any, **headers: str) -> Any:
    """Sends the call with `body`, as JSON unless it is bytes."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return owner.client.open(
        f"/api/v1{call.path}",
        method=call.method,
        data=raw,
        headers=owner.headers | {"If-Match": "*", "Content-Type": "application/json"} | headers,
        environ_base=from_another_address(),
    )


def names(wrong: set[str], field: str) -> bool:
    """Returns True if the reported fields are the wrong one, its parent, or parts of it."""
    return bool(wrong) and all(
        f"{one}.".startswith(f"{field}.") or f"{field}.".startswith(f"{one}.") for one in wrong
    )


@pytest.mark.usefixtures("nothing_is_left")
def test_a_wrong_value_is_refused_by_the_name_of_its_field(owner: Owner, calls: list[Call]) -> None:
    for call in calls:
        for field, kind in call.kinds.items():
            for value in WRONG[kind]:
                wrong = wrong_fields(send(owner, call, call.with_value(field, value)))
                assert names(wrong, field), (call.name, field, value, wrong)


@pytest.mark.usefixtures("nothing_is_left")
def test_a_field_that_is_missing_is_refused_by_name(owner: Owner, calls: list[Call]) -> None:
    for call in calls:
        for field in call.required:
            assert wrong_fields(send(owner, call, call.without(field))) == {field}, call.name


@pytest.mark.usefixtures("nothing_is_left")
def test_a_field_that_is_not_known_is_refused_by_name(owner: Owner, calls: list[Call]) -> None:
    for call in calls:
        for place in call.objects:
            for name in ("surprise", "Name", "a.b", "\0", "\ud800", "__proto__", "id", "_x"):
                path = f"{place}.{name}" if place else name
                wrong = wrong_fields(send(owner, call, call.with_field(place, name, 1)))
                assert wrong == {path}, (call.name, path)


@pytest.mark.usefixtures("nothing_is_left")
def test_a_body_that_is_not_an_object_is_refused(owner: Owner, calls: list[Call]) -> None:
    for call in calls:
        for body in ([], [call.body], None, True, 0, 1.5, "x", ""):
            assert wrong_fields(send(owner, call, body)) == {"body"}, (call.name, body)


@pytest.mark.usefixtures("nothing_is_left")
def test_what_is_not_json_is_malformed(owner: Owner, calls: list[Call]) -> None:
    for call in calls:
        whole = json.dumps(call.body).encode()
        for body in (*NO_JSON, b"\xef\xbb\xbf" + whole, whole.decode().encode("utf-16")):
            answer = send(owner, call, body)
            assert refusal(answer) == (400, "malformed"), (call.name, body[:40])


@pytest.mark.usefixtures("nothing_is_left")
def test_a_field_given_twice_is_refused_by_name(owner: Owner, calls: list[Call]) -> None:
    for call in calls:
        for text, field in (
            (b'{"start": 1, "start": 1}', "start"),
            (b'{"a": {"name": 1, "name": 2}}', "name"),
            (b'{"\\u0061": 1, "a": 2}', "a"),
        ):
            assert wrong_fields(send(owner, call, text)) == {field}, call.name


@pytest.mark.usefixtures("nothing_is_left")
def test_only_json_that_is_not_compressed_is_read(owner: Owner, calls: list[Call]) -> None:
    kinds = ("", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "json")
    for call in calls:
        for kind in kinds:
            answer = send(owner, call, b"{}", **{"Content-Type": kind})
            assert refusal(answer) == (415, "unsupported-media-type"), (call.name, kind)
        compressed = send(owner, call, compress(b"{}"), **{"Content-Encoding": "gzip"})
        assert refusal(compressed) == (415, "unsupported-media-type"), call.name
        plain = send(owner, call, b"[]", **{"Content-Encoding": ""})
        assert plain.status_code == 422, call.name


@pytest.mark.usefixtures("nothing_is_left")
def test_a_body_larger_than_64_kib_is_too_large(owner: Owner, calls: list[Call]) -> None:
    assert LARGEST_BODY == 64 * 1024
    for call in calls:
        whole = json.dumps(call.body).encode()
        for size in (LARGEST_BODY + 1, 5 * LARGEST_BODY):
            assert refusal(send(owner, call, whole.ljust(size))) == (413, "too-large"), call.name


def test_a_body_of_exactly_64_kib_is_read(owner: Owner, calls: list[Call]) -> None:
    for call in calls:
        answer = send(owner, call, json.dumps(call.body).encode().ljust(LARGEST_BODY))
        assert answer.status_code in (200, 201), (call.name, answer.json)


def test_a_body_of_no_declared_length_has_the_same_limit(owner: Owner, calls: list[Call]) -> None:
    for call in calls:
        whole = json.dumps(call.body).encode()
        for size, taken in ((LARGEST_BODY + 1, False), (LARGEST_BODY, True)):
            answer = owner.client.open(
                f"/api/v1{call.path}",
                method=call.method,
                input_stream=BytesIO(whole.ljust(size)),
                content_type="application/json",
                environ_overrides={"wsgi.input_terminated": True},
                headers=owner.headers | {"If-Match": "*", "Transfer-Encoding": "chunked"},
            )
            assert (answer.status_code in (200, 201)) == taken, (call.name, size)
            assert taken or refusal(answer) == (413, "too-large"), (call.name, size)


@pytest.mark.usefixtures("nothing_is_left")
def test_a_day_that_does_not_exist_is_refused_by_name(owner: Owner) -> None:
    for half, days in (("weekly", NO_WEEKDAYS), ("overrides", NO_DATES)):
        for day in days:
            body = CREATE.with_value(f"availability.{half}", {day: [["09:00", "17:00"]]})
            assert wrong_fields(send(owner, CREATE, body)) == {f"availability.{half}.{day}"}
    days_without_hours = {f"{year}-01-01": list[str]() for year in range(1000, 2001)}
    body = CREATE.with_value("availability.overrides", days_without_hours)
    assert wrong_fields(send(owner, CREATE, body)) == {"availability.overrides"}


def test_the_longest_and_strangest_valid_texts_are_stored_unchanged(owner: Owner) -> None:
    name = "👩\u200d👩\u200d👧\u200d👦" + "é" * 193
    assert len(name) == 200
    taken = {"name": name, "location": "ﷺ" * 500, "description": "x\u2028" * 1999 + "xx"}
    calendar_id = owner.new_calendar(**taken)
    shown = owner.get(f"/calendars/{calendar_id}").json
    assert {field: shown[field] for field in taken} == taken
    link = owner.new_link(calendar_id, recipient=name, note="n\n\t" + "🙂" * 1997)
    email = "x" * 242 + "@example.org"
    invitee = {"name": name, "email": email, "time_zone": "America/Argentina/ComodRivadavia"}
    answer = owner.redeem(link, invitee=invitee, notes="z" * 2000)
    assert (answer.status_code, answer.json["invitee"]) == (201, invitee)
    assert owner.get("/bookings").json["items"][0]["invitee"] == invitee


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False, width=16),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


def test_no_value_of_any_field_causes_an_internal_error(owner: Owner, calls: list[Call]) -> None:
    fields = [(call, field) for call in calls for field in call.kinds]

    @settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
    @given(which=st.sampled_from(fields), value=ANYTHING)
    def check(which: tuple[Call, str], value: Any) -> None:
        call, field = which
        answer = send(owner, call, call.with_value(field, value))
        if answer.status_code not in (200, 201):
            assert refusal(answer)[0] in (400, 409, 410, 422), answer.json

    check()
