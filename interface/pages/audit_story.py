"""Histories as people read them: what each event is called, what it changed, when."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from marshmallow import ValidationError

from application.audit import History, Step, differences
from interface.fields import Instant
from interface.pages.locale import gettext


def _(message: str) -> str:
    """Marks a message for the catalogues; `title_of` translates it."""
    return message


TITLES = {
    "calendar.created": _("Calendar created"),
    "calendar.changed": _("Calendar changed"),
    "calendar.archived": _("Calendar archived"),
    "link.issued": _("Link issued"),
    "link.redeemed": _("Link used"),
    "link.revoked": _("Link revoked"),
    "agenda.opened": _("Agenda of a day opened"),
    "agenda.slot_reserved": _("Time reserved"),
    "agenda.slot_released": _("Time released"),
    "booking.made": _("Booking made"),
    "booking.rescheduled": _("Booking rescheduled"),
    "booking.cancelled": _("Booking cancelled"),
    "booking.invitee_forgotten": _("Person forgotten"),
}

_KINDS = {
    "link": _("Link"),
    "booking": _("Booking"),
    "calendar": _("Calendar"),
    "agenda": _("Agenda of a day"),
}

# Fields whose value is the id of something that has a history.
_SUBJECTS = frozenset({"link_id", "booking_id", "calendar_id", "replaced_by"})
_INSTANT = Instant()
_LONGEST_LINE = 60


@dataclass(frozen=True)
class Value:
    """A value of an event or a state, for reading: a moment, an id with a history, or text."""

    text: str
    moment: datetime | None = None
    subject: str | None = None
    is_code: bool = False


@dataclass(frozen=True)
class Change:
    """A field of an aggregate before and after; `before` is None for a new aggregate's."""

    field: str
    before: Value | None
    after: Value


@dataclass(frozen=True)
class Changed:
    """What changed of an aggregate, as in link and its id."""

    kind: str
    id: str
    fields: list[Change]


@dataclass(frozen=True)
class Told:
    """A step of a story as a page tells it."""

    step: Step
    title: str
    kind: str
    data: list[tuple[str, Value]]
    typed: list[tuple[str, str]]
    changed: list[Changed]
    state: list[tuple[str, str, list[tuple[str, Value]]]]


def title_of(topic: str) -> str:
    """What people call an event of this type."""
    return gettext(TITLES[topic]) if topic in TITLES else topic


def kind_of(topic: str) -> str:
    """What people call what the event, or the aggregate, is about."""
    kind = topic.partition(".")[0]
    return gettext(_KINDS[kind]) if kind in _KINDS else kind


def told(found: History) -> Iterator[Told]:
    """The story step by step."""
    before: History | Step = nothing(found.id)
    for step in found.steps:
        yield Told(
            step=step,
            title=title_of(step.recorded.topic),
            kind=kind_of(step.recorded.topic),
            data=_values(step.data),
            typed=list((step.typed or {}).items()),
            changed=changes(before, step),
            state=state_of(step.state),
        )
        before = step


def nothing(subject_id: UUID) -> History:
    """The story of what is not known yet."""
    return History(subject_id, None, [], {})


def changes(before: History | Step, after: History | Step) -> list[Changed]:
    """What is different in the state after, aggregate by aggregate."""
    found = []
    for name, fields in sorted(differences(_flattened(before), _flattened(after)).items()):
        kind, _, its_id = name.partition(":")
        is_new = name not in before.state
        found.append(
            Changed(
                kind_of(kind),
                its_id,
                [
                    Change(
                        field,
                        None if is_new else _value(field, both["before"]),
                        _value(field, both["after"]),
                    )
                    for field, both in fields.items()
                ],
            )
        )
    return found


def state_of(state: dict[str, dict[str, Any]]) -> list[tuple[str, str, list[tuple[str, Value]]]]:
    """Kind, id and fields of each aggregate."""
    return [
        (kind_of(name.partition(":")[0]), name.partition(":")[2], _values(fields))
        for name, fields in state.items()
    ]


def _flattened(then: History | Step) -> History:
    """The state alone, with fields of fields by their dotted paths."""
    return History(
        UUID(int=0), None, [], {name: dict(_flat(of)) for name, of in then.state.items()}
    )


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
        return Value(value, subject=value if name in _SUBJECTS else None)
