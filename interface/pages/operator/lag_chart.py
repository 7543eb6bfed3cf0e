"""The lag of a read model over the last hour, as lines of an SVG."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from projections.engine.lag import RETENTION, SAMPLE_SECONDS, Sample

WIDTH, HEIGHT = 160, 32
# The scale reaches at least this far, in seconds: nobody notices a smaller lag.
LEAST_SCALE = 1.0
# A longer gap between samples means that no projector was running, so the line breaks.
_GAP_SECONDS = 4 * SAMPLE_SECONDS


@dataclass(frozen=True)
class LagChart:
    """Paths for an SVG of `WIDTH` by `HEIGHT`, and the greatest lag in seconds."""

    lines: Sequence[str]
    most: float

    width, height = WIDTH, HEIGHT


def lag_chart(samples: Iterable[Sample], now: datetime) -> LagChart | None:
    """Returns the chart of the hour until `now`, which is UTC; None without samples."""
    ordered = list(samples)
    if not ordered:
        return None
    most = max(sample.seconds for sample in ordered)
    scale = max(most, LEAST_SCALE)
    return LagChart(["".join(_path(run, now, scale)) for run in _runs(ordered)], most)


def _runs(samples: Sequence[Sample]) -> list[list[Sample]]:
    """Returns the samples in runs without gaps."""
    runs = [[samples[0]]]
    for sample in samples[1:]:
        if (sample.at - runs[-1][-1].at).total_seconds() > _GAP_SECONDS:
            runs.append([])
        runs[-1].append(sample)
    return runs


def _path(run: Sequence[Sample], now: datetime, scale: float) -> Iterable[str]:
    for number, sample in enumerate(run):
        x = WIDTH * (1 - (now - sample.at) / RETENTION)
        y = 1 + (HEIGHT - 2) * (1 - sample.seconds / scale)
        yield f"{'L' if number else 'M'}{x:.1f} {y:.1f}"
    # A single sample is drawn as a dot: a line of no length with round ends.
    if len(run) == 1:
        yield "h0"
