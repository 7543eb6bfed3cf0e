"""Who holds which time, among those who must not hold the same."""

from array import array
from bisect import bisect_left, bisect_right
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class _Spans:
    """Half-open spans that do not overlap, by start; microseconds since 1970 UTC."""

    __slots__ = ("ends", "starts")

    def __init__(self) -> None:
        self.starts, self.ends = array("q"), array("q")


class IntervalIndex:
    """Half-open spans of time by place and holder, compact enough for millions.

    Whoever asks for time that is taken holds none from then on, so that those who follow
    are told only of clashes with holders who had a right to their time.
    """

    def __init__(self) -> None:
        self._places: dict[bytes, _Spans] = {}
        self._held: dict[bytes, tuple[_Spans, int | None]] = {}

    def take(self, place: bytes, who: bytes, start: datetime, end: datetime) -> bool:
        """Hold that time there, instead of any before; whether it was free."""
        self.release(who)
        return self._take(self._places.setdefault(place, _Spans()), who, start, end)

    def move(self, who: bytes, start: datetime, end: datetime) -> bool:
        """Hold that time in the same place; whether it was free. Of strangers, all is."""
        spans = self.release(who)
        return spans is None or self._take(spans, who, start, end)

    def release(self, who: bytes) -> _Spans | None:
        """Hold nothing any more; the place where that was."""
        spans, start = self._held.pop(who, (None, None))
        if spans is not None and start is not None:
            place = bisect_left(spans.starts, start)
            del spans.starts[place], spans.ends[place]
        return spans

    def _take(self, spans: _Spans, who: bytes, start: datetime, end: datetime) -> bool:
        begin, stop = (start - _EPOCH) // _MICROSECOND, (end - _EPOCH) // _MICROSECOND
        place = bisect_right(spans.starts, begin)
        is_free = (
            begin < stop
            and (place == 0 or spans.ends[place - 1] <= begin)
            and (place == len(spans.starts) or stop <= spans.starts[place])
        )
        if is_free:
            spans.starts.insert(place, begin)
            spans.ends.insert(place, stop)
        self._held[who] = spans, begin if is_free else None
        return is_free
