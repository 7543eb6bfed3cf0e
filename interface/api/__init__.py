"""The JSON API under /api/v1, and its OpenAPI document."""

from typing import Any

import flask_smorest
from flask import Flask, request
from marshmallow import Schema, fields
from werkzeug.exceptions import HTTPException

from interface.api import booking_links, bookings, calendars, links, problems
from interface.api.calls import log_position_header


class ProblemSchema(Schema):
    """Why a request was refused (RFC 9457)."""

    type = fields.String(metadata={"example": "/problems/link-redeemed"})
    title = fields.String()
    status = fields.Integer()
    detail = fields.String()
    errors = fields.Dict(keys=fields.String(), values=fields.List(fields.String()))


class Api(flask_smorest.Api):
    """flask-smorest's document, with problems instead of its own form of errors."""

    ERROR_SCHEMA = ProblemSchema
    DEFAULT_ERROR_RESPONSE_CONTENT_TYPE = problems.MEDIA_TYPE

    def handle_http_exception(self, error: HTTPException) -> Any:
        """Problems below /api; what Flask says itself everywhere else."""
        if request.path.startswith("/api/"):
            return problems.http_refused(error)
        return error


def init_app(app: Flask) -> None:
    """Serve the calls, /api/openapi.json and its page /api/docs."""
    app.config |= {
        "API_TITLE": "Admit One",
        "API_VERSION": "v1",
        "OPENAPI_VERSION": "3.1.0",
        "OPENAPI_URL_PREFIX": "/api",
        "OPENAPI_JSON_PATH": "openapi.json",
        "OPENAPI_RAPIDOC_PATH": "docs",
        "OPENAPI_RAPIDOC_URL": "/static/vendor/rapidoc-9.3.8-min.js",
        "OPENAPI_RAPIDOC_CONFIG": {"load-fonts": "false", "show-header": "false"},
    }
    problems.init_app(app)
    api = Api(app)
    api.spec.components.security_scheme("key", {"type": "http", "scheme": "bearer"})
    for blueprint in (
        calendars.blueprint,
        links.blueprint,
        bookings.blueprint,
        booking_links.blueprint,
    ):
        api.register_blueprint(blueprint)
        app.after_request_funcs.setdefault(blueprint.name, []).append(log_position_header)
