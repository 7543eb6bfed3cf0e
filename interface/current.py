"""What the request at hand is served with."""

from typing import cast

from flask import current_app

from interface.bootstrap import Services


def services() -> Services:
    """The services of this application."""
    return cast("Services", current_app.extensions["admitone"])
