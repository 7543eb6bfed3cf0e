"""Answers as JSON, by the rules of their schemas.

A schema is compiled once into plain functions. What the encoder writes as the schema would is
left to it: UUIDs, moments in UTC, dates, and enums by their values. The tests of the API compare
each answer with what the schema itself makes of it.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from operator import attrgetter, itemgetter
from typing import Any

import msgspec
from marshmallow import Schema, fields, missing

from interface.web.fields import Day, Instant

Rule = Callable[[Any], Any]

_encode = msgspec.json.Encoder().encode


class Answer:
    """The answers with one schema; without a schema they hold null."""

    def __init__(self, schema: Schema | None) -> None:
        """Raises `TypeError` for a kind of field that has no rule here."""
        self.schema = schema
        self._plain = _object(schema) if schema is not None else None

    def encoded(self, value: Any) -> bytes:
        """Returns a value, an object or a dict, as JSON. Fields that it lacks are left out."""
        return _encode(self._plain(value) if self._plain else value)


def _object(schema: Schema) -> Rule:
    """Returns the rule for objects of this schema."""
    named = {field.data_key or name: field for name, field in schema.dump_fields.items()}
    attributes = {name: field.attribute or str(field.name) for name, field in named.items()}
    ruled = [(name, rule) for name, field in named.items() if (rule := _rule(field))]
    # One name twice: with a single name they would return no tuple.
    wanted = [*attributes.values(), next(iter(attributes.values()))]
    of_dict, of_object = itemgetter(*wanted), attrgetter(*wanted)

    def plain(value: Any) -> dict[str, Any]:
        try:
            values = of_dict(value) if isinstance(value, dict) else of_object(value)
        except (AttributeError, KeyError):  # a member is missing, or a dotted one is in a dict
            found = _members_there(value, attributes)
        else:
            found = dict(zip(attributes, values, strict=False))
        for name, rule in ruled:
            if (member := found.get(name)) is not None:
                found[name] = rule(member)
        return found

    return plain


def _members_there(value: Any, attributes: Mapping[str, str]) -> dict[str, Any]:
    """Returns the members of which the value has the attribute."""
    found = {}
    for name, attribute in attributes.items():
        *path, last = attribute.split(".")
        member = _getter(_owner(value, path))(last, missing)
        if member is not missing:
            found[name] = member
    return found


def _owner(value: Any, path: Sequence[str]) -> Any:
    for step in path:
        value = _getter(value)(step, missing)
    return value


def _getter(owner: Any) -> Callable[[str, Any], Any]:
    """Returns a function that gets a member by its name, or else a default."""
    return owner.get if isinstance(owner, dict) else partial(getattr, owner)


def _rule(field: fields.Field[Any]) -> Rule | None:
    """Returns the rule for the values of a field. None: the encoder writes them as they are."""
    match field:
        case fields.Nested() if not field.many:
            assert isinstance(field.schema, Schema)  # noqa: S101 - resolved by the library
            return _object(field.schema)
        case fields.List():
            return _list(_rule(field.inner))
        case Instant():
            return _in_utc
        case fields.Float():
            return float
        case (
            fields.Boolean()
            | Day()
            | fields.Date()
            | fields.Dict()
            | fields.Enum(by_value=True)
            | fields.Integer()
            | fields.String()
            | fields.UUID()
        ):
            return None
    raise TypeError(f"{type(field).__name__} has no rule")


def _list(rule: Rule | None) -> Rule | None:
    return None if rule is None else lambda values: [rule(value) for value in values]


def _in_utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo is UTC else moment.astimezone(UTC)
