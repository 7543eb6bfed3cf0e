"""Replay shows from the log alone who did what and when, and the state at any moment."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from psycopg import Connection
from psycopg.rows import DictRow

from application.audit import replay
from application.audit.event_search import find_aggregates, find_events
from application.audit.replay import AsOf, History, HistoryNotFound, replay_of, replay_of_agenda
from application.audit.state_changes import State, differences
from application.eventstore.mapper import JSONMapper
from application.people.personal_data import Invitee
from domain.agenda import AgendaDay
from domain.booking import Booking
from domain.errors import Invalid
from domain.slot import Reservation, Slot
from interface.web.history_json import history_json
from tests.application.audit.saved_states import check_replay, commands_at_random
from tests.support.desk import Desk, minutes
from tests.support.every_event import everything_happens
from tests.support.examples import ACTOR, ADA, NOW, OWNER, TOMORROW, TOMORROW_AT_NINE
from tests.support.log_trigger import bypass_log_trigger

MAPPER = JSONMapper()


def history_of(
    conn: Connection[DictRow], aggregate_id: UUID, *, now: datetime = NOW, as_of: AsOf | None = None
) -> History:
    return replay_of(conn, aggregate_id, MAPPER, now=now, as_of=as_of).page()


def found(desk: Desk, conn: Connection[DictRow], text: str) -> list[UUID]:
    return find_aggregates(conn, text, desk.services.tokens)


def topics(found: History) -> list[str]:
    return [step.recorded.topic for step in found.steps]


def folded(found: History) -> State:
    """The state that the changes of all steps make, with dots in the names of nested fields."""
    state: State = {}
    for step in found.steps:
        for name, fields in step.changed.items():
            of_aggregate = state.setdefault(name, {})
            for path, change in fields.items():
                assert of_aggregate.get(path) == change["before"]
                of_aggregate[path] = change["after"]
    return {
        name: {k: v for k, v in of.items() if v not in (None, {})} for name, of in state.items()
    }


def flat(state: State) -> State:
    return {name: dict(leaves(fields)) for name, fields in state.items()}


def leaves(fields: dict[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in fields.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{path}{name}.")
        elif value is not None:
            yield f"{path}{name}", value


def recorded_at(conn: Connection[DictRow], position: int) -> datetime:
    row = conn.execute(
        "SELECT recorded_at FROM stored_events WHERE notification_id = %s", (position,)
    ).fetchone()
    assert row is not None
    moment: datetime = row["recorded_at"]
    return moment


def test_the_history_of_a_link_includes_its_booking_and_the_agenda_events_about_it(
    desk: Desk, conn: Connection[DictRow]
) -> None:
    calendar_id = desk.new_calendar()
    link_id = desk.new_link(calendar_id, recipient="Countess")
    desk.redeem(desk.new_link(calendar_id), TOMORROW_AT_NINE + timedelta(hours=3))
    booking_id = desk.book(link_id)
    desk.cancel(booking_id)
    found = history_of(conn, link_id)
    assert topics(found) == [
        "link.issued",
        "link.redeemed",
        "booking.made",
        "agenda.slot_reserved",
        "booking.cancelled",
        "agenda.slot_released",
    ]
    issued, redeemed, made, reserved, *_ = found.steps
    assert (issued.actor, redeemed.actor, issued.decided_at) == (ACTOR, "invitee", NOW)
    assert issued.typed == {"recipient": "Countess"}
    assert (issued.commitment, redeemed.commitment, made.commitment) == ("kept", None, "kept")
    assert made.typed == {"name": ADA.name, "email": ADA.email, "time_zone": ADA.time_zone}
    assert reserved.data["booking_id"] == str(booking_id)
    link, booking = f"link:{link_id}", f"booking:{booking_id}"
    assert issued.changed[link]["status"] == {"before": None, "after": "active"}
    assert redeemed.changed[link]["status"] == {"before": "active", "after": "redeemed"}
    assert made.changed[booking]["status"] == {"before": None, "after": "confirmed"}
    assert reserved.changed == {}
    cancelled = found.steps[4].changed[booking]
    assert cancelled["status"] == {"before": "confirmed", "after": "cancelled"}
    assert "slot.start" not in cancelled
    assert (found.state[link]["status"], found.state[booking]["status"]) == (
        "redeemed",
        "cancelled",
    )
    assert (found.count, found.total, found.next_after) == (6, 6, None)
    assert history_of(conn, booking_id).steps == found.steps


def test_calendars_and_agendas_have_histories_of_their_own(
    desk: Desk, conn: Connection[DictRow]
) -> None:
    calendar_id = desk.new_calendar()
    desk.change(calendar_id, duration_minutes=60)
    desk.redeem(desk.new_link(calendar_id))
    found = history_of(conn, calendar_id)
    assert topics(found) == ["calendar.created", "calendar.changed"]
    changed = found.steps[1].changed[f"calendar:{calendar_id}"]
    assert changed == {
        "terms.rules.duration_minutes": {"before": 30, "after": 60},
        "version": {"before": 1, "after": 2},
    }
    agenda = AgendaDay.id_for(OWNER, TOMORROW.start.date())
    assert topics(history_of(conn, agenda)) == [
        "agenda.opened",
        "agenda.slot_reserved",
    ]


def test_a_history_can_be_cut_off_at_a_time_or_a_position(
    desk: Desk, conn: Connection[DictRow]
) -> None:
    link_id = desk.new_link()
    issued = desk.services.event_store.head()
    desk.redeem(link_id)
    for moment in (issued, recorded_at(conn, issued)):
        found = history_of(conn, link_id, as_of=moment)
        assert topics(found) == ["link.issued"]
        assert found.state[f"link:{link_id}"]["booking_id"] is None
    assert history_of(conn, link_id, as_of=issued - 1).steps == []
    with pytest.raises(HistoryNotFound):
        history_of(conn, uuid4())


def test_a_link_is_shown_as_expired_for_the_time_that_is_asked_for(
    desk: Desk, conn: Connection[DictRow]
) -> None:
    link_id = desk.new_link(expires_at=NOW + timedelta(days=1))
    key = f"link:{link_id}"
    later = history_of(conn, link_id, now=NOW + timedelta(days=1))
    assert later.state[key]["status"] == "expired"
    before = history_of(conn, link_id, now=NOW + timedelta(hours=23))
    assert before.state[key]["status"] == "active"


def test_replay_up_to_a_position_equals_the_state_that_was_saved_there(
    desk: Desk, conn: Connection[DictRow]
) -> None:
    saved = commands_at_random(desk, seed=4, count=120)
    assert len(saved) >= 120
    check_replay(conn, saved)


def test_the_state_at_a_time_is_that_after_the_last_event_recorded_by_then(
    desk: Desk, conn: Connection[DictRow]
) -> None:
    """Positions say what came first, even if the database's clock was ahead and was set back."""
    link_id = desk.new_link()
    issued, hour = recorded_at(conn, desk.services.event_store.head()), timedelta(hours=1)
    desk.redeem(link_id)
    with conn.transaction():
        bypass_log_trigger(conn)
        conn.execute(
            "UPDATE stored_events SET recorded_at = %s WHERE topic = 'link.redeemed'",
            (issued + hour,),
        )
    for moment in (issued + hour / 2, issued + 2 * hour):
        found = history_of(conn, link_id, as_of=moment)
        assert topics(found)[:2] == ["link.issued", "link.redeemed"]
        assert found.state[f"link:{link_id}"]["status"] == "redeemed"


