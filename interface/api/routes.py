"""Finds routes by one regular expression for each method, and builds paths by templates.

Werkzeug tries its routes part by part, which can cost more than the rest of a call. It is asked
only where this finds nothing, and finds one of the others or says why there is none.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from itertools import chain
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from werkzeug.routing import Rule

_VARIABLE = re.compile(r"<(?:(\w+):)?(\w+)>")
_READERS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "": ("[^/]+", str),
    "uuid": (
        "-".join(f"[A-Fa-f0-9]{{{length}}}" for length in (8, 4, 4, 4, 12)),
        partial(msgspec.convert, type=UUID),  # takes a third of the time of `UUID`
    ),
}
"""The pattern of each kind of variable, and what reads it.

Routes with any other kind are left to werkzeug.
"""

Arguments = dict[str, Any]


class _Route(NamedTuple):
    rule: Rule
    variables: list[tuple[int, str, Callable[[str], Any]]]
    """The number of the group, the name and the reader of each."""


class Routes:
    """The routes below a path."""

    def __init__(self, rules: Iterable[Rule], prefix: str) -> None:
        by_method: dict[str, list[Rule]] = defaultdict(list)
        for rule in sorted(rules, key=_fixed_parts_first):
            if rule.rule.startswith(prefix) and _kinds(rule) <= _READERS.keys():
                for method in (rule.methods or set()) - {"OPTIONS"}:
                    by_method[method].append(rule)
        self._finders = {method: _finder(found) for method, found in by_method.items()}
        self._addresses = {
            rule.endpoint: _VARIABLE.sub(r"{\2}", rule.rule)
            for rule in chain.from_iterable(by_method.values())
            if _kinds(rule) == {"uuid"}
        }

    def find(self, method: str, path: str) -> tuple[Rule, Arguments] | None:
        """Returns the route of a path and its arguments, or None if werkzeug has to be asked."""
        finder = self._finders.get(method)
        return None if finder is None else finder(path)

    def address(self, endpoint: str, values: Mapping[str, object]) -> str | None:
        """Returns the path of an endpoint, or None if werkzeug has to be asked.

        Only routes whose variables are all UUIDs are built here: other values may need escaping.
        """
        address = self._addresses.get(endpoint)
        return None if address is None else address.format_map(values)


def _finder(rules: Iterable[Rule]) -> Callable[[str], tuple[Rule, Arguments] | None]:
    """Returns a function that finds a path among these routes, of which the first one counts."""
    alternatives: list[str] = []
    routes: dict[int | None, _Route] = {}
    groups = 0
    for rule in rules:
        pattern, variables, end = "", [], 0
        for variable in _VARIABLE.finditer(rule.rule):
            kind, name = variable.groups(default="")
            form, read = _READERS[kind]
            groups += 1
            variables.append((groups, name, read))
            pattern += f"{re.escape(rule.rule[end : variable.start()])}({form})"
            end = variable.end()
        groups += 1  # an empty one, which says by its number that this is the route
        alternatives.append(f"{pattern}{re.escape(rule.rule[end:])}()")
        routes[groups] = _Route(rule, variables)
    match = re.compile("|".join(alternatives)).fullmatch

    def find(path: str) -> tuple[Rule, Arguments] | None:
        found = match(path)
        if found is None:
            return None
        rule, variables = routes[found.lastindex]
        return rule, {name: read(found[group]) for group, name, read in variables}

    return find


def _kinds(rule: Rule) -> set[str]:
    """Returns the kinds of the variables of a route."""
    return {kind for kind, _ in _VARIABLE.findall(rule.rule)}


def _fixed_parts_first(rule: Rule) -> list[bool]:
    """Returns a sort key that puts a word before a variable at the same place."""
    return ["<" in part for part in rule.rule.split("/")]
