"""Wrong query parameters are refused by name and never cause an internal error."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.interface.api.bad_input import HALF
from tests.support.http_desk import wrong_fields
from tests.support.owner import Owner

_NO_ID = ("x", "123", "%00", "null", "0" * 33, "é", "../links", "1" * 5000)
_NO_STATUS = ("Active", "used", "%00", "active ", "0", "null")
_NO_NUMBER = ("0", "-1", "201", "1.5", "x", "1e2", "%00", "9" * 5000, "null", "true")
_NO_TEXT = ("%00", "a%07b", "%1B", "x" * 201)
_NO_DAY = ("2026-02-30", "0000-01-01", "10000-01-01", "1999-12-31", "2200-01-01", "2026-1-1", "x")
_NO_TIME = (
    *_NO_DAY,
    *("0000-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00%2B14:00"),
    *("2026-11-24T09:00:00", "2026-11-24T09:00:00 01:00", "%00", "1732435200", "now"),
)
_NO_ZONE = ("../etc/passwd", "..%2Fetc%2Fpasswd", "%00", "Mars/Olympus", "utc", "%ED%A0%80")

WRONG: dict[str, dict[str, tuple[str, ...]]] = {
    "/links": {
        "status": _NO_STATUS,
        "calendar_id": _NO_ID,
        "q": _NO_TEXT,
        "limit": _NO_NUMBER,
        "cursor": ("x", "%00", "é"),
    },
    "/bookings": {
        "from": _NO_TIME,
        "to": _NO_TIME,
        "status": (*_NO_STATUS, "active"),
        "calendar_id": _NO_ID,
        "q": _NO_TEXT,
        "limit": _NO_NUMBER,
        "cursor": ("x", "%00", "é"),
    },
    "/deliveries": {
        "status": _NO_STATUS,
        "booking_id": _NO_ID,
        "limit": _NO_NUMBER,
        "cursor": ("x", "%00", "é"),
    },
    "/booking-links/{token}/slots": {
        "from": (*_NO_DAY, "2026-11-24T09:00:00Z"),
        "to": (*_NO_DAY, "2026-11-24T09:00:00Z"),
        "time_zone": _NO_ZONE,
    },
}


def test_a_wrong_query_parameter_is_refused_by_name(owner: Owner) -> None:
    token = owner.new_link()["token"]
    owner.catch_up()
    for path, parameters in WRONG.items():
        for name, values in parameters.items():
            for value in values:
                address = f"/api/v1{path.format(token=token)}?{name}={value}"
                answer = owner.client.get(address, headers=owner.headers)
                assert wrong_fields(answer) == {name}, (path, name, value)


def test_a_period_that_ends_before_it_begins_is_refused_by_its_end(
    owner: Owner, auditor: Owner
) -> None:
    for query in (
        "from=2026-11-25&to=2026-11-24",
        "from=2026-11-26&to=2026-11-24",
        "from=2026-11-24T09:00:01Z&to=2026-11-24T10:00:00%2B01:00",
    ):
        for reader, path in ((owner, "/bookings"), (auditor, "/audit/reports/single-use")):
            assert wrong_fields(reader.get(f"{path}?{query}")) == {"to"}, (path, query)
    reversed_ = "since=2026-11-24T09:00:01Z&until=2026-11-24T09:00:00Z"
    assert wrong_fields(auditor.get(f"/audit/security?{reversed_}")) == {"until"}
    for query in (
        "from=2026-11-24&to=2026-11-24",
        "from=2026-11-24T09:00:00Z&to=2026-11-24",
        "from=2026-11-24T09:00:00Z&to=2026-11-24T09:00:00Z",
    ):
        assert owner.get(f"/bookings?{query}").status_code == 200, query


def test_every_wrong_parameter_is_named_at_once(owner: Owner) -> None:
    answer = owner.get("/bookings?status=x&limit=0&from=x&to=y&calendar_id=z&q=%00")
    assert wrong_fields(answer) == {"status", "limit", "from", "to", "calendar_id", "q"}


def test_a_search_for_bytes_that_are_not_text_finds_nothing(owner: Owner) -> None:
    owner.new_link(recipient="Ada")
    for q in ("%FF%FE", "%ED%A0%80", "%F0%9F"):
        answer = owner.get(f"/links?q={q}")
        assert (answer.status_code, answer.json["items"]) == (200, [])


def test_periods_without_slots_are_refused_or_empty(owner: Owner) -> None:
    path = f"/booking-links/{owner.new_link()['token']}/slots"
    empty: dict[str, Any] = {"slots": [], "next_from": None}
    for query in ("from=2026-11-23&to=2027-12-28", "from=2026-11-24&to=2026-11-23"):
        assert wrong_fields(owner.get(f"{path}?{query}")) == {"to"}
    for day in ("2000-01-01", "2199-12-31"):
        for zone in ("Pacific/Kiritimati", "Etc/GMT%2B12", "Africa/Monrovia"):
            answer = owner.get(f"{path}?from={day}&to={day}&time_zone={zone}")
            assert (answer.status_code, answer.json) == (200, empty)
    assert owner.get(f"{path}?from=2199-12-31").json == empty


def test_no_value_of_any_parameter_causes_an_internal_error(owner: Owner) -> None:
    token = owner.new_link()["token"]
    owner.catch_up()
    all_of_them = [(path, name) for path, names in WRONG.items() for name in names]
    values = st.text().filter(lambda text: HALF not in text) | st.binary()

    @settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
    @given(which=st.sampled_from(all_of_them), value=values)
    def check(which: tuple[str, str], value: Any) -> None:
        path, name = which
        address = f"/api/v1{path.format(token=token)}"
        query = {name: value.encode(errors="replace") if isinstance(value, str) else value}
        answer = owner.client.get(address, query_string=query, headers=owner.headers)
        if answer.status_code != 200:
            assert wrong_fields(answer) == {name}

    check()
