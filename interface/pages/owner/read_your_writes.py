"""People see what they have just written."""

from contextlib import suppress
from typing import TypeVar

from application.eventstore.event_sourced_application import Written
from domain.errors import ViewBehind
from interface.web.request_context import services
from projections.engine import positions

T = TypeVar("T")


def wait_until_visible(result: Written[T], *views: str) -> T:
    """The outcome of a command, once the views show it; after two seconds in any case."""
    with suppress(ViewBehind):
        positions.wait_for(services().database, views, result.position)
    return result.value
