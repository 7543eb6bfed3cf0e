"""The web application: the JSON API, its documentation, and the pages."""

import logging
import os

from flask import Flask

from interface import api, health, pages
from interface.bootstrap import Services, build
from interface.lifeline import end_with_parent
from interface.settings import Settings

LARGEST_BODY = 64 * 1024


def create_app(services: Services | None = None) -> Flask:
    """The application on `services`; without them, on what the environment names."""
    if services is None:
        settings = Settings.from_environment(os.environ)
        if settings.database_url is None:
            raise RuntimeError("ADMITONE_DATABASE_URL is not set: `admitone serve` sets it.")
        logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
        services = build(settings, settings.database_url)
        end_with_parent()
    app = Flask("interface", static_folder="pages/static", template_folder="pages/templates")
    app.url_map.merge_slashes = False
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    app.extensions["admitone"] = services
    health.init_app(app)
    api.init_app(app)
    pages.init_app(app)
    return app
