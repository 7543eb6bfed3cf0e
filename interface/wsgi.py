"""The web application: the JSON API, its documentation, and the pages."""

import logging
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from flask import Flask, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from application.deadline import deadline
from domain.errors import AdmitOneError
from interface import api, health, pages
from interface.api import problems
from interface.bootstrap import Services, build
from interface.lifeline import end_with_parent
from interface.pages import answers
from interface.settings import Settings

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

LARGEST_BODY = 64 * 1024


class WebApplication(Flask):
    """Flask, with one deadline for all that a request does."""

    def wsgi_app(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """As Flask's."""
        with deadline():
            return super().wsgi_app(environ, start_response)


def create_app(services: Services | None = None) -> Flask:
    """The application on `services`; without them, on what the environment names."""
    if services is None:
        end_with_parent()
        settings = Settings.from_environment(os.environ)
        if settings.database_url is None:
            raise RuntimeError("ADMITONE_DATABASE_URL is not set: `admitone serve` sets it.")
        logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
        services = build(settings, settings.database_url)
    app = WebApplication(
        "interface", static_folder="pages/static", template_folder="pages/templates"
    )
    app.url_map.merge_slashes = False
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    app.extensions["admitone"] = services
    health.init_app(app)
    api.init_app(app)
    pages.init_app(app)
    app.register_error_handler(AdmitOneError, _refused)
    app.register_error_handler(HTTPException, _http_refused)
    return app


def _refused(error: AdmitOneError) -> ResponseReturnValue:
    """Problems for programs, pages for people."""
    return problems.refused(error) if _is_api() else answers.refused(error)


def _http_refused(error: HTTPException) -> ResponseReturnValue:
    return problems.http_refused(error) if _is_api() else answers.http_refused(error)


def _is_api() -> bool:
    return request.path.startswith("/api/")
