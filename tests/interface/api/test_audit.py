"""The audit API: histories as of any moment, and the log page by page."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from interface.bootstrap import Services
from tests.interface.api.openapi import faults, operations
from tests.support.audit_trail import BookedLink, sign_checkpoint
from tests.support.http_desk import refusal, unknown_id, wrong_fields
from tests.support.owner import Owner

KINDS = ("links", "bookings", "calendars")


def types(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.json
    events = answer.json.get("events", answer.json.get("items"))
    return [event["type"] for event in events]


def positions(answer: Any) -> list[int]:
    assert answer.status_code == 200, answer.json
    return [event["position"] for event in answer.json["items"]]


def test_a_link_and_its_booking_have_the_same_history(auditor: Owner, booked: BookedLink) -> None:
    answer = auditor.get(f"/audit/links/{booked.link}")
    assert set(types(answer)) == {
        "link.issued",
        "link.redeemed",
        "booking.made",
        "agenda.slot_reserved",
    }
    assert answer.json["id"] == booked.link
    state = answer.json["state"]
    assert state[f"link:{booked.link}"]["status"] == "redeemed"
    assert state[f"booking:{booked.booking}"]["status"] == "confirmed"
    assert answer.json["next_after"] is None
    issued = answer.json["events"][0]
    status = issued["changed"][f"link:{booked.link}"]["status"]
    assert status == {"before": None, "after": "active"}
    assert issued["typed"] == {"recipient": "Ada", "note": "Met in Lyon"}
    assert issued["commitment"] == "kept"
    assert issued["actor"].startswith("key:")
    same = auditor.get(f"/audit/bookings/{booked.booking}")
    assert same.json == answer.json | {"id": booked.booking}


def test_a_history_ends_at_a_position_or_a_time(auditor: Owner, booked: BookedLink) -> None:
    path = f"/audit/links/{booked.link}"
    whole = auditor.get(path).json["events"]
    for last in whole:
        for as_of in (last["position"], last["recorded_at"]):
            answer = auditor.get(f"{path}?as_of={as_of}")
            shown = [event["position"] for event in answer.json["events"]]
            assert shown == [e["position"] for e in whole if e["position"] <= last["position"]]
            assert last["changed"].keys() <= answer.json["state"].keys()
    assert auditor.get(f"{path}?as_of=2").json["state"][f"link:{booked.link}"]["status"] == "active"


def test_a_history_is_read_page_by_page(auditor: Owner, booked: BookedLink) -> None:
    path = f"/audit/links/{booked.link}"
    whole = auditor.get(path).json
    first = auditor.get(f"{path}?limit=3").json
    assert first["events"] == whole["events"][:3]
    assert first["next_after"] == whole["events"][2]["position"]
    rest = auditor.get(f"{path}?after={first['next_after']}").json
    assert rest == whole | {"events": whole["events"][3:]}


def test_an_agenda_is_read_over_a_period(auditor: Owner, booked: BookedLink) -> None:
    path = f"/audit/agendas/{booked.owner}"
    answer = auditor.get(f"{path}?from=2026-11-20&to=2026-11-30")
    assert types(answer) == ["agenda.opened", "agenda.slot_reserved"]
    day = auditor.get(f"{path}/2026-11-24").json
    assert answer.json == day | {"id": booked.owner}
    assert refusal(auditor.get(f"{path}?from=2026-11-20&to=2026-11-23")) == (404, "not-found")
    assert wrong_fields(auditor.get(path)) == {"from", "to"}
    for last in ("2026-11-19", "2027-11-19"):
        assert wrong_fields(auditor.get(f"{path}?from=2026-11-20&to={last}")) == {"to"}


def test_a_history_that_had_not_begun_at_that_time_is_not_found(
    auditor: Owner, booked: BookedLink
) -> None:
    for path in (
        f"/audit/links/{booked.link}?as_of=1",
        f"/audit/links/{booked.link}?as_of=2020-01-01T00:00:00Z",
        f"/audit/bookings/{booked.booking}?as_of=2",
        f"/audit/links/{unknown_id()}",
        f"/audit/agendas/{booked.owner}/2026-11-25",
        f"/audit/agendas/{unknown_id()}/2026-11-24",
    ):
        assert refusal(auditor.get(path)) == (404, "not-found"), path


def test_an_id_of_another_kind_is_not_found(auditor: Owner, booked: BookedLink) -> None:
    ids = {"links": booked.link, "bookings": booked.booking, "calendars": booked.calendar}
    for kind in ids:
        for other, its_id in ids.items():
            answer = auditor.get(f"/audit/{kind}/{its_id}")
            assert answer.status_code == (200 if kind == other else 404), (kind, other)


def test_the_log_is_read_page_by_page_in_order(auditor: Owner, booked: BookedLink) -> None:
    whole = auditor.get("/audit/events")
    assert whole.json["next_after"] is None
    assert positions(whole) == sorted(positions(whole))
    assert types(whole)[:2] == ["calendar.created", "link.issued"]
    found, after = [], 0
    while after is not None:
        page = auditor.get(f"/audit/events?after={after}&limit=2")
        assert len(page.json["items"]) <= 2
        found += page.json["items"]
        after = page.json["next_after"]
    assert found == whole.json["items"]


def test_the_log_is_filtered_by_type_and_by_actor(auditor: Owner, booked: BookedLink) -> None:
    assert types(auditor.get("/audit/events?type=link.issued")) == ["link.issued"]
    assert types(auditor.get("/audit/events?actor=invitee&type=booking.made")) == ["booking.made"]
    assert types(auditor.get("/audit/events?actor=invitee&type=link.issued")) == []


NO_MOMENTS = ("yesterday", "-1", "1.5", "2026-13-01", "2026-11-24T09:00", "9" * 30, "%00", "٣")


@pytest.mark.parametrize(
    ("path", "name", "values"),
    [
        *((f"/audit/{kind}/{{id}}", "as_of", NO_MOMENTS) for kind in KINDS),
        ("/audit/agendas/{id}/2026-11-24", "as_of", NO_MOMENTS),
        ("/audit/events", "after", ("-1", "x", "1.5", "9" * 30)),
        ("/audit/events", "limit", ("0", "201", "x", "%00")),
        ("/audit/events", "type", ("%00", "x" * 101)),
        ("/audit/events", "actor", ("%00", "x" * 201)),
        ("/audit/accesses", "limit", ("0", "201", "x")),
        ("/audit/accesses", "before", ("-1", "x", "9" * 30)),
    ],
)
def test_a_wrong_audit_parameter_is_refused_by_name(
    auditor: Owner, path: str, name: str, values: tuple[str, ...]
) -> None:
    address = path.format(id=unknown_id())
    for value in values:
        assert wrong_fields(auditor.get(f"{address}?{name}={value}")) == {name}, value


def test_a_day_that_does_not_exist_is_refused(auditor: Owner) -> None:
    for day in ("%00", "today", "2026-02-30", "2026-1-1"):
        assert wrong_fields(auditor.get(f"/audit/agendas/{unknown_id()}/{day}")) == {"day"}


def test_no_query_causes_an_internal_error(auditor: Owner) -> None:
    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        path=st.sampled_from(["/audit/events", "/audit/accesses", f"/audit/links/{unknown_id()}"]),
        query=st.dictionaries(
            st.sampled_from(["after", "limit", "type", "actor", "before", "as_of", "x"]),
            st.text() | st.binary(),
        ),
    )
    def check(path: str, query: dict[str, Any]) -> None:
        given = {
            name: value.encode(errors="replace") if isinstance(value, str) else value
            for name, value in query.items()
        }
        answer = auditor.client.get(f"/api/v1{path}", query_string=given, headers=auditor.headers)
        assert answer.status_code in (200, 404, 422), answer.data

    check()


def test_audit_responses_match_the_document(
    auditor: Owner, booked: BookedLink, services: Services, conninfo: str
) -> None:
    auditor.catch_up()
    sign_checkpoint(services, conninfo)
    document: dict[str, Any] = auditor.client.get("/api/openapi.json").json or {}
    documented = operations(document)
    for call, path in {
        "/audit/links/{link_id}": f"/audit/links/{booked.link}",
        "/audit/bookings/{booking_id}": f"/audit/bookings/{booked.booking}",
        "/audit/calendars/{calendar_id}": f"/audit/calendars/{booked.calendar}",
        "/audit/agendas/{owner_id}": (
            f"/audit/agendas/{booked.owner}?from=2026-11-24&to=2026-11-24"
        ),
        "/audit/agendas/{owner_id}/{day}": f"/audit/agendas/{booked.owner}/2026-11-24",
        "/audit/events": "/audit/events?limit=1",
        "/audit/events/{position}/proof": "/audit/events/1/proof",
        "/audit/reports/single-use": "/audit/reports/single-use?from=2026-11-23",
        "/audit/accesses": "/audit/accesses?limit=1",
        "/audit/checkpoint": "/audit/checkpoint",
        "/audit/key": "/audit/key",
    }.items():
        answer = auditor.get(path)
        assert answer.status_code == 200, answer.data
        ((media, content),) = documented[f"GET {call}"]["responses"]["200"]["content"].items()
        assert answer.mimetype == media
        value = answer.json if answer.is_json else answer.get_data(as_text=True)
        assert faults(document, content["schema"], value) == [], call
