"""A grid of days with hours down the side: what is open, booked, kept free or taken elsewhere.

A page can't place things by style attributes, which the content security policy forbids. So each
piece has classes that name the hour and the minute at which it begins and ends; `hours.css` turns
them into rows of five minutes.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

from domain.slot import Reservation, Slot
from domain.wall_clock import WallClockSpan, wall_clock_spans
from projections.views.booking_calendar import BookingRow

_ROW = 5  # minutes
_HOUR = 60
_FIRST_HOUR, _LAST_HOUR = 8, 18
_MOST_LANES = 4


class Kind(StrEnum):
    """The kinds of pieces, from the back to the front."""

    OPEN = "open"
    BUFFER = "buffer"
    BUSY = "busy"
    APPOINTMENT = "appointment"


@dataclass(frozen=True)
class Piece:
    """A part of one day's column, in minutes of the wall clock.

    `slot` is all that it belongs to, which may go on in another column. Bookings at the same place
    stand side by side: in the hour that occurs twice when clocks go back.
    """

    kind: Kind
    slot: Slot
    span: WallClockSpan
    booking: BookingRow | None = None
    lane: int = 1
    lanes: int = 1

    @property
    def place(self) -> str:
        """Returns the classes that place the piece."""
        begins, ends = self.rows
        places = [*_classes("h", "m", begins), *_classes("th", "tm", ends)]
        if self.lanes > 1:
            places.append(f"lane{self.lane}of{self.lanes}")
        return " ".join(places)

    @property
    def is_short(self) -> bool:
        """Returns True if there is room for one line of text only."""
        begins, ends = self.rows
        return (ends - begins) * _ROW < _HOUR

    @property
    def rows(self) -> tuple[int, int]:
        """Returns the rows of five minutes since midnight that the piece takes: at least one."""
        begins = self.span.begins // _ROW
        return begins, max(begins + 1, self.span.ends // _ROW)


@dataclass(frozen=True)
class HoursGrid:
    """Days with their pieces, and the hours that are shown: [first, last)."""

    days: dict[date, list[Piece]]
    first: int
    last: int

    @property
    def hours(self) -> range:
        """Returns the hours down the side."""
        return range(self.first, self.last)

    @property
    def bookings(self) -> int:
        """Returns the number of bookings shown."""
        pieces = (piece for of_day in self.days.values() for piece in of_day)
        return len({piece.booking.id for piece in pieces if piece.booking})

    def is_free(self, day: date) -> bool:
        """Returns True if the day has no booking."""
        return not any(piece.booking for piece in self.days[day])


def hours_grid(
    days: Sequence[date],
    time_zone: str,
    *,
    open_times: Iterable[Slot],
    bookings: Iterable[BookingRow] = (),
    taken: Iterable[Reservation] = (),
) -> HoursGrid:
    """Returns the grid of these days in `time_zone`.

    `taken` is all reserved time: what belongs to none of the `bookings` is shown as busy, and
    buffers are shown around each. Only open times and bookings decide which hours are shown.
    """
    shown = {day: list[Piece]() for day in days}
    bookings = list(bookings)
    own = {booking.slot for booking in bookings}
    for kind, slot, booking in [
        *((Kind.OPEN, slot, None) for slot in union(open_times)),
        *_reserved(taken, own),
        *((Kind.APPOINTMENT, booking.slot, booking) for booking in bookings),
    ]:
        for span in wall_clock_spans(slot, time_zone):
            if span.day in shown:
                shown[span.day].append(Piece(kind, slot, span, booking))
    pieces = {day: _in_lanes(of_day) for day, of_day in shown.items()}
    deciding = [
        piece.span
        for of_day in pieces.values()
        for piece in of_day
        if piece.kind in (Kind.OPEN, Kind.APPOINTMENT)
    ]
    first = min((span.begins // _HOUR for span in deciding), default=_FIRST_HOUR)
    last = max((-(-span.ends // _HOUR) for span in deciding), default=_LAST_HOUR)
    first, last = min(first, _FIRST_HOUR), max(last, _LAST_HOUR)
    return HoursGrid({day: _clipped(pieces[day], first, last) for day in days}, first, last)


def union(slots: Iterable[Slot]) -> list[Slot]:
    """Returns the time that lies in any of the slots, in order; slots that touch become one."""
    merged: list[Slot] = []
    for slot in sorted(slots):
        if merged and slot.start <= merged[-1].end:
            merged[-1] = Slot(merged[-1].start, max(slot.end, merged[-1].end))
        else:
            merged.append(slot)
    return merged


def _reserved(
    taken: Iterable[Reservation], own: Iterable[Slot]
) -> Iterator[tuple[Kind, Slot, None]]:
    """Yields the buffers of what is reserved, and as busy time that of no booking shown."""
    for reservation in taken:
        slot, wide = reservation.slot, reservation.widened
        if slot not in own:
            yield Kind.BUSY, slot, None
        for start, end in ((wide.start, slot.start), (slot.end, wide.end)):
            if start < end:
                yield Kind.BUFFER, Slot(start, end), None


def _in_lanes(pieces: list[Piece]) -> list[Piece]:
    """Returns the pieces from back to front, with bookings at the same place side by side."""
    pieces = sorted(pieces, key=lambda piece: (list(Kind).index(piece.kind), piece.rows))
    placed = [piece for piece in pieces if piece.kind is not Kind.APPOINTMENT]
    group: list[Piece] = []
    end = 0
    for piece in [piece for piece in pieces if piece.kind is Kind.APPOINTMENT]:
        if group and piece.rows[0] >= end:
            placed += _side_by_side(group)
            group, end = [], 0
        group.append(piece)
        end = max(end, piece.rows[1])
    return [*placed, *_side_by_side(group)]


def _side_by_side(group: list[Piece]) -> Iterator[Piece]:
    lanes = min(len(group), _MOST_LANES)
    for number, piece in enumerate(group):
        lane = min(number, _MOST_LANES - 1) + 1
        yield replace(piece, lane=lane, lanes=lanes)


def _clipped(pieces: list[Piece], first: int, last: int) -> list[Piece]:
    """Returns the pieces within the hours shown: only busy time and buffers reach beyond."""
    clipped = []
    for piece in pieces:
        span = piece.span
        begins, ends = max(span.begins, first * _HOUR), min(span.ends, last * _HOUR)
        if begins < ends:
            clipped.append(replace(piece, span=WallClockSpan(span.day, begins, ends)))
    return clipped


def _classes(hour: str, minute: str, row: int) -> tuple[str, str]:
    hours, rows = divmod(row, _HOUR // _ROW)
    return f"{hour}{hours}", f"{minute}{rows * _ROW}"