def test_a_long_history_is_read_page_by_page(desk: Desk, conn: Connection[DictRow]) -> None:
    calendar_id = desk.new_calendar()
    for version in range(1, 8):
        desk.change(calendar_id, version, duration_minutes=30 + version)
    whole = history_of(conn, calendar_id)
    pages: list[History] = []
    after: int | None = 0
    while after is not None:
        reading = replay_of(conn, calendar_id, MAPPER, now=NOW)
        reading.skip(after)
        pages.append(reading.page(limit=3))
        last = pages[-1].steps[-1].recorded.position
        assert pages[-1].state == history_of(conn, calendar_id, as_of=last).state
        after = pages[-1].next_after
    assert [len(page.steps) for page in pages] == [3, 3, 2]
    assert [step for page in pages for step in page.steps] == whole.steps


def test_a_page_of_large_events_is_shorter(
    desk: Desk, conn: Connection[DictRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    calendar_id = desk.new_calendar()
    desk.change(calendar_id, description="x" * 1000)
    monkeypatch.setattr(replay, "LARGEST_BYTES", 1000)
    pages = list(replay_of(conn, calendar_id, MAPPER, now=NOW).pages())
    assert [len(page.steps) for page in pages] == [1, 1]


def test_a_page_of_a_day_with_a_thousand_bookings_is_small(
    desk: Desk, conn: Connection[DictRow]
) -> None:
    day, none = TOMORROW.start.date(), timedelta(0)
    midnight = TOMORROW.start.replace(hour=0, minute=0)
    agenda = AgendaDay.open(OWNER, day, actor="invitee", now=NOW)
    for n in range(1057):
        slot = Slot(midnight + minutes(n), midnight + minutes(n + 1))
        agenda.reserve(uuid4(), Reservation(slot, none, none), actor="invitee", now=NOW)
    desk.services.event_store.save(agenda)
    pages = list(replay_of(conn, agenda.id, MAPPER, now=NOW).pages())
    assert [len(page.steps) for page in pages] == [200] * 5 + [58]
    assert len(pages[-1].state[f"agenda:{agenda.id}"]["reservations"]) == 1057
    assert max(len(json.dumps(history_json(page))) for page in pages) < 500_000


def test_the_agenda_of_a_period_holds_the_time_reserved_on_all_of_its_days(
    desk: Desk, conn: Connection[DictRow]
) -> None:
    starts = [TOMORROW_AT_NINE + timedelta(days=n) for n in (0, 1, 5)]
    bookings = [desk.redeem(desk.new_link(), start).value.booking.id for start in starts]
    first = starts[0].date()
    found = replay_of_agenda(conn, OWNER, first, first + timedelta(days=4), MAPPER, now=NOW).page()
    assert topics(found) == ["agenda.opened", "agenda.slot_reserved"] * 2
    assert folded(found) == flat(found.state)
    reserved = [key for day in found.state.values() for key in day["reservations"]]
    assert reserved == [str(booking_id) for booking_id in bookings[:2]]
    for day in found.state.values():
        for reservation in day["reservations"].values():
            assert reservation.keys() == {"slot", "buffer_before", "buffer_after"}
    for last, refusal in (
        (first - timedelta(days=1), Invalid),
        (first + timedelta(days=92), Invalid),
    ):
        with pytest.raises(refusal):
            replay_of_agenda(conn, OWNER, first, last, MAPPER, now=NOW)
    with pytest.raises(HistoryNotFound):
        replay_of_agenda(
            conn, OWNER, first - timedelta(days=9), first - timedelta(days=9), MAPPER, now=NOW
        )


def test_after_erasure_the_events_remain_and_what_was_typed_is_gone(
    desk: Desk, conn: Connection[DictRow]
) -> None:
    link_id = desk.new_link(recipient="Countess")
    booking_id = desk.book(link_id)
    desk.forget(booking_id)
    found = history_of(conn, link_id)
    assert [step.typed for step in found.steps] == [None] * len(found.steps)
    assert [step.commitment for step in found.steps if step.commitment] == ["gone", "gone"]
    assert topics(found)[-1] == "booking.invitee_forgotten"


def test_personal_data_that_does_not_match_its_commitment_is_reported(
    desk: Desk, conn: Connection[DictRow]
) -> None:
    link_id = desk.new_link(recipient="Countess")
    conn.execute("""UPDATE personal_data SET data = '{"recipient": "Duchess"}'""")
    (issued,) = history_of(conn, link_id).steps
    assert (issued.commitment, issued.fault) == ("changed", None)


def test_an_event_that_cannot_be_read_or_applied_is_reported_and_the_rest_replayed(
    desk: Desk, conn: Connection[DictRow]
) -> None:
    link_id = desk.new_link()
    desk.redeem(link_id)
    with conn.transaction():
        bypass_log_trigger(conn)
        conn.execute(
            "UPDATE stored_events SET originator_version = 7 WHERE topic = 'link.redeemed'"
        )
        conn.execute("UPDATE stored_events SET state = '{}' WHERE topic = 'booking.made'")
    found = history_of(conn, link_id)
    faults = {step.recorded.topic: step.fault for step in found.steps}
    assert faults["link.issued"] is None
    assert "OriginatorVersionError" in str(faults["link.redeemed"])
    assert "ValidationError" in str(faults["booking.made"])


# The log, and searching it


def test_the_log_is_listed_in_order_by_topic_actor_and_time(
    desk: Desk, conn: Connection[DictRow]
) -> None:
    everything_happens(desk)
    log = desk.log()

    def listed(**wish: Any) -> list[int]:
        wanted = {"after": 0, "limit": 1000} | wish
        found = find_events(conn, MAPPER, **wanted)
        return [step.recorded.position for step in found.steps]

    positions = [line["position"] for line in log]
    assert listed() == positions
    assert listed(limit=3) == positions[:3]
    assert listed(after=positions[4]) == positions[5:]
    made = [line["position"] for line in log if line["topic"] == "booking.made"]
    assert listed(topic="booking.made") == made
    by_invitees = [line["position"] for line in log if line["data"]["actor"] == "invitee"]
    assert listed(actor="invitee") == by_invitees
    assert listed(actor='nobody"') == []
    middle = log[9]["recorded_at"]
    assert listed(until=middle) == positions[:9]
    assert listed(since=middle) == positions[9:]


def test_a_search_finds_ids_and_the_addresses_of_invitees_until_they_are_forgotten(
    desk: Desk, conn: Connection[DictRow]
) -> None:
    link_id = desk.new_link(recipient="Countess")
    assert found(desk, conn, "countess") == [link_id]
    booking_id = desk.book(link_id)
    assert found(desk, conn, str(link_id).upper()) == [link_id]
    assert found(desk, conn, f" {ADA.email.upper()} ") == [booking_id]
    assert found(desk, conn, str(uuid4())) == []
    assert found(desk, conn, "ada love") == [booking_id]
    assert found(desk, conn, "%") == []
    tokens = desk.services.tokens
    for pasted in (f"<https://x.example/b/{tokens.for_link(link_id)}>.", tokens.for_link(link_id)):
        assert found(desk, conn, pasted) == [link_id]
    assert found(desk, conn, f"/m/{tokens.for_managing(booking_id)}") == [booking_id]
    assert found(desk, conn, "2") == [link_id]
    desk.forget(booking_id)
    assert found(desk, conn, ADA.email) == []


def test_a_search_finds_each_spelling_of_an_internationalised_address(
    desk: Desk, conn: Connection[DictRow]
) -> None:
    invitee = Invitee("Žofie", "zofie@příklad.cz")
    booking_id = desk.redeem(desk.new_link(), invitee=invitee).value.booking.id
    assert found(desk, conn, "zofie@příklad.cz") == [booking_id]
    assert found(desk, conn, "Zofie@XN--PKLAD-zsa96e.cz") == [booking_id]


def test_two_states_are_compared_field_by_field(desk: Desk, conn: Connection[DictRow]) -> None:
    link_id = desk.new_link()
    issued = desk.services.event_store.head()
    booking_id = Booking.id_for(link_id)
    desk.redeem(link_id)
    after = history_of(conn, link_id)
    before = history_of(conn, link_id, as_of=issued)
    changed = differences(before.state, after.state)
    assert changed[f"link:{link_id}"]["status"] == {"before": "active", "after": "redeemed"}
    assert changed[f"link:{link_id}"]["booking_id"] == {"before": None, "after": str(booking_id)}
    assert "calendar_id" not in changed[f"link:{link_id}"]
    assert changed[f"booking:{booking_id}"]["status"] == {"before": None, "after": "confirmed"}
    assert differences(after.state, after.state) == {}
