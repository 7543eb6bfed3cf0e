"""Command options that are read by the same fields as parameters of the API."""

from typing import Any

import click
from marshmallow import ValidationError, fields


class FieldType(click.ParamType[Any]):
    """An option type that deserializes text with a field and reports the field's errors."""

    def __init__(self, field: fields.Field[Any], name: str) -> None:
        """`name` stands for the value in the help text."""
        self._field = field
        self.name = name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Returns the field's value. A value that is not text has been converted already."""
        if not isinstance(value, str):
            return value
        try:
            return self._field.deserialize(value)
        except ValidationError as error:
            self.fail(" ".join(map(str, error.messages)), param, ctx)
