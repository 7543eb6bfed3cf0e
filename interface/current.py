"""The request at hand: what it is served with, and how it may be spoken of elsewhere."""

from time import monotonic
from typing import cast

from flask import current_app, request

from interface.bootstrap import Services

BEGAN = "admitone.began"  # in the environment of a request, by the monotonic clock

_METHODS = ("GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS")


def services() -> Services:
    """The services of this application."""
    return cast("Services", current_app.extensions["admitone"])


def method() -> str:
    """The request's method, or `other` for what anybody may have invented."""
    return request.method if request.method in _METHODS else "other"


def route() -> str:
    """The rule that the request's path matches, or `none`. The path itself may hold a token."""
    return request.url_rule.rule if request.url_rule else "none"


def seconds_taken() -> float:
    """How long the request has been worked on."""
    began: float = request.environ[BEGAN]
    return monotonic() - began
