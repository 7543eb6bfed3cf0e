"""An event has exactly its fields, and applies to its own aggregate alone, as the next one."""

from typing import Any

import pytest
from eventsourcing.domain import OriginatorIDError, OriginatorVersionError

from domain.agenda import AgendaDay
from domain.aggregate import Aggregate
from domain.calendar import Calendar
from domain.link import SingleUseLink
from domain.schedule import Schedule
from tests.support.examples import (
    ACTOR,
    CALENDAR,
    NOW,
    OWNER,
    SCHEDULE_TERMS,
    TERMS,
    TOMORROW,
    TOMORROW_AT_TEN,
    booked,
)

FIELDS = {"personal_data": None, "replaced_by": None, "actor": ACTOR, "timestamp": NOW}


def issued() -> SingleUseLink:
    return SingleUseLink.issue(
        owner_id=OWNER,
        calendar_id=CALENDAR,
        expires_at=TOMORROW_AT_TEN,
        personal_data=None,
        actor=ACTOR,
        now=NOW,
    )


def revocation_of(link: SingleUseLink) -> Any:
    link.revoke(personal_data=None, actor=ACTOR, now=NOW)
    return link.collect_events()[-1]


@pytest.mark.parametrize("missing", FIELDS)
def test_an_event_without_one_of_its_fields_is_an_error(missing: str) -> None:
    link = issued()
    fields = {name: value for name, value in FIELDS.items() if name != missing}
    with pytest.raises(TypeError, match=missing):
        link.trigger_event(SingleUseLink.Revoked, **fields)
    assert not link.is_revoked
    assert len(link.pending_events) == 1


def test_an_event_with_a_field_of_another_is_an_error() -> None:
    with pytest.raises(TypeError, match="owner_id"):
        issued().trigger_event(SingleUseLink.Revoked, **FIELDS, owner_id=OWNER)


def test_an_event_does_not_apply_to_another_aggregate() -> None:
    other = issued()
    with pytest.raises(OriginatorIDError):
        revocation_of(issued()).mutate(other)
    assert not other.is_revoked


def test_an_event_does_not_apply_twice() -> None:
    link = issued()
    revocation = revocation_of(link)
    with pytest.raises(OriginatorVersionError):
        revocation.mutate(link)
    assert link.version == 2


def test_what_an_event_says_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        revocation_of(issued()).actor = "somebody else"


def test_an_aggregate_does_not_begin_twice() -> None:
    link = issued()
    (issuing,) = link.collect_events()
    with pytest.raises(OriginatorVersionError):
        issuing.mutate(link)


@pytest.mark.parametrize(
    "aggregate",
    [
        issued(),
        booked(),
        AgendaDay.open(OWNER, TOMORROW.start.date(), actor=ACTOR, now=NOW),
        Calendar.create(owner_id=OWNER, terms=TERMS, actor=ACTOR, now=NOW),
        Schedule.create(owner_id=OWNER, terms=SCHEDULE_TERMS, actor=ACTOR, now=NOW),
    ],
    ids=lambda aggregate: aggregate.TOPIC,
)
def test_a_copy_is_the_same_and_shares_no_collection(aggregate: Aggregate) -> None:
    copy = aggregate.copy()
    assert copy == aggregate
    for name, value in vars(copy).items():
        if isinstance(value, dict | list | set):
            assert value is not vars(aggregate)[name], name
