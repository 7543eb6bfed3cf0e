"""The current request: its services, and how it reaches this service."""

from typing import cast

from flask import current_app

from interface.bootstrap import Services


def services() -> Services:
    """Returns the services of this application."""
    return cast("Services", current_app.extensions["admitone"])


def is_https() -> bool:
    """Returns True if people reach the service by HTTPS, so that cookies can require it."""
    return services().settings.public_url.startswith("https://")
