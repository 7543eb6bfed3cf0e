"""Histories as the audit pages show them: titles of events, values and changes, to read."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from marshmallow import ValidationError

from application.audit.replay import History, Step
from application.audit.state_changes import FieldChanges, State, differences
from application.people.security_log import account_actor
from interface.i18n import gettext
from interface.i18n import mark_for_translation as _
from interface.web.fields import Instant

TITLES = {
    "calendar.created": _("Calendar created"),
    "calendar.changed": _("Calendar changed"),
    "calendar.archived": _("Calendar archived"),
    "schedule.created": _("Schedule created"),
    "schedule.changed": _("Schedule changed"),
    "schedule.calendar_joined": _("Calendar follows the schedule"),
    "schedule.calendar_left": _("Calendar left the schedule"),
    "schedule.archived": _("Schedule archived"),
    "link.issued": _("Link issued"),
    "link.changed": _("Link changed"),
    "link.redeemed": _("Link used"),
    "link.revoked": _("Link revoked"),
    "agenda.opened": _("Agenda day opened"),
    "agenda.slot_reserved": _("Time reserved"),
    "agenda.slot_released": _("Time released"),
    "booking.made": _("Booking made"),
    "booking.rescheduled": _("Booking rescheduled"),
    "booking.changed": _("Location of the booking changed"),
    "booking.reschedule_requested": _("Invitee was asked to choose another time"),
    "booking.cancelled": _("Booking cancelled"),
    "booking.invitee_forgotten": _("Invitee forgotten"),
}

_KINDS = {
    "link": _("Link"),
    "booking": _("Booking"),
    "calendar": _("Calendar"),
    "schedule": _("Schedule"),
    "agenda": _("Agenda day"),
}

# Fields whose value is the id of something that has a history.
_AGGREGATES = frozenset({"link_id", "booking_id", "calendar_id", "schedule_id", "replaced_by"})
_INSTANT = Instant()
_LONGEST_LINE = 60


@dataclass(frozen=True)
class Value:
    """A value of an event or a state: a moment, an actor, the id of an aggregate, or text."""

    text: str
    moment: datetime | None = None
    aggregate: str | None = None
    actor: str | None = None
    is_code: bool = False


@dataclass(frozen=True)
class Change:
    """A field of an aggregate before and after; `before` is None for a new aggregate."""

    field: str
    before: Value | None
    after: Value


@dataclass(frozen=True)
class ChangedAggregate:
    """The fields of an aggregate that changed, with its kind, such as link, and its id."""

    kind: str
    id: str
    fields: list[Change]


@dataclass(frozen=True)
class HistoryEntry:
    """An event of a history, with what it changed."""

    step: Step
    title: str
    kind: str
    data: list[tuple[str, Value]]
    typed: list[tuple[str, str]]
    changed: list[ChangedAggregate]


def title_of(topic: str) -> str:
    """Returns the title of events of this type, in the reader's language."""
    return gettext(TITLES[topic]) if topic in TITLES else topic


def kind_of(topic: str) -> str:
    """Returns the kind of aggregate that a topic belongs to, such as Link."""
    kind = topic.partition(".")[0]
    return gettext(_KINDS[kind]) if kind in _KINDS else kind


def history_entries(history: History) -> Iterator[HistoryEntry]:
    """Yields the events of a page of a history in order, each with what it changed."""
    for step in history.steps:
        yield HistoryEntry(
            step=step,
            title=title_of(step.recorded.topic),
            kind=kind_of(step.recorded.topic),
            data=_values(step.data),
            typed=list((step.typed or {}).items()),
            changed=_changes(step.changed),
        )


def changes(before: State, after: State) -> list[ChangedAggregate]:
    """Returns what differs between two states, by aggregate."""
    return _changes(differences(before, after))


def _changes(changed: Mapping[str, FieldChanges]) -> list[ChangedAggregate]:
    return [
        ChangedAggregate(
            kind_of(name.partition(":")[0]),
            name.partition(":")[2],
            [
                Change(
                    path,
                    None if _is_new(fields) else _value(path, both["before"]),
                    _value(path, both["after"]),
                )
                for path, both in fields.items()
            ],
        )
        for name, fields in changed.items()
        if fields
    ]


def _is_new(fields: FieldChanges) -> bool:
    return "version" in fields and fields["version"]["before"] is None


def actors_in(history: History) -> Iterator[str | None]:
    """Yields the actors of a page of a history, and its owners as actors."""
    for step in history.steps:
        yield step.actor
    for fields in (*(step.data for step in history.steps), *history.state.values()):
        for name, value in fields.items():
            yield actor_of(name, value)


def actor_of(name: str, value: Any) -> str | None:
    """Returns the actor that a field names: who acted, or the account of an owner."""
    if name == "actor":
        return str(value)
    return account_actor(value) if name == "owner_id" else None


def state_of(state: State) -> list[tuple[str, str, list[tuple[str, Value]]]]:
    """Returns kind, id and fields of each aggregate in a state."""
    return [
        (kind_of(name.partition(":")[0]), name.partition(":")[2], _values(fields))
        for name, fields in state.items()
    ]


def _flat(fields: dict[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in fields.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{path}{name}.")
        else:
            yield f"{path}{name}", value


def _values(fields: dict[str, Any]) -> list[tuple[str, Value]]:
    return [(name, _value(name, value)) for name, value in _flat(fields)]


def _value(name: str, value: Any) -> Value:
    if value is None:
        return Value("–")
    if isinstance(value, bool):
        return Value(gettext("yes") if value else gettext("no"))
    if not isinstance(value, str):
        short = json.dumps(value, ensure_ascii=False)
        is_long = len(short) > _LONGEST_LINE
        return Value(
            json.dumps(value, ensure_ascii=False, indent=2) if is_long else short, is_code=is_long
        )
    try:
        return Value(value, moment=_INSTANT.deserialize(value))
    except ValidationError:
        return Value(
            value,
            aggregate=value if name in _AGGREGATES else None,
            actor=actor_of(name, value),
        )
