"""Reads the open hours of a day as people write them: "9-12, 13-17", "9:30 to 24", "closed"."""

import re
from collections.abc import Collection

from domain.booking_rules import Hours

CLOSED = "closed"

_SEPARATOR = re.compile(r"\s*(?:[,;&\n]|\band\b)\s*")
_TIME = r"(\d{1,2})(?:\s*[:.h]\s*(\d{2}))?\s*([ap]\.?m\.?)?"
_INTERVAL = re.compile(rf"{_TIME}\s*(?:[-‐‑‒–—−~]|to|until)\s*{_TIME}", re.ASCII)


class UnreadableHours(ValueError):
    """The text can't be read as hours."""


def parse_hours(text: str, *, closed: Collection[str] = (CLOSED,)) -> Hours:
    """Returns the intervals in `text` as HH:MM. The domain decides whether they make sense.

    An empty text or one of the words in `closed` means no hours. Midnight at the end of an
    interval becomes 24:00. Raises `UnreadableHours`.
    """
    text = text.casefold().strip(" \t\r\n,;.")
    if text in ("", "-", "–", *closed):
        return ()
    return tuple(_interval(part) for part in _SEPARATOR.split(text))


def hours_text(hours: Hours) -> str:
    """Returns the hours as text, such as 09:00–12:00, 13:00–17:00. Empty without hours."""
    return ", ".join(f"{opens}–{closes}" for opens, closes in hours)


def _interval(text: str) -> tuple[str, str]:
    interval = _INTERVAL.fullmatch(text)
    if interval is None:
        raise UnreadableHours
    opens, closes = _time_of_day(*interval.groups()[:3]), _time_of_day(*interval.groups()[3:])
    return opens, "24:00" if closes == "00:00" < opens else closes


def _time_of_day(hour: str, minute: str | None, half: str | None) -> str:
    number = int(hour)
    if half is not None:
        if not 1 <= number <= 12:
            raise UnreadableHours
        number = number % 12 + (12 if half.startswith("p") else 0)
    return f"{number:02d}:{minute or '00'}"
