"""Replay shows from the log alone who did what and when, and the state at any moment."""

from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from psycopg import Connection
from psycopg.rows import DictRow

from application.audit import replay
from application.audit.event_search import find_aggregates, find_events
from application.audit.replay import HistoryNotFound
from application.eventstore.mapper import JSONMapper
from application.people.personal_data import Invitee
from domain.agenda import AgendaDay
from domain.booking import Booking
from domain.errors import LinkEnded, SlotRefused
from tests.support.desk import Desk
from tests.support.every_event import everything_happens
from tests.support.examples import ACTOR, ADA, NOW, OWNER, TOMORROW, TOMORROW_AT_NINE
from tests.support.log_trigger import bypass_log_trigger

MAPPER = JSONMapper()


def topics(found: replay.History) -> list[str]:
    return [step.recorded.topic for step in found.steps]


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
    found = replay.replay(conn, link_id, MAPPER, now=NOW)
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
    assert [step.state[link]["status"] for step in found.steps] == ["active", *["redeemed"] * 5]
    assert [step.state.get(booking, {}).get("status") for step in found.steps] == [
        None,
        None,
        *["confirmed"] * 2,
        *["cancelled"] * 2,
    ]
    assert found.state == found.steps[-1].state
    assert replay.replay(conn, booking_id, MAPPER, now=NOW).steps == found.steps


