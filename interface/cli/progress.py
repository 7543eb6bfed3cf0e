"""How far a rebuild has come: a bar on a terminal, a line now and then elsewhere."""

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
    """Shows generations of views on standard error."""

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
        self._told_at: dict[str, float] = {}

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

    def show(self, found: Sequence[RebuildJob]) -> None:
        """How far these have come."""
        for generation in found:
            if self._bars is not None:
                self._show_bar(self._bars, generation)
            else:
                self._show_line(generation)

    def _show_bar(self, bars: Bars, found: RebuildJob) -> None:
        if found.name not in self._tasks:
            self._tasks[found.name] = bars.add_task(found.name, total=1.0, rate="")
        bars.update(
            self._tasks[found.name],
            completed=found.progress,
            description=f"{found.name} {found.state}",
            rate=f"{found.rate:,.0f} events/s",
        )

    def _show_line(self, found: RebuildJob) -> None:
        now = monotonic()
        if found.state == "building" and now - self._told_at.get(found.name, 0) < LINE_SECONDS:
            return
        self._told_at[found.name] = now
        left = found.seconds * (1 / found.progress - 1) if found.progress else 0.0
        click.echo(
            f"{found.name} {found.state}: {found.progress:.0%}, {found.events} events,"
            f" {found.rate:,.0f} events/s, {left:.0f} s left",
            err=True,
        )


@contextmanager
def progress_of(what: str) -> Iterator[Callable[[int, int], None]]:
    """Yields a callback that shows how many of how many are done, on a terminal only."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda done, total: None
        return
    with Bars(BarColumn(), TaskProgressColumn(), TimeRemainingColumn(), console=console) as bars:
        task = bars.add_task(what, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)
