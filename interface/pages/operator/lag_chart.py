"""The last hour of a view's lag, drawn as a line."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from projections.engine.lag import RETENTION, SAMPLE_SECONDS, Sample

WIDTH, HEIGHT = 160, 32
# At least so high, in seconds: what is less is no lag that anybody notices.
LOWEST_TOP = 1.0
# Where samples are further apart, no projector was at work, and nothing is known.
_GAP_SECONDS = 4 * SAMPLE_SECONDS


@dataclass(frozen=True)
class LagChart:
    """Lines in the units of an SVG `WIDTH` by `HEIGHT`, and the lag in seconds in words' stead."""

    lines: Sequence[str]
    most: float

    width, height = WIDTH, HEIGHT


def lag_chart(samples: Iterable[Sample], now: datetime) -> LagChart | None:
    """The hour until `now`, by the clock of the samples; None when nothing is known of it."""
    known = list(samples)
    if not known:
        return None
    most = max(sample.seconds for sample in known)
    top = max(most, LOWEST_TOP)
    return LagChart(["".join(_steps(run, now, top)) for run in _runs(known)], most)


def _runs(samples: Sequence[Sample]) -> list[list[Sample]]:
    """The samples between which nothing is missing."""
    runs = [[samples[0]]]
    for sample in samples[1:]:
        if (sample.at - runs[-1][-1].at).total_seconds() > _GAP_SECONDS:
            runs.append([])
        runs[-1].append(sample)
    return runs


def _steps(run: Sequence[Sample], now: datetime, top: float) -> Iterable[str]:
    for number, sample in enumerate(run):
        x = WIDTH * (1 - (now - sample.at) / RETENTION)
        y = 1 + (HEIGHT - 2) * (1 - sample.seconds / top)
        yield f"{'L' if number else 'M'}{x:.1f} {y:.1f}"
    # A lone sample is a dot: a line of no length with round ends.
    if len(run) == 1:
        yield "h0"
