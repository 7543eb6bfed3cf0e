"""People see what they have just written."""

from contextlib import suppress
from typing import TypeVar

from application.log import Written
from domain.errors import ViewBehind
from interface.current import services
from projections import positions

T = TypeVar("T")


def seen(result: Written[T], *views: str) -> T:
    """The outcome of a command, once the views show it; after two seconds in any case."""
    with suppress(ViewBehind):
        positions.wait_for(services().database, views, result.position)
    return result.value
