"""Generates a typed client for Python from an OpenAPI document, and from nothing else."""

import keyword
import re
from collections.abc import Iterator
from typing import Any

from tests.interface.routes import METHODS

TYPES = {
    "string": "str",
    "integer": "int",
    "number": "float",
    "boolean": "bool",
    "null": "None",
}

HEAD = '''\
"""A client of the API, generated from its OpenAPI document."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Literal, NotRequired, TypedDict, TypeVar
from urllib.parse import quote, urlencode

T = TypeVar("T")


@dataclass(frozen=True)
class Answer(Generic[T]):
    body: T
    headers: Mapping[str, str]


class Refused(Exception):
    def __init__(self, problem: "Problem") -> None:
        super().__init__(problem["detail"])
        self.problem = problem


class Unchanged(Exception):
    pass


# Sends method, path, headers and body; returns status, headers and body.
Send = Callable[[str, str, dict[str, str], str | None], tuple[int, Mapping[str, str], str]]
'''

CLIENT = """

class Client:
    def __init__(self, send: Send, key: str) -> None:
        self._send = send
        self._key = key

    def _call(
        self,
        method: str,
        path: str,
        *,
        needs_key: bool,
        query: dict[str, Any],
        headers: dict[str, Any],
        body: Any,
    ) -> Answer[Any]:
        asked = {name: value for name, value in query.items() if value is not None}
        sent = {name: str(value) for name, value in headers.items() if value is not None}
        if needs_key:
            sent["Authorization"] = f"Bearer {self._key}"
        if body is not None:
            sent["Content-Type"] = "application/json"
        status, received, text = self._send(
            method,
            f"{path}?{urlencode(asked)}" if asked else path,
            sent,
            None if body is None else json.dumps(body),
        )
        if status == 304:
            raise Unchanged
        found = {name.lower(): value for name, value in received.items()}
        is_json = found.get("content-type", "").partition(";")[0].endswith("json")
        answer: Any = json.loads(text) if is_json else text or None
        if status >= 400:
            raise Refused(answer)
        return Answer(answer, found)
"""


def source_of(document: dict[str, Any]) -> str:
    """Returns a module with a type for each schema, and a method of `Client` for each call."""
    schemas = document["components"]["schemas"]
    parts = [HEAD, *(_type(name, schema) for name, schema in schemas.items()), CLIENT]
    for path, item in document["paths"].items():
        shared = item.get("parameters", [])
        for method, operation in item.items():
            if method.upper() in METHODS:
                parts.append("\n".join(_method(method.upper(), path, shared, operation)))
    return "\n".join([*parts, ""])


def annotation(schema: dict[str, Any]) -> str:
    """Returns the type of values that match a schema."""
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "enum" in schema:
        return f"Literal[{', '.join(map(repr, schema['enum']))}]"
    if isinstance(schema.get("type"), list):
        return " | ".join(annotation({**schema, "type": each}) for each in schema["type"])
    if "type" not in schema and "anyOf" in schema:
        return " | ".join(map(annotation, schema["anyOf"]))
    if schema.get("type") == "array":
        return f"list[{annotation(schema.get('items', {}))}]"
    if schema.get("type") == "object":
        return f"dict[str, {annotation(schema.get('additionalProperties') or {})}]"
    return TYPES[schema["type"]] if "type" in schema else "Any"


def _type(name: str, schema: dict[str, Any]) -> str:
    fields = []
    for field, inner in schema.get("properties", {}).items():
        found = annotation(inner)
        if field not in schema.get("required", ()):
            found = f"NotRequired[{found}]"
        fields.append(f"    {field!r}: {found!r},")
    return "\n".join([f"{name} = TypedDict({name!r}, {{", *fields, "})"])


def _method(
    method: str, path: str, shared: list[dict[str, Any]], operation: dict[str, Any]
) -> Iterator[str]:
    """Yields the lines of a method: arguments in the path, then the body, then what has names."""
    found = [*shared, *operation.get("parameters", [])]
    by_place = {
        place: {each["name"]: each for each in found if each["in"] == place}
        for place in ("path", "query", "header")
    }
    arguments = [f"{name}: {annotation(each['schema'])}" for name, each in by_place["path"].items()]
    if body := operation.get("requestBody"):
        kind = annotation(body["content"]["application/json"]["schema"])
        arguments.append(f"body: {kind}" if body["required"] else f"body: {kind} | None = None")
    named = [*by_place["query"].values(), *by_place["header"].values()]
    if named:
        arguments.append("*")
    for each in named:
        kind = annotation(each["schema"])
        if not each.get("required"):
            kind = f"{kind.removesuffix(' | None')} | None = None"
        arguments.append(f"{_argument(each['name'])}: {kind}")
    place = re.sub(r"\{(\w+)\}", r"{quote(str(\1), safe='')}", path)
    yield f"\n    def {operation['operationId']}("
    yield f"        self, {', '.join(arguments)}" if arguments else "        self"
    yield f"    ) -> Answer[{_returned(operation)}]:"
    yield "        return self._call("
    yield f'            {method!r}, f"{place}", needs_key={bool(operation.get("security"))},'
    for place, name in (("query", "query"), ("header", "headers")):
        pairs = ", ".join(f"{each!r}: {_argument(each)}" for each in by_place[place])
        yield f"            {name}={{{pairs}}},"
    yield f"            body={'body' if body else 'None'},"
    yield "        )"


def _returned(operation: dict[str, Any]) -> str:
    (success,) = (
        response for status, response in operation["responses"].items() if status.startswith("2")
    )
    for media_type, content in success.get("content", {}).items():
        return annotation(content["schema"]) if media_type == "application/json" else "str"
    return "None"


def _argument(name: str) -> str:
    found = name.lower().replace("-", "_")
    return f"{found}_" if keyword.iskeyword(found) else found
