"""Options of commands, read by the same fields as parameters of the API."""

from typing import Any

import click
from marshmallow import ValidationError, fields


class FieldType(click.ParamType[Any]):
    """A type for options whose text a field deserializes; its sentences become the error."""

    def __init__(self, field: fields.Field[Any], name: str) -> None:
        """`name` stands for the value in the help text."""
        self._field = field
        self.name = name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Returns the value of the field. Values that are no text were converted before."""
        if not isinstance(value, str):
            return value
        try:
            return self._field.deserialize(value)
        except ValidationError as error:
            self.fail(" ".join(map(str, error.messages)), param, ctx)