def test_calendars_and_agendas_have_histories_of_their_own(
    desk: Desk, conn: Connection[DictRow]
) -> None:
    calendar_id = desk.new_calendar()
    desk.change(calendar_id, duration_minutes=60)
    desk.redeem(desk.new_link(calendar_id))
    found = replay.replay(conn, calendar_id, MAPPER, now=NOW)
    assert topics(found) == ["calendar.created", "calendar.changed"]
    durations = [
        step.state[f"calendar:{calendar_id}"]["terms"]["rules"]["duration_minutes"]
        for step in found.steps
    ]
    assert durations == [30, 60]
    agenda = AgendaDay.id_for(OWNER, TOMORROW.start.date())
    assert topics(replay.replay(conn, agenda, MAPPER, now=NOW)) == [
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
        found = replay.replay(conn, link_id, MAPPER, now=NOW).as_of(moment)
        assert topics(found) == ["link.issued"]
        assert found.state[f"link:{link_id}"]["booking_id"] is None
    assert replay.replay(conn, link_id, MAPPER, now=NOW).as_of(issued - 1).steps == []
    with pytest.raises(HistoryNotFound):
        replay.replay(conn, uuid4(), MAPPER, now=NOW)


def test_a_link_is_shown_as_expired_for_the_time_that_is_asked_for(
    desk: Desk, conn: Connection[DictRow]
) -> None:
    link_id = desk.new_link(expires_at=NOW + timedelta(days=1))
    key = f"link:{link_id}"
    later = replay.replay(conn, link_id, MAPPER, now=NOW + timedelta(days=1))
    assert later.state[key]["status"] == "expired"
    before = replay.replay(conn, link_id, MAPPER, now=NOW + timedelta(hours=23))
    assert before.state[key]["status"] == "active"


def test_replay_up_to_a_position_equals_the_state_that_was_saved_there(
    desk: Desk, conn: Connection[DictRow]
) -> None:
    saved: list[tuple[int, UUID, dict[str, Any]]] = []
    bookings = desk.services.event_store
    record = bookings.record

    def noting(*aggregates: Any, **more: Any) -> Any:
        changed = [aggregate for aggregate in aggregates if aggregate.pending_events]
        position = record(*aggregates, **more)
        for aggregate in changed:
            public = {k: v for k, v in vars(aggregate).items() if not k.startswith("_")}
            state = msgspec.to_builtins(public, str_keys=True) | {"version": aggregate.version}
            saved.append((position, aggregate.id, state))
        return position

    vars(bookings)["record"] = noting
    at_random(desk, Random(4))
    assert len(saved) > 150
    for position, aggregate_id, state in saved:
        found = replay.replay(conn, aggregate_id, MAPPER, now=NOW).as_of(position).state
        (replayed,) = [value for name, value in found.items() if name.endswith(str(aggregate_id))]
        replayed.pop("status", None)
        state.pop("status", None)
        assert replayed == state


def at_random(desk: Desk, random: Random) -> None:
    """Gives random commands."""
    everything_happens(desk)
    calendar_id = desk.new_calendar()
    links: list[UUID] = []
    for _ in range(250):
        match random.randrange(5):
            case 0 | 1:
                links.append(desk.new_link(calendar_id))
            case 2 | 3 if links:
                start = TOMORROW_AT_NINE + timedelta(days=random.randrange(20))
                try:
                    desk.redeem(random.choice(links), start)
                except (LinkEnded, SlotRefused):
                    continue
            case 4 if links:
                try:
                    desk.revoke(random.choice(links))
                except LinkEnded:
                    continue


def test_after_erasure_the_events_remain_and_what_was_typed_is_gone(
    desk: Desk, conn: Connection[DictRow]
) -> None:
    link_id = desk.new_link(recipient="Countess")
    booking_id = desk.book(link_id)
    desk.forget(booking_id)
    found = replay.replay(conn, link_id, MAPPER, now=NOW)
    assert [step.typed for step in found.steps] == [None] * len(found.steps)
    assert [step.commitment for step in found.steps if step.commitment] == ["gone", "gone"]
    assert topics(found)[-1] == "booking.invitee_forgotten"


def test_personal_data_that_does_not_match_its_commitment_is_reported(
    desk: Desk, conn: Connection[DictRow]
) -> None:
    link_id = desk.new_link(recipient="Countess")
    conn.execute("""UPDATE personal_data SET data = '{"recipient": "Duchess"}'""")
    (issued,) = replay.replay(conn, link_id, MAPPER, now=NOW).steps
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
    found = replay.replay(conn, link_id, MAPPER, now=NOW)
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
    link_id = desk.new_link()
    booking_id = desk.book(link_id)
    assert find_aggregates(conn, str(link_id).upper()) == [link_id]
    assert find_aggregates(conn, f" {ADA.email.upper()} ") == [booking_id]
    assert find_aggregates(conn, str(uuid4())) == []
    assert find_aggregates(conn, "Ada") == []
    desk.forget(booking_id)
    assert find_aggregates(conn, ADA.email) == []


def test_a_search_finds_each_spelling_of_an_internationalised_address(
    desk: Desk, conn: Connection[DictRow]
) -> None:
    invitee = Invitee("Žofie", "zofie@příklad.cz")
    booking_id = desk.redeem(desk.new_link(), invitee=invitee).value.booking.id
    assert find_aggregates(conn, "zofie@příklad.cz") == [booking_id]
    assert find_aggregates(conn, "Zofie@XN--PKLAD-zsa96e.cz") == [booking_id]


def test_two_states_are_compared_field_by_field(desk: Desk, conn: Connection[DictRow]) -> None:
    link_id = desk.new_link()
    issued = desk.services.event_store.head()
    booking_id = Booking.id_for(link_id)
    desk.redeem(link_id)
    after = replay.replay(conn, link_id, MAPPER, now=NOW)
    before = after.as_of(issued)
    changed = replay.differences(before.state, after.state)
    assert changed[f"link:{link_id}"]["status"] == {"before": "active", "after": "redeemed"}
    assert changed[f"link:{link_id}"]["booking_id"] == {"before": None, "after": str(booking_id)}
    assert "calendar_id" not in changed[f"link:{link_id}"]
    assert changed[f"booking:{booking_id}"]["status"] == {"before": None, "after": "confirmed"}
    assert replay.differences(after.state, after.state) == {}
