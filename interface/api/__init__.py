"""The JSON API under /api/v1, and its OpenAPI document."""

from functools import partial
from importlib.resources import files

from flask import Flask

from interface.api import (
    audit,
    booking_links,
    bookings,
    busy_calendars,
    calendars,
    calls,
    deliveries,
    feeds,
    keys,
    link_requests,
    links,
    manage,
    projections,
    schedules,
    webhooks,
)
from interface.api.openapi import Api
from interface.api.webhook_messages import document_messages
from interface.version import version


def init_app(app: Flask) -> None:
    """Serves the endpoints, the document /api/openapi.json and its page /api/docs."""
    app.config |= {
        "API_TITLE": "Admit One",
        "API_VERSION": version(),
        "OPENAPI_VERSION": "3.1.0",
        "OPENAPI_URL_PREFIX": "/api",
        "OPENAPI_JSON_PATH": "openapi.json",
        "OPENAPI_RAPIDOC_PATH": "docs",
        "OPENAPI_RAPIDOC_URL": "/static/vendor/rapidoc-9.3.8.min.js",
        "API_SPEC_OPTIONS": {
            "info": {"description": files(__name__).joinpath("introduction.md").read_text("utf-8")}
        },
    }
    api = Api(app)
    for blueprint in (
        calendars.blueprint,
        schedules.blueprint,
        links.blueprint,
        link_requests.blueprint,
        bookings.blueprint,
        deliveries.blueprint,
        keys.blueprint,
        booking_links.blueprint,
        manage.blueprint,
        busy_calendars.blueprint,
        webhooks.blueprint,
        feeds.blueprint,
        projections.blueprint,
        audit.blueprint,
    ):
        api.register_blueprint(blueprint)
    api.write_later(partial(document_messages, api))
    calls.answer_calls(app)
