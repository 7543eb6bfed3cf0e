"""The single-use report holds for every log that the service writes, and counts its events."""

from collections import Counter
from contextlib import suppress
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from application.audit import single_use_report
from domain.booking import Booking
from domain.errors import (
    BookingCancelled,
    BookingNotFound,
    ChangeRefused,
    InviteeForgotten,
    LinkEnded,
    SlotRefused,
)
from tests.application.audit.single_use_statements import (
    ACTIVE,
    APART,
    ISSUED,
    LATER,
    NOT_ARCHIVED,
    OFFERED,
    ONCE,
    ONE_BOOKING,
    PAIRED,
    READABLE,
    RESERVED,
    RESERVED_APART,
    VERSIONS,
    Prove,
    checked,
    faults,
)
from tests.support.desk import ALL_DAY, Desk
from tests.support.every_event import everything_happens
from tests.support.examples import IN_90_DAYS, NOW, TOMORROW_AT_NINE, TOMORROW_AT_TEN
from tests.support.log_forger import LogForger


@pytest.fixture
def forger(conninfo: str) -> LogForger:
    """Writes into the log past the service."""
    return LogForger(conninfo)


def test_every_statement_holds_for_an_empty_log(prove: Prove) -> None:
    found = prove()
    assert faults(found) == {}
    assert found["head"] == {"position": 0, "size": 0}
    assert set(checked(found).values()) == {0}


def test_every_statement_holds_for_a_log_with_every_kind_of_event(desk: Desk, prove: Prove) -> None:
    everything_happens(desk)
    found = prove(checkpoint="a signed head")
    assert faults(found) == {}
    log = desk.log()
    assert found["head"] == {"position": log[-1]["position"], "size": len(log)}
    assert found["checkpoint"] == "a signed head"
    assert found["counts"] == {
        "links": {"issued": 7, "redeemed": 4, "revoked": 1, "replaced": 1, "expired": 1},
        "bookings": {"made": 4, "rescheduled": 1, "cancelled": 1},
        "refused_attempts": {},
    }
    assert checked(found) == {
        ONCE: 4,
        ONE_BOOKING: 4,
        PAIRED: 8,
        APART: 5,
        RESERVED_APART: desk.topics().count("agenda.slot_reserved"),
        ISSUED: 4,
        ACTIVE: 4,
        NOT_ARCHIVED: 7,
        RESERVED: 5,
        OFFERED: 4,
        READABLE: len(log),
        VERSIONS: len(log),
    }


