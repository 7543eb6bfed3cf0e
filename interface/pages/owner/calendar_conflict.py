"""Merges two changes of one calendar, made in two browsers or tabs at the same time."""

from collections.abc import Mapping
from typing import NamedTuple
from uuid import UUID

from domain.calendar import CalendarTerms
from interface.pages.owner.calendar_form import NUMBERS, UNIT_OF, WEEKLY, WORDS, CalendarForm
from interface.pages.owner.calendar_labels import label, unit

_OVERRIDES = "overrides"
_PARTS = {
    name: (name,) for name in (*WORDS, "schedule_id", "time_zone", *NUMBERS, *WEEKLY.values())
} | {name: (name, unit_field) for name, unit_field in UNIT_OF.items()}


class Difference(NamedTuple):
    """A field that somebody else changed; `yours` is None if you did not change it."""

    label: str
    theirs: str
    yours: str | None


class Conflict(NamedTuple):
    """The other person's changes, and a form with both: yours where both touch a field."""

    differences: list[Difference]
    form: CalendarForm


def conflict(
    *,
    base: CalendarTerms | None,
    theirs: CalendarTerms,
    yours: CalendarTerms,
    schedule_names: Mapping[UUID, str],
) -> Conflict:
    """Merges both changes of `base`, the terms before either; None if these are unknown."""
    names = {str(schedule_id): name for schedule_id, name in schedule_names.items()}
    current, mine = CalendarForm.of(theirs), CalendarForm.of(yours)
    before = None if base is None else CalendarForm.of(base)
    differences = []
    typed = dict(mine.typed)
    overrides = mine.overrides
    for part in (*_PARTS, _OVERRIDES):
        is_theirs = before is None or _text(current, part) != _text(before, part)
        is_yours = before is None or _text(mine, part) != _text(before, part)
        if not is_theirs or _text(current, part) == _text(mine, part):
            continue
        differences.append(
            Difference(
                label(part),
                _readable(current, part, names),
                _readable(mine, part, names) if is_yours else None,
            )
        )
        if not is_yours and part == _OVERRIDES:
            overrides = current.overrides
        elif not is_yours:
            typed |= {field: current.typed[field] for field in _PARTS[part]}
    return Conflict(differences, CalendarForm(typed, overrides))


def _text(form: CalendarForm, part: str) -> str:
    """Returns the text of a part of the form, to compare."""
    if part == _OVERRIDES:
        return "; ".join(
            f"{row.date}{row.until and f'–{row.until}'} {row.hours}" for row in form.overrides
        )
    return " ".join(form.typed[field] for field in _PARTS[part])


def _readable(form: CalendarForm, part: str, schedule_names: Mapping[str, str]) -> str:
    """Returns the text of a part of the form, to read: numbers with their unit, names for ids."""
    text = _text(form, part)
    if part == "schedule_id":
        return schedule_names.get(text, "")
    if not text or part not in NUMBERS:
        return text
    name = form.typed[UNIT_OF[part]] if part in UNIT_OF else part.rpartition("_")[2]
    return f"{form.typed[part]} {unit(name)}"
