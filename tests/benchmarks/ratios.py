"""Medians, and ratios of what was measured in the same round."""

from collections.abc import Sequence
from statistics import median, quantiles
from typing import Any


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> dict[str, float]:
    """Returns the median of ours / theirs, round by round, with the lowest and the highest."""
    each = [one / other for one, other in zip(ours, theirs, strict=True)]
    return {"median": median(each), "low": min(each), "high": max(each)}


def shown(found: dict[str, float]) -> str:
    """Returns a ratio as text, with its spread."""
    return f"{found['median']:.2f} ({found['low']:.2f}–{found['high']:.2f})"


def medians(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Returns the median of each number in rows of the same shape, which may be nested."""
    found: dict[str, Any] = {}
    for name, value in rows[0].items():
        values = [row[name] for row in rows]
        found[name] = medians(values) if isinstance(value, dict) else median(values)
    return found


def percentile(values: Sequence[float], hundredth: int) -> float:
    """Returns a percentile of at least two values."""
    return quantiles(values, n=100, method="inclusive")[hundredth - 1]
