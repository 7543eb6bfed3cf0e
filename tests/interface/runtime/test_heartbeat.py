"""Workers that live but answer nobody are found out."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from interface.observability.metrics import KilledWorkers
from interface.runtime import heartbeat
from interface.runtime.heartbeat import WorkerWatch, beat


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that the watching process sees, as its only element."""
    now = [1000.0]
    monkeypatch.setattr(heartbeat, "monotonic", lambda: now[0])
    return now


def test_a_worker_is_silent_once_its_mark_is_the_same_for_ten_seconds(
    tmp_path: Path, seconds: list[float]
) -> None:
    watch = WorkerWatch(tmp_path)
    beat(tmp_path)
    assert watch.silent() == []
    seconds[0] += 9
    assert watch.silent() == []
    seconds[0] += 2
    assert watch.silent() == [os.getpid()]


def test_a_worker_that_beats_is_never_silent(tmp_path: Path, seconds: list[float]) -> None:
    watch = WorkerWatch(tmp_path)
    mark = tmp_path / f"{os.getpid()}.alive"
    for second in range(1, 60, 6):
        beat(tmp_path)
        os.utime(mark, (second, second))
        assert watch.silent() == []
        seconds[0] += 6


def test_a_worker_that_ended_is_forgotten(tmp_path: Path, seconds: list[float]) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    mark = tmp_path / f"{ended.pid}.alive"
    mark.touch()
    watch = WorkerWatch(tmp_path)
    seconds[0] += 20
    assert watch.silent() == []
    assert not mark.exists()


def test_killed_workers_are_counted(tmp_path: Path) -> None:
    watch = WorkerWatch(tmp_path)
    beat(tmp_path)
    watch.forget(os.getpid())
    watch.forget(os.getpid())
    (metric,) = KilledWorkers(tmp_path).collect()
    assert [(sample.name, sample.value) for sample in metric.samples] == [
        ("admitone_workers_killed_total", 2)
    ]
    assert watch.silent() == []


def test_no_room_for_a_mark_stops_nobody(tmp_path: Path) -> None:
    beat(tmp_path / "missing")
