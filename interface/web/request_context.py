"""The current request: the services that it is answered with."""

from typing import cast

from flask import current_app

from interface.bootstrap import Services


def services() -> Services:
    """Returns the services of this application."""
    return cast("Services", current_app.extensions["admitone"])


def is_https() -> bool:
    """Returns True if people reach the service by https, so that cookies may be kept to it."""
    return services().settings.public_url.startswith("https://")
