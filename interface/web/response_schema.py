"""The form of the API's responses, and the examples that several of them show."""

from typing import Any

from marshmallow import Schema, fields

LINK_ID = "0b0f3c3e-6d0c-4c57-9c0e-2f6f1f0a7d11"
CALENDAR_ID = "5b2c0a34-3f5e-4f0e-8f83-0f6d3c5f1a22"
BOOKING_ID = "c1f4f1c8-2a66-5d0b-9a55-7b8f1d6e4c33"
TOKEN = "TOKEN"  # noqa: S105 - an example
PUBLIC_URL = "https://book.example.org"


class ResponseSchema(Schema):
    """A JSON object that always has all of its fields, except those in `sometimes`."""

    sometimes: tuple[str, ...] = ()

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        """Marks a field that is always there as required, for the OpenAPI document."""
        field_obj.required = field_name not in self.sometimes


def example_of(example: object, description: str | None = None) -> dict[str, Any]:
    """Returns metadata for the OpenAPI document."""
    return {"example": example} | ({"description": description} if description else {})


def cursor_of_next_page() -> fields.String:
    """Returns the field of a page that leads to the next one."""
    description = "The `cursor` of the next page; null at the end."
    return fields.String(allow_none=True, metadata=example_of(None, description))
