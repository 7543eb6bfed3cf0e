"""Reads JSON objects that the API takes."""

from contextlib import suppress
from functools import cached_property
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, missing


class Body(Schema):
    """A JSON object."""

    error_messages = {  # noqa: RUF012 - marshmallow expects a plain dict
        "type": "Must be a JSON object.",
        "unknown": "Unknown field.",
    }

    def _deserialize(self, data: Any, **options: Any) -> Any:
        """Reads the fields that are there, which nearly always are right.

        The library prepares for each field what it takes to collect faults. So it only gets
        what is wrong, whole, and lists.
        """
        if not options["many"] and options["partial"] is None and options["unknown"] == RAISE:
            with suppress(ValidationError):
                return self._right(data)
        return super()._deserialize(data, **options)

    def _right(self, data: Any) -> dict[str, Any]:
        """Returns the fields of an object. Raises `ValidationError` if anything is wrong."""
        if not isinstance(data, dict):
            raise ValidationError("")
        values, known = {}, 0
        for name, key, field, may_be_absent in self._plan:
            if name in data:
                values[key] = field.deserialize(data[name], name, data)
                known += 1
            elif not may_be_absent:
                values[key] = field.deserialize(missing, name, data)
        if known < len(data):
            raise ValidationError("")
        return values

    @cached_property
    def _plan(self) -> list[tuple[str, str, fields.Field[Any], bool]]:
        """The name of each field in the object and in the result, and whether absence is nothing.

        Without that, it is a default or a fault.
        """
        return [
            (
                field.data_key or name,
                field.attribute or name,
                field,
                field.load_default is missing and not field.required,
            )
            for name, field in self.load_fields.items()
        ]
