"""`admitone projections`: the views and the process that keeps them up."""

import gc
import json
import os
import signal
import sys
from threading import Event
from typing import Any

import click

from application.eventstore.mapper import JSONMapper
from interface import key_store
from interface.bootstrap import utc_now
from interface.cli import context
from interface.cli.progress import Progress
from interface.observability import logs
from interface.runtime import command_database, rebuild_launcher
from interface.runtime.checkpoint_loop import sign_periodically
from interface.runtime.parent_watchdog import end_with_parent
from projections.catalogue import CATALOGUE, projection_named
from projections.engine.batch import retry as retry_parked
from projections.engine.projection import Projection
from projections.engine.runner import Runner, is_running
from projections.evidence.checkpoint_store import CheckpointStore
from projections.rebuild import jobs, spot_check
from projections.rebuild.jobs import REBUILD, VERIFY, RebuildJob, RebuildRunning
from projections.rebuild.rebuild import Rebuild
from projections.status import ViewStatus, statuses

ALREADY_RUNNING = 3
NICENESS = 10


@click.group()
def projections() -> None:
    """The views and the process that keeps them up."""


@projections.command()
def run() -> None:
    """Keep all views up with the log until stopped; stand by while another one does."""
    settings = context.settings()
    logs.configure(settings.log)
    end_with_parent()
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with command_database.database(context.settings()) as conninfo:
        runner = Runner(conninfo, CATALOGUE, JSONMapper())
        signer = key_store.checkpoint_signer(settings)
        store = CheckpointStore(settings.checkpoints_folder, signer.verifier_key())
        with (
            rebuild_launcher.on_request(conninfo, runner.is_at_work, stop),
            sign_periodically(conninfo, signer, store, runner.is_at_work, stop, now=utc_now),
        ):
            runner.run(stop)


@projections.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
def status(as_json: bool) -> None:
    """Show how far each view has come: position, head of the log, lag, state."""
    with context.services() as services:
        found = statuses(services.database)
        at_work = is_running(services.database)
    if as_json:
        click.echo(json.dumps([_as_json(view) for view in found]))
        return
    for view in found:
        click.echo(_in_words(view))
    if not at_work:
        click.echo("No projector is at work: run `admitone serve` or `admitone projections run`.")


def _as_json(view: ViewStatus) -> dict[str, Any]:
    return {
        "name": view.name,
        "position": view.position,
        "head": view.head,
        "lag": view.lag_events,
        "lag_seconds": round(view.lag_seconds, 3),
        "state": view.state,
        "parked": view.parked,
        "waiting": view.waiting,
    }


def _in_words(view: ViewStatus) -> str:
    words = f"{view.name}  position {view.position}  head {view.head}  lag {view.lag_events}"
    if view.lag_events:
        words += f" ({view.lag_seconds:.1f} s)"
    words += f"  {view.state}"
    if view.parked:
        words += f": {view.parked} events could not be applied, {view.waiting} wait behind them"
    if view.rebuild is not None:
        words += f"  {_rebuild_in_words(view.rebuild)}"
    return words


def _rebuild_in_words(found: RebuildJob) -> str:
    if found.finished_at is not None:
        return f"last {found.kind} {found.finished_at:%Y-%m-%d %H:%M} UTC"
    return f"{found.kind} {found.state}, {found.progress:.0%}"


@projections.command()
@click.argument("name", required=False)
@click.option("--all", "every", is_flag=True, help="All views, in one pass over the log.")
def rebuild(name: str | None, every: bool) -> None:
    """Build a view anew beside the live one, compare, then switch. Exit 3 if one is running.

    One that was interrupted is gone on with. Readers see the old view until the switch; it is
    kept until `projections prune`.
    """
    for done in _rebuilt(REBUILD, _chosen(name, every)):
        if done.differing is None:
            what = "not compared: the live view was too far behind"
        else:
            what = f"{done.differing} rows were not as in the view before"
        click.echo(
            f"{done.name} is rebuilt: {done.events} events in {done.seconds:.1f} s"
            f" ({done.rate:,.0f} events/s), {done.rows or 0} rows, {what}."
        )
        _tell_differences(done)


@projections.command()
@click.argument("name", required=False)
@click.option("--all", "every", is_flag=True, help="All views, in one pass over the log.")
@click.option(
    "--sample",
    type=click.IntRange(1, 100_000),
    help="Only so many links and calendars, chosen by chance: cheap enough for every night.",
)
def verify(name: str | None, every: bool, sample: int | None) -> None:
    """Build a view aside and compare it with the live one, row by row. Exit 1 if they differ."""
    chosen = _chosen(name, every)
    if sample is not None:
        _verify_sample(chosen, sample)
        return
    differ = False
    for done in _rebuilt(VERIFY, chosen):
        if done.differing is None:
            click.echo(f"{done.name} could not be compared: it is too far behind the log.")
        elif done.differing:
            click.echo(f"{done.name}: {done.differing} of {done.rows} rows differ.")
            _tell_differences(done)
        else:
            click.echo(f"{done.name} is right: {done.rows} rows, {done.events} events.")
        differ = differ or done.differing != 0
    sys.exit(1 if differ else 0)


def _verify_sample(chosen: list[Projection], sample: int) -> None:
    differ = False
    with command_database.connection(context.settings()) as conn:
        for projection in chosen:
            if not projection.handlers:
                click.echo(f"{projection.name} has no stories to choose from: `audit verify` it.")
                continue
            found = spot_check.verify(conn, projection, JSONMapper(), sample)
            click.echo(
                f"{projection.name}: {found.differing} of {found.rows} rows looked at differ."
            )
            for difference in found.differences:
                click.echo(json.dumps(difference))
            differ = differ or found.differing > 0
    sys.exit(1 if differ else 0)


@projections.command()
@click.argument("name")
def retry(name: str) -> None:
    """Apply the parked events of a view again. Exit 1 if some can't be applied still."""
    projection = projection_named(name)
    with command_database.connection(context.settings()) as conn:
        taken, left = retry_parked(conn, projection, JSONMapper())
    click.echo(f"{projection.name}: {taken} events applied, {left} still parked.")
    sys.exit(1 if left else 0)


@projections.command()
def prune() -> None:
    """Drop the views that rebuilds or newer versions have replaced."""
    with command_database.connection(context.settings()) as conn:
        dropped = jobs.prune(conn, CATALOGUE)
    click.echo("\n".join(f"dropped {name}" for name in dropped) or "nothing to drop")


def _chosen(name: str | None, every: bool) -> list[Projection]:
    if every == (name is not None):
        raise click.UsageError("Name one view, or give --all.")
    return list(CATALOGUE) if name is None else [projection_named(name)]


def _give_way() -> None:
    """To those who book and read; and take no time for what this process does not need."""
    if sys.platform != "win32":
        os.nice(NICENESS)
    # Millions of objects come and go, none of them in circles.
    gc.freeze()
    gc.disable()


def _rebuilt(kind: str, chosen: list[Projection]) -> list[RebuildJob]:
    _give_way()
    with command_database.database(context.settings()) as conninfo, Progress() as progress:
        try:
            return Rebuild(conninfo, chosen, JSONMapper(), kind=kind, report=progress.show).run()
        except RebuildRunning as refusal:
            click.echo(str(refusal), err=True)
            sys.exit(ALREADY_RUNNING)


def _tell_differences(done: RebuildJob) -> None:
    for difference in done.differences or ():
        click.echo(json.dumps(difference))
    if done.differing and done.differing > len(done.differences or ()):
        click.echo(f"and {done.differing - len(done.differences or ())} more")
