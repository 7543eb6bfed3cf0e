"""Command options that are read by the same fields as parameters of the API."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from marshmallow import fields


class FieldType(click.ParamType[Any]):
    """An option type that deserializes text with a field and reports the field's errors."""

    def __init__(self, field: "Callable[[], fields.Field[Any]]", name: str) -> None:
        """`field` makes the field, once there is a value. `name` stands for it in the help text."""
        self._field = field
        self.name = name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Returns the field's value. A value that is not text has been converted already."""
        if not isinstance(value, str):
            return value
        from marshmallow import ValidationError  # slow, and not needed for a help text

        try:
            return self._field().deserialize(value)
        except ValidationError as error:
            self.fail(" ".join(map(str, error.messages)), param, ctx)
