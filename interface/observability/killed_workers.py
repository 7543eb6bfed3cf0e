"""Counts the web workers that were killed because they no longer answered."""

from collections.abc import Iterator
from pathlib import Path

from prometheus_client.metrics_core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

_FILE = "killed"


def count(folder: Path) -> int:
    """Returns how many there were since the service started."""
    try:
        return int((folder / _FILE).read_text())
    except (FileNotFoundError, ValueError):
        return 0


def add_one(folder: Path) -> None:
    """Counts one more. Only the supervisor does."""
    (folder / _FILE).write_text(f"{count(folder) + 1}")


class KilledWorkers(Collector):
    """The count as a metric."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterator[Metric]:
        """Yields the counter."""
        yield CounterMetricFamily(
            "admitone_workers_killed",
            "Web workers that were killed because they no longer answered.",
            value=count(self._folder),
        )
