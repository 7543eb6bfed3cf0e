"""Progress on standard error: a bar on a terminal, a line every two seconds elsewhere."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from time import monotonic
from types import TracebackType
from typing import Self

import click
from rich.console import Console
from rich.progress import BarColumn, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from projections.rebuild.jobs import RebuildJob

LINE_SECONDS = 2.0


class Progress:
    """The progress of rebuild jobs."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        self._bars = (
            Bars(
                TextColumn("{task.description}"),
                BarColumn(),
                TaskProgressColumn(),
                TextColumn("{task.fields[rate]}"),
                TimeRemainingColumn(),
                console=console,
            )
            if console.is_terminal
            else None
        )
        self._tasks: dict[str, TaskID] = {}
        self._shown_at: dict[str, float] = {}

    def __enter__(self) -> Self:
        if self._bars is not None:
            self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bars is not None:
            self._bars.stop()

    def show(self, jobs: Sequence[RebuildJob]) -> None:
        """Shows how far these jobs have come."""
        for job in jobs:
            if self._bars is not None:
                self._show_bar(self._bars, job)
            else:
                self._show_line(job)

    def _show_bar(self, bars: Bars, job: RebuildJob) -> None:
        if job.name not in self._tasks:
            self._tasks[job.name] = bars.add_task(job.name, total=1.0, rate="")
        bars.update(
            self._tasks[job.name],
            completed=job.progress,
            description=f"{job.name} {job.state}",
            rate=f"{job.rate:,.0f} events/s",
        )

    def _show_line(self, job: RebuildJob) -> None:
        now = monotonic()
        if job.state == "building" and now - self._shown_at.get(job.name, 0) < LINE_SECONDS:
            return
        self._shown_at[job.name] = now
        left = job.seconds * (1 / job.progress - 1) if job.progress else 0.0
        click.echo(
            f"{job.name} {job.state}: {job.progress:.0%}, {job.events} events,"
            f" {job.rate:,.0f} events/s, {left:.0f} s left",
            err=True,
        )


@contextmanager
def progress_of(what: str) -> Iterator[Callable[[int, int], None]]:
    """Yields a callback that takes how many are done and how many there are.

    It shows a bar on a terminal and nothing elsewhere.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda done, total: None
        return
    with Bars(BarColumn(), TaskProgressColumn(), TimeRemainingColumn(), console=console) as bars:
        task = bars.add_task(what, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)
