"""The states of aggregates as JSON-able data, and what changed between two of them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from eventsourcing.domain import Aggregate

from domain.link import SingleUseLink

State = dict[str, dict[str, Any]]
"""The fields of each aggregate, by its kind and id."""

Fields = dict[str, Any]
FieldChanges = dict[str, dict[str, Any]]
"""The old value (`before`) and the new one (`after`) of each field that changed, by its path."""

_MISSING = object()


def fields_of(aggregate: Aggregate | None, at: datetime) -> Fields:
    """Returns the fields of an aggregate as they are now; later changes don't show in them.

    A link may have expired by `at`. There are no fields before the first event.
    """
    if aggregate is None:
        return {}
    fields = {
        name: dict(value) if isinstance(value, dict) else value
        for name, value in vars(aggregate).items()
        if not name.startswith("_")
    }
    fields["version"] = aggregate.version
    if isinstance(aggregate, SingleUseLink):
        fields["status"] = aggregate.status(at)
    return fields


def plain(fields: Fields) -> Fields:
    """Returns fields as JSON-able data, in the order of their names."""
    data: Fields = msgspec.to_builtins(fields, str_keys=True)
    return dict(sorted(data.items()))


def field_changes(before: Fields, after: Fields) -> FieldChanges:
    """Returns what differs between the fields of an aggregate at two times.

    Takes no longer for a field of a thousand entries of which few have changed.
    """
    old: Fields = {}
    new: Fields = {}
    for name in before.keys() | after.keys():
        first, last = before.get(name), after.get(name)
        if isinstance(first, dict) and isinstance(last, dict):
            old[name], new[name] = _only_different(first, last), _only_different(last, first)
        elif first is not last:
            old[name], new[name] = first, last
    return _leaves(plain(old), plain(new))


def differences(before: State, after: State) -> dict[str, FieldChanges]:
    """Returns what differs between two states, by aggregate."""
    changed = {
        name: _leaves(before.get(name, {}), after.get(name, {}))
        for name in sorted(before.keys() | after.keys())
    }
    return {name: fields for name, fields in changed.items() if fields}


def _only_different(values: Mapping[Any, Any], others: Mapping[Any, Any]) -> dict[Any, Any]:
    get = others.get
    return {key: value for key, value in values.items() if get(key, _MISSING) is not value}


def _leaves(old: Mapping[str, Any], new: Mapping[str, Any], path: str = "") -> FieldChanges:
    """Returns the values that differ, with the names that lead to each joined by dots."""
    changed: FieldChanges = {}
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name), new.get(name)
        if before == after:
            continue
        if _is_group(before) and _is_group(after) and (before or after):
            changed |= _leaves(before or {}, after or {}, f"{path}{name}.")
        else:
            changed[f"{path}{name}"] = {"before": before, "after": after}
    return changed


def _is_group(value: Any) -> bool:
    return value is None or isinstance(value, dict)
