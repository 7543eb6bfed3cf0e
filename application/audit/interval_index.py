"""An index of reserved time spans that reports overlaps."""

from array import array
from bisect import bisect_left, bisect_right
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class _Spans:
    """Half-open spans that do not overlap, sorted; in microseconds since 1970 UTC."""

    __slots__ = ("ends", "starts")

    def __init__(self) -> None:
        self.starts, self.ends = array("q"), array("q")


class IntervalIndex:
    """Half-open spans of time, one for each holder, compact enough for millions.

    Within a group, spans must not overlap. A holder who asks for time that is taken holds
    none from then on, so that later ones are compared only with rightful holders.
    """

    def __init__(self) -> None:
        self._groups: dict[bytes, _Spans] = {}
        self._held: dict[bytes, tuple[_Spans, int | None]] = {}

    def take(self, group: bytes, holder: bytes, start: datetime, end: datetime) -> bool:
        """Gives the holder this span instead of an earlier one; returns False if it is taken."""
        self.release(holder)
        return self._take(self._groups.setdefault(group, _Spans()), holder, start, end)

    def move(self, holder: bytes, start: datetime, end: datetime) -> bool:
        """Gives the holder another span in the same group; returns False if it is taken.

        Ignores an unknown holder and returns True.
        """
        spans = self.release(holder)
        return spans is None or self._take(spans, holder, start, end)

    def release(self, holder: bytes) -> _Spans | None:
        """Removes the holder's span, and returns the spans of its group if it is known."""
        spans, start = self._held.pop(holder, (None, None))
        if spans is not None and start is not None:
            index = bisect_left(spans.starts, start)
            del spans.starts[index], spans.ends[index]
        return spans

    def _take(self, spans: _Spans, holder: bytes, start: datetime, end: datetime) -> bool:
        begin, stop = (start - _EPOCH) // _MICROSECOND, (end - _EPOCH) // _MICROSECOND
        index = bisect_right(spans.starts, begin)
        is_free = (
            begin < stop
            and (index == 0 or spans.ends[index - 1] <= begin)
            and (index == len(spans.starts) or stop <= spans.starts[index])
        )
        if is_free:
            spans.starts.insert(index, begin)
            spans.ends.insert(index, stop)
        self._held[holder] = spans, begin if is_free else None
        return is_free
