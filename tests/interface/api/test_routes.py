"""Calls find the routes that the framework finds."""

import re
from collections.abc import Iterator
from itertools import product
from typing import Any
from uuid import UUID

from flask import Flask
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, MapAdapter, Rule

from interface.api.calls import PREFIX
from interface.api.routes import Routes

VALUES = {
    "uuid": ["90000000-0000-4000-8000-00000000000f", "90000000-0000-4000-8000-00000000000F"],
    "": ["batch", "a.b-c_d", "links", "\u00e9\n %2F", "90000000-0000-4000-8000-00000000000f"],
    "int": ["17"],
}
OTHERS = ["", "/", "/links/", "/links//", "/none", "/links/90000000", "/keys/\n"]
METHODS = ("GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "TRACE", "BREW")


def paths_of(rule: Rule) -> Iterator[str]:
    """Paths that a rule matches, and some that end or begin differently."""
    *parts, last = re.split(r"<(?:\w+:)?\w+>", rule.rule)
    kinds = re.findall(r"<(?:(\w+):)?\w+>", rule.rule)
    for values in product(*(VALUES[kind] for kind in kinds)):
        path = "".join(part + value for part, value in zip(parts, values, strict=True)) + last
        yield from (path, f"{path}/", f"{path}\n", path[:-1])


def by_framework(adapter: MapAdapter, method: str, path: str) -> tuple[Rule, Any] | None:
    """Returns what the framework finds; None for routes that are left to it."""
    try:
        rule, arguments = adapter.match(path, method, return_rule=True)
    except HTTPException:
        return None
    return None if "<int:" in rule.rule else (rule, arguments)


def test_every_call_has_the_route_and_the_arguments_that_the_framework_finds(app: Flask) -> None:
    rules = [rule for rule in app.url_map.iter_rules() if rule.rule.startswith(PREFIX)]
    routes, adapter = Routes(app.url_map.iter_rules(), PREFIX), app.url_map.bind("")
    paths = {path for rule in rules for path in paths_of(rule)} | {PREFIX + end for end in OTHERS}
    asked = list(product(METHODS, sorted(paths)))
    found = [routes.find(method, path) for method, path in asked]
    assert found == [by_framework(adapter, method, path) for method, path in asked]
    assert sum(one is not None for one in found) > len(rules)


def test_every_call_has_the_address_that_the_framework_builds(app: Flask) -> None:
    routes, adapter = Routes(app.url_map.iter_rules(), PREFIX), app.url_map.bind("")
    found, built = {}, {}
    for rule in app.url_map.iter_rules():
        values = {name: UUID(VALUES["uuid"][0]) for name in rule.arguments}
        address = routes.address(rule.endpoint, values)
        if address is not None:
            found[rule.endpoint] = address
            built[rule.endpoint] = adapter.build(rule.endpoint, values)
    assert found == built
    assert "links.read" in found


def test_a_word_counts_before_a_variable_at_the_same_place() -> None:
    words = ["/x/<name>", "/x/word", "/x/<name>/end", "/x/word/<name>"]
    rules = [Rule(word, endpoint=word, methods=["GET"]) for word in words]
    adapter = Map(rules).bind("")
    for order in (rules, rules[::-1]):
        routes = Routes(order, "/x")
        for path in ("/x/word", "/x/other", "/x/word/end", "/x/other/end"):
            assert routes.find("GET", path) == by_framework(adapter, "GET", path)
