"""An index of reserved time spans that reports overlaps."""

from array import array
from bisect import bisect_left, bisect_right
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_MINUTE = 60_000_000  # microseconds


class _Spans:
    """Half-open spans that do not overlap, sorted; in microseconds since 1970 UTC.

    `before` and `after` are the minutes that are kept free around each.
    """

    __slots__ = ("after", "before", "ends", "starts")

    def __init__(self) -> None:
        self.starts, self.ends = array("q"), array("q")
        self.before, self.after = array("i"), array("i")

    def has_room(self, index: int, begin: int, stop: int, before: int, after: int) -> bool:
        """Returns True if a span fits in at `index`. Two spans may share what they keep free."""
        if index > 0:
            gap = _MINUTE * max(before, self.after[index - 1])
            if self.ends[index - 1] + gap > begin:
                return False
        if index == len(self.starts):
            return True
        return stop + _MINUTE * max(after, self.before[index]) <= self.starts[index]

    def insert(self, index: int, begin: int, stop: int, before: int, after: int) -> None:
        self.starts.insert(index, begin)
        self.ends.insert(index, stop)
        self.before.insert(index, before)
        self.after.insert(index, after)

    def delete(self, index: int) -> None:
        del self.starts[index], self.ends[index], self.before[index], self.after[index]


class IntervalIndex:
    """Half-open spans of time, one for each holder, compact enough for millions.

    Within a group, spans must not overlap, nor reach into the minutes that another keeps free
    around itself; neighbours alone have to be compared for that. A holder who asks for time that is
    taken holds none from then on, so that later ones are compared only with rightful holders.
    """

    def __init__(self) -> None:
        self._groups: dict[bytes, _Spans] = {}
        self._held: dict[bytes, tuple[_Spans, int | None]] = {}

    def take(
        self,
        group: bytes,
        holder: bytes,
        start: datetime,
        end: datetime,
        before: int = 0,
        after: int = 0,
    ) -> bool:
        """Gives the holder this span instead of an earlier one; returns False if it is taken.

        `before` and `after` are minutes to keep free around it.
        """
        self.release(holder)
        spans = self._groups.setdefault(group, _Spans())
        return self._take(spans, holder, start, end, before, after)

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
            spans.delete(bisect_left(spans.starts, start))
        return spans

    def _take(
        self,
        spans: _Spans,
        holder: bytes,
        start: datetime,
        end: datetime,
        before: int = 0,
        after: int = 0,
    ) -> bool:
        begin, stop = (start - _EPOCH) // _MICROSECOND, (end - _EPOCH) // _MICROSECOND
        index = bisect_right(spans.starts, begin)
        is_free = begin < stop and spans.has_room(index, begin, stop, before, after)
        if is_free:
            spans.insert(index, begin, stop, before, after)
        self._held[holder] = spans, begin if is_free else None
        return is_free
