"""The open hours of a day as people write them: "9-12, 13-17", "9:30 to 24", "closed"."""

import re
from collections.abc import Collection

from domain.booking_rules import Hours

CLOSED = "closed"

_SEPARATOR = re.compile(r"\s*(?:[,;&\n]|\band\b)\s*")
_TIME = r"(\d{1,2})(?:\s*[:.h]\s*(\d{2}))?\s*([ap]\.?m\.?)?"
_INTERVAL = re.compile(rf"{_TIME}\s*(?:[-‐‑‒–—−~]|to|until)\s*{_TIME}", re.ASCII)


class UnreadableHours(ValueError):
    """A text that names no hours."""


def parse_hours(text: str, *, closed: Collection[str] = (CLOSED,)) -> Hours:
    """The intervals in `text`, as HH:MM; whether they make sense is for the domain to say.

    Nothing, or one of the words in `closed`, is a day without hours. A day that ends at
    midnight ends at 24:00. Raises `UnreadableHours`.
    """
    text = text.casefold().strip(" \t\r\n,;.")
    if text in ("", "-", "–", *closed):
        return ()
    return tuple(_interval(part) for part in _SEPARATOR.split(text))


def hours_text(hours: Hours) -> str:
    """As in 09:00–12:00, 13:00–17:00; nothing for a day without hours."""
    return ", ".join(f"{opens}–{closes}" for opens, closes in hours)


def _interval(text: str) -> tuple[str, str]:
    found = _INTERVAL.fullmatch(text)
    if found is None:
        raise UnreadableHours
    opens, closes = _time_of_day(*found.groups()[:3]), _time_of_day(*found.groups()[3:])
    return opens, "24:00" if closes == "00:00" < opens else closes


def _time_of_day(hour: str, minute: str | None, half: str | None) -> str:
    number = int(hour)
    if half is not None:
        if not 1 <= number <= 12:
            raise UnreadableHours
        number = number % 12 + (12 if half.startswith("p") else 0)
    return f"{number:02d}:{minute or '00'}"
