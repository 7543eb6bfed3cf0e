"""Waiting for a view, so that people see what they have just written."""

from contextlib import suppress
from typing import TypeVar

from application.eventstore.event_sourced_application import Written
from domain.errors import ViewBehind
from interface.web.request_context import services
from projections.engine import positions

T = TypeVar("T")


def wait_until_visible(result: Written[T], *views: str) -> T:
    """Returns the result of a command once the views show it, or after two seconds."""
    with suppress(ViewBehind):
        positions.wait_for(services().database, views, result.position)
    return result.value
