"""Checks JSON against the schemas of the OpenAPI document."""

import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from application.people.email_address import normalized_email_address
from tests.interface.routes import METHODS

API = "/api/v1"
TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}
FORMATS: dict[str, Callable[[str], object]] = {
    "uuid": UUID,
    "date": date.fromisoformat,
    "date-time": datetime.fromisoformat,
    "email": normalized_email_address,
    "time-zone": ZoneInfo,
}
KNOWN = {
    *("$ref", "type", "properties", "required", "additionalProperties", "items", "enum", "anyOf"),
    *(
        "format",
        "pattern",
        "minLength",
        "maxLength",
        "minimum",
        "maximum",
        "minItems",
        "maxItems",
        "example",
        "default",
        "description",
    ),
}


def resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """Returns the schema that a reference names, or the schema itself."""
    if "$ref" not in schema:
        return schema
    found: Any = document
    for step in schema["$ref"].removeprefix("#/").split("/"):
        found = found[step]
    return resolved(document, found)


def faults(
    document: dict[str, Any], schema: dict[str, Any], value: Any, at: str = "$"
) -> list[str]:
    """Returns every way in which `value` does not match the schema."""
    schema = resolved(document, schema)
    assert set(schema) <= KNOWN, f"this test does not understand {set(schema) - KNOWN}"
    if "anyOf" in schema:
        each = [faults(document, choice, value, at) for choice in schema["anyOf"]]
        return [] if [] in each else [fault for found in each for fault in found]
    found: list[str] = []
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{at}: {value!r} is none of {schema['enum']}")
    if "type" in schema:
        named = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        if not any(type(value) in TYPES[name] for name in named):
            return [*found, f"{at}: {value!r} is not of {named}"]
    if "format" in schema and value is not None:
        try:
            FORMATS[schema["format"]](value)
        except ValueError:
            found.append(f"{at}: {value!r} is no {schema['format']}")
    if isinstance(value, str):
        if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
            found.append(f"{at} has {len(value)} characters")
        if not re.search(schema.get("pattern", ""), value):
            found.append(f"{at}: {value!r} does not match {schema['pattern']}")
    if isinstance(value, int) and not (
        schema.get("minimum", value) <= value <= schema.get("maximum", value)
    ):
        found.append(f"{at}: {value} is out of range")
    if isinstance(value, dict):
        known, more = schema.get("properties", {}), schema.get("additionalProperties", True)
        found += [
            f"{at}.{name} is missing" for name in schema.get("required", ()) if name not in value
        ]
        for name, inner in value.items():
            if name in known:
                found += faults(document, known[name], inner, f"{at}.{name}")
            elif more is False:
                found.append(f"{at}.{name} is not in the document")
            elif isinstance(more, dict):
                found += faults(document, more, inner, f"{at}.{name}")
    if isinstance(value, list):
        if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
            found.append(f"{at} has {len(value)} items")
        for place, inner in enumerate(value):
            found += faults(document, schema.get("items", {}), inner, f"{at}[{place}]")
    return found


def slugs(response: dict[str, Any]) -> set[str]:
    """Returns the names of the problems in a documented response."""
    return set(re.findall(r"^\* `([a-z-]+)`: \S", response["description"], re.MULTILINE))


def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Returns all calls by method and path below /api/v1."""
    return {
        f"{method.upper()} {path.removeprefix(API)}": operation
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method.upper() in METHODS
    }


def success(operation: dict[str, Any]) -> dict[str, Any]:
    """Returns the only good response of a call, with its status."""
    (status,) = [status for status in operation["responses"] if status.startswith("2")]
    response: dict[str, Any] = operation["responses"][status] | {"status": int(status)}
    return response


def example_of(document: dict[str, Any], schema: dict[str, Any]) -> Any:
    """Returns the value that the page of the document fills in."""
    schema = resolved(document, schema)
    if "example" in schema:
        return schema["example"]
    if "properties" in schema:
        return {name: example_of(document, it) for name, it in schema["properties"].items()}
    if "anyOf" in schema:
        return example_of(document, schema["anyOf"][0])
    if "items" in schema:
        return [example_of(document, schema["items"])]
    assert schema.get("type") == "object", f"{schema} has no example"
    return {}


def example_body(document: dict[str, Any], call: str) -> Any:
    """Returns the example of the body of a call."""
    content = operations(document)[call]["requestBody"]["content"]["application/json"]
    return content.get("example") or example_of(document, content["schema"])
