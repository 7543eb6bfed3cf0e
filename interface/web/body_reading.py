"""Reads JSON objects that the API takes."""

from collections.abc import Callable
from functools import cached_property
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, missing
from marshmallow.decorators import POST_LOAD, VALIDATES_SCHEMA


class Body(Schema):
    """A JSON object.

    Of the library's hooks, it may have `validates_schema` and `post_load`.
    """

    error_messages = {  # noqa: RUF012 - marshmallow expects a plain dict
        "type": "Must be a JSON object.",
        "unknown": "Unknown field.",
    }

    def load(self, data: Any, *, many: Any = None, partial: Any = None, unknown: Any = None) -> Any:
        """Reads an object, which nearly always is right.

        The library prepares for each object and each field what it takes to collect faults. So it
        only gets what is wrong, whole, lists, and changes, which leave out what stays as it is.
        """
        is_plain = not (many or self.many or partial or self.partial)
        if is_plain and (unknown or self.unknown) == RAISE:
            try:
                return self._read(data)
            except ValidationError:
                pass
        return super().load(data, many=many, partial=partial, unknown=unknown)

    @cached_property
    def _read(self) -> Callable[[Any], Any]:
        """Reads a valid object. Raises `ValidationError`, without the reason, for any other."""
        known = {
            field.data_key or name: (field.attribute or name, field)
            for name, field in self.load_fields.items()
        }
        required = {name for name, (_, field) in known.items() if field.required}
        defaults = [
            (key, field.load_default)
            for key, field in known.values()
            if field.load_default is not missing
        ]
        checks = [
            (getattr(self, name), options["pass_original"])
            for name, _, options in self._hooks[VALIDATES_SCHEMA]
        ]
        makes = [getattr(self, name) for name, *_ in self._hooks[POST_LOAD]]

        def read(data: Any) -> Any:
            if not (isinstance(data, dict) and required <= data.keys() <= known.keys()):
                raise ValidationError("")
            values = {key: value() if callable(value) else value for key, value in defaults}
            for name, value in data.items():
                key, field = known[name]
                if value is not None:
                    values[key] = found = field._deserialize(value, name, data)
                    for validate in field.validators:
                        validate(found)
                elif field.allow_none:
                    values[key] = None
                else:
                    raise ValidationError("")
            for check, takes_original in checks:
                check(values, data) if takes_original else check(values)
            for make in makes:
                values = make(values)
            return values

        return read
