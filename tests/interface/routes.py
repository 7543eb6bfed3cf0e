"""All calls of the API, from the application's own list."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from flask import Flask

from tests.support.http_desk import unknown_id

ANY_KEY = "any"  # no scope: every key will do
METHODS = ("GET", "POST", "PATCH", "PUT", "DELETE")

# What needs no API key: the token, or the file's own address, is the right.
PUBLIC = {
    "api-docs.openapi_json",
    "api-docs.openapi_rapidoc",
    "booking-links.read",
    "booking-links.slots",
    "booking-links.redeem_link",
    "feeds.subscribe",
    "manage.read",
    "manage.slots",
    "manage.cancel",
    "manage.reschedule",
    "manage.forget",
}

# What is no id, with a value that nothing has.
NOTHING_AT = {"position": 4_000_000_000, "day": "2099-12-31"}


class Route(NamedTuple):
    """A call, with an address at which there is nothing."""

    method: str
    rule: str
    path: str
    endpoint: str
    scope: str | None


def routes(app: Flask) -> Iterator[Route]:
    """Yields every call below /api."""
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith("/api/"):
            for method in sorted((rule.methods or set()) & set(METHODS)):
                arguments = {name: NOTHING_AT.get(name) or unknown_id() for name in rule.arguments}
                with app.test_request_context():
                    _, path = rule.build(arguments) or ("", "")
                view: Any = app.view_functions[rule.endpoint]
                if hasattr(view, "view_class"):
                    view = getattr(view.view_class, method.lower())
                yield Route(method, rule.rule, path, rule.endpoint, getattr(view, "scope", None))


def guarded(app: Flask) -> list[Route]:
    """Returns the calls that need an API key."""
    return [route for route in routes(app) if route.scope is not None]
