"""Finds a time zone by what people type: a name in any spelling, or a city."""

from functools import lru_cache

from domain.booking_rules import is_time_zone, known_time_zones

_REGIONS = (
    "Africa/",
    "America/",
    "Antarctica/",
    "Arctic/",
    "Asia/",
    "Atlantic/",
    "Australia/",
    "Europe/",
    "Indian/",
    "Pacific/",
)


@lru_cache(maxsize=1)
def selectable_time_zones() -> tuple[str, ...]:
    """Returns the time zones that are named after places, and UTC."""
    return (*sorted(name for name in known_time_zones() if name.startswith(_REGIONS)), "UTC")


def resolve_time_zone(text: str) -> str:
    """Returns the zone that the text names in any spelling, or by a city that is in one zone only.

    Returns the text itself if it names no zone, or several.
    """
    text = text.strip()
    return text if is_time_zone(text) else _by_spelling().get(_spelling(text), text)


@lru_cache(maxsize=1)
def _by_spelling() -> dict[str, str]:
    by_city: dict[str, list[str]] = {}
    for name in selectable_time_zones():
        by_city.setdefault(_spelling(name.rpartition("/")[2]), []).append(name)
    cities = {city: names[0] for city, names in by_city.items() if len(names) == 1}
    return cities | {_spelling(name): name for name in sorted(known_time_zones())}


def _spelling(name: str) -> str:
    return name.casefold().replace("_", " ")