def test_reading_the_log_in_batches_gives_the_same_report(
    desk: Desk, prove: Prove, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything_happens(desk)
    whole = prove()
    monkeypatch.setattr(single_use_report, "BATCH", 3)
    assert prove() == whole


def test_counts_are_of_a_period_and_statements_are_of_the_whole_log(
    desk: Desk, forger: LogForger, prove: Prove
) -> None:
    noon = NOW + timedelta(hours=4)
    calendar_id = desk.new_calendar(minimum_notice_minutes=0)
    links = [desk.new_link(calendar_id) for _ in range(3)]
    desk.redeem(links[0])
    desk.redeem(links[1], TOMORROW_AT_TEN, now=noon)
    desk.revoke(links[2], now=noon)
    for reason, moment in (("link-redeemed", NOW), ("slot-taken", noon)):
        desk.services.refused_attempts.record(links[0], reason=reason, address="", now=moment)
    second = forger.repeat(forger.positions("link.redeemed")[0], timestamp="2026-11-23T15:00:00Z")
    morning = prove(until=noon)
    assert morning["period"] == {"from": None, "to": "2026-11-23T12:00:00Z"}
    assert morning["counts"] == {
        "links": {"issued": 3, "redeemed": 1, "revoked": 0, "replaced": 0, "expired": 0},
        "bookings": {"made": 1, "rescheduled": 0, "cancelled": 0},
        "refused_attempts": {"link-redeemed": 1},
    }
    just_then = prove(since=noon, until=noon + timedelta(microseconds=1))
    assert just_then["counts"] == {
        "links": {"issued": 0, "redeemed": 1, "revoked": 1, "replaced": 0, "expired": 0},
        "bookings": {"made": 1, "rescheduled": 0, "cancelled": 0},
        "refused_attempts": {"slot-taken": 1},
    }
    for found in (morning, just_then, prove(since=LATER)):
        assert faults(found) == {ONCE: [second]}
        assert checked(found)[ONCE] == 3


def test_a_link_counts_as_expired_only_if_it_was_neither_used_nor_revoked_before(
    desk: Desk, prove: Prove
) -> None:
    calendar_id = desk.new_calendar()
    _, used, revoked, revoked_late = (desk.new_link(calendar_id) for _ in range(4))
    desk.redeem(used)
    desk.revoke(revoked)
    desk.revoke(revoked_late, now=IN_90_DAYS)
    moment = timedelta(microseconds=1)

    def expired(**period: datetime) -> int:
        return int(prove(**period)["counts"]["links"]["expired"])

    assert expired() == 2
    assert expired(now=IN_90_DAYS) == 2
    assert expired(now=IN_90_DAYS - moment) == 0
    assert expired(since=IN_90_DAYS) == 2
    assert expired(since=IN_90_DAYS + moment) == 0
    assert expired(until=IN_90_DAYS) == 0
    assert expired(until=IN_90_DAYS + moment) == 2


def test_a_link_with_another_expiry_counts_as_expired_then_and_not_before(
    desk: Desk, prove: Prove
) -> None:
    calendar_id = desk.new_calendar()
    later, sooner = (
        desk.new_link(calendar_id, expires_at=NOW + timedelta(days=days)) for days in (7, 60)
    )
    desk.change_link(later, expires_at=IN_90_DAYS)
    desk.change_link(sooner, expires_at=NOW + timedelta(days=3))
    for days, expired in ((2, 0), (3, 1), (7, 1), (60, 1), (90, 2)):
        counts = prove(now=NOW + timedelta(days=days))["counts"]
        assert counts["links"]["expired"] == expired, days


REFUSALS = (
    *(LinkEnded, SlotRefused, ChangeRefused),
    *(BookingNotFound, BookingCancelled, InviteeForgotten),
)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["issue", "redeem", "revoke", "replace", "cancel", "move", "forget", "ask", "place"]
        ),
        st.integers(0, 3),
        st.integers(0, 6),
    ),
    min_size=5,
    max_size=25,
)


@settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS)
def test_every_statement_holds_for_any_sequence_of_commands(
    desk: Desk, prove: Prove, steps: list[tuple[str, int, int]]
) -> None:
    # The log is one for all examples: each has a day of its own.
    day = TOMORROW_AT_NINE + timedelta(days=desk.topics().count("calendar.created") % 300)
    calendar_id = desk.new_calendar(
        availability=ALL_DAY, start_increment_minutes=15, booking_window_days=365
    )
    links = [desk.new_link(calendar_id)]
    for what, which, when in steps:
        link_id = links[which % len(links)]
        booking_id = Booking.id_for(link_id)
        start = day + timedelta(minutes=15 * when)
        with suppress(*REFUSALS):
            match what:
                case "issue":
                    links.append(desk.new_link(calendar_id))
                case "redeem":
                    desk.redeem(link_id, start)
                case "revoke":
                    desk.revoke(link_id)
                case "replace":
                    links.append(desk.replace(link_id).value.id)
                case "cancel":
                    desk.cancel(booking_id)
                case "move":
                    desk.reschedule(booking_id, start, by_invitee=which % 2 == 0)
                case "forget":
                    desk.forget(booking_id)
                case "ask":
                    desk.ask_to_reschedule(booking_id)
                case "place":
                    desk.change_place(booking_id, f"Room {when}")
    found = prove()
    assert faults(found) == {}
    topics = Counter(desk.topics())
    assert found["counts"]["bookings"] == {
        "made": topics["booking.made"],
        "rescheduled": topics["booking.rescheduled"],
        "cancelled": topics["booking.cancelled"],
    }
