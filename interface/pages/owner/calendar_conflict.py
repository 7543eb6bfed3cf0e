"""Two people, or two tabs, change one calendar: what the other one changed meanwhile."""

from typing import NamedTuple

from domain.calendar import CalendarTerms
from interface.pages.owner.calendar_form import NUMBERS, UNIT, WEEKLY, WORDS, CalendarForm
from interface.pages.owner.calendar_labels import label, unit

_OVERRIDES = "overrides"
_PARTS = {name: (name,) for name in (*WORDS, "time_zone", *NUMBERS, *WEEKLY.values())} | {
    "minimum_notice_minutes": ("minimum_notice_minutes", UNIT)
}


class Difference(NamedTuple):
    """Something that changed meanwhile; `yours` is None where you did not touch it."""

    label: str
    theirs: str
    yours: str | None


class Conflict(NamedTuple):
    """What changed meanwhile, and a form that has both: yours where both changed the same."""

    differences: list[Difference]
    form: CalendarForm


def conflict(
    *, base: CalendarTerms | None, theirs: CalendarTerms, yours: CalendarTerms
) -> Conflict:
    """Compare with what was read before both changes; None where nobody knows it any more."""
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
            Difference(label(part), _shown(current, part), _shown(mine, part) if is_yours else None)
        )
        if not is_yours and part == _OVERRIDES:
            overrides = current.overrides
        elif not is_yours:
            typed |= {field: current.typed[field] for field in _PARTS[part]}
    return Conflict(differences, CalendarForm(typed, overrides))


def _text(form: CalendarForm, part: str) -> str:
    if part == _OVERRIDES:
        return "; ".join(f"{row.date} {row.hours}" for row in form.overrides)
    return " ".join(form.typed[field] for field in _PARTS[part])


def _shown(form: CalendarForm, part: str) -> str:
    """The part for people: numbers with their unit."""
    text = _text(form, part)
    if not text or part not in NUMBERS:
        return text
    name = form.typed[UNIT] if part == "minimum_notice_minutes" else part.rpartition("_")[2]
    return f"{form.typed[part]} {unit(name)}"
