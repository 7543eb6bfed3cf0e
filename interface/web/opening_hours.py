"""Reads the open hours of a day as people write them: "9-12, 13-17", "9am–5pm", "22:00-02:00".

Whatever our own pages print is read as what it says, in every language that they are in.
"""

import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping
from itertools import pairwise
from typing import NamedTuple

from domain.booking_rules import WEEKDAYS, Hours
from domain.wall_clock import minute_of_day

CLOSED = "closed"
_OPEN = {
    *("all day", "24h", "24 h", "24 hours", "24/7", "around the clock"),
    *("ganztägig", "ganztags", "24 stunden", "rund um die uhr"),
}
_END_OF_DAY = "24:00"
_LONGEST_NIGHT = 720  # minutes. Longer ones are rather mistakes such as 12–9, meant as 12–21.
_A_DAY = 1440
_NEIGHBOURS = tuple(pairwise((*WEEKDAYS, WEEKDAYS[0])))

_TIME = r"""(?:
    (?P<{0}_hour>\d{{1,2}})
    (?:\s*[:.h]\s*(?P<{0}_minute>\d{{2}})(?::00)? | (?P<{0}_digits>\d{{2}}))?
    (?:\s*(?P<{0}_half>[ap])(?:\.?\s?m\b\.?|\b))?
    (?:\s*(?:uhr|h|o['’]clock)\b)?
    | (?P<{0}_name>noon|midday|mittags?|midnight|mitternachts?)
)"""
_INTERVAL = re.compile(
    r"(?:(?:from|von)\s+)?"
    + _TIME.format("opens")
    + r"\s*(?:[-‐‑‒–—−~]|to|until|til|till|bis)\s*"
    + _TIME.format("closes"),
    re.ASCII | re.VERBOSE,
)
_SEPARATOR = re.compile(r"(?:[\s,;&/|+·•]|\band\b|\bund\b|\bsowie\b)+")


class UnreadableHours(ValueError):
    """The text can't be read as hours."""


class SplitHours(NamedTuple):
    """The hours of a day until midnight, and those that go on in the following day."""

    until_midnight: Hours
    after_midnight: Hours


def parse_hours(text: str, *, closed: Collection[str] = (CLOSED,)) -> Hours:
    """Returns the intervals in `text` as HH:MM. The domain decides whether they make sense.

    An empty text or one of the words in `closed` means no hours. Midnight at the end of an
    interval becomes 24:00. An interval may end before it starts, see `split_at_midnight`.
    Raises `UnreadableHours`.
    """
    text = _plain(text)
    if text in ("", "-", "–", "—", *closed):
        return ()
    if text in _OPEN:
        return (("00:00", _END_OF_DAY),)
    return tuple(_intervals(text))


def hours_text(hours: Hours) -> str:
    """Returns the hours as text, such as 09:00–12:00, 13:00–17:00. Empty without hours."""
    return ", ".join(f"{opens}–{closes}" for opens, closes in hours)


def split_at_midnight(hours: Hours) -> SplitHours:
    """Returns the hours with each night, such as 22:00–02:00, cut in two at midnight."""
    return SplitHours(
        tuple(
            (opens, _END_OF_DAY if is_night(opens, closes) else closes) for opens, closes in hours
        ),
        tuple(("00:00", closes) for opens, closes in hours if is_night(opens, closes)),
    )


def split_nights(weekly: Mapping[str, Hours]) -> dict[str, Hours]:
    """Returns weekly hours with each night cut in two: the rest is in the following weekday."""
    parts = {day: split_at_midnight(weekly.get(day, ())) for day in WEEKDAYS}
    return {
        day: parts[before].after_midnight + parts[day].until_midnight for before, day in _NEIGHBOURS
    }


def joined_nights(weekly: Mapping[str, Hours]) -> dict[str, Hours]:
    """Returns weekly hours as people write them: a night stands where it begins."""
    joined = {day: tuple(sorted(weekly.get(day, ()))) for day in WEEKDAYS}
    for day, following in _NEIGHBOURS:
        evening, morning = joined[day][-1:], joined[following][:1]
        if evening and morning and evening[0][1] == _END_OF_DAY and morning[0][0] == "00:00":
            opens, closes = evening[0][0], morning[0][1]
            if is_night(opens, closes):
                joined[day] = (*joined[day][:-1], (opens, closes))
                joined[following] = joined[following][1:]
    return joined


def is_night(opens: str, closes: str) -> bool:
    """Returns True for hours that go on after midnight, for at most twelve hours in all."""
    if not closes < opens < _END_OF_DAY:
        return False
    return minute_of_day(closes) + _A_DAY - minute_of_day(opens) <= _LONGEST_NIGHT


def _plain(text: str) -> str:
    """Returns the text in small letters, with plain spaces and without invisible characters."""
    text = unicodedata.normalize("NFKC", text).casefold()
    text = "".join(sign for sign in text if unicodedata.category(sign) != "Cf")
    return text.strip(" \t\r\n,;.")


def _intervals(text: str) -> Iterator[tuple[str, str]]:
    """Yields the intervals of a text that is nothing but intervals and what separates them."""
    place = 0
    while place < len(text):
        interval = _INTERVAL.match(text, place)
        if interval is None:
            raise UnreadableHours
        yield _interval(interval)
        separator = _SEPARATOR.match(text, interval.end())
        if separator is None and interval.end() < len(text):
            raise UnreadableHours
        place = separator.end() if separator else len(text)


class _Time(NamedTuple):
    """A time as it was written. `half` is a or p, if it was; its hour may be of either half."""

    hour: int
    minute: str
    half: str | None
    may_be_either: bool

    def in_half(self, half: str | None) -> str:
        """Returns the time as HH:MM, in this half of the day if it may be in either."""
        hour = self.hour
        if half is not None:
            hour = hour % 12 + (12 if half == "p" else 0)
        return f"{hour:02d}:{self.minute}"

    @property
    def text(self) -> str:
        return self.in_half(self.half)


def _interval(found: re.Match[str]) -> tuple[str, str]:
    opens, closes = _time(found, "opens"), _time(found, "closes")
    start, end = opens.text, closes.text
    if closes.half and opens.may_be_either:  # 1–5pm, 9–5pm
        start = opens.in_half(closes.half)
        if start >= end:
            start = opens.in_half("a" if closes.half == "p" else "p")
    elif opens.half and closes.may_be_either:  # 9am–5
        end = closes.in_half(opens.half)
        if end <= start:
            end = closes.in_half("a" if opens.half == "p" else "p")
    if end == "00:00" and (start > end or start == "00:00"):
        end = _END_OF_DAY
    return start, end


def _time(found: re.Match[str], which: str) -> _Time:
    name = found[f"{which}_name"]
    if name is not None:
        return _Time(
            0 if name.startswith(("midn", "mittern")) else 12, "00", None, may_be_either=False
        )
    written, half = found[f"{which}_hour"], found[f"{which}_half"]
    hour = int(written)
    if half is not None and not 1 <= hour <= 12:
        raise UnreadableHours
    minute = found[f"{which}_minute"] or found[f"{which}_digits"] or "00"
    # A zero in front is written by those who count to 24.
    may_be_either = half is None and 1 <= hour <= 12 and not written.startswith("0")
    return _Time(hour, minute, half, may_be_either)
