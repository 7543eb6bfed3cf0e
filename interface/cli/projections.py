"""`admitone projections`: watches, rebuilds and verifies the views."""

import gc
import json
import os
import sys
from typing import TYPE_CHECKING, Any

import click

from interface.cli import context
from interface.database_roles import DatabaseRole

if TYPE_CHECKING:
    from projections.engine.projection import Projection
    from projections.rebuild.jobs import RebuildJob
    from projections.status import ViewStatus

# Each command imports what it needs when it runs: help texts need none of it, and it is slow.

ALREADY_RUNNING = 3
NICENESS = 10

_every = click.option("--all", "every", is_flag=True, help="All views, in one pass over the log.")


@click.group()
def projections() -> None:
    """Watch, rebuild and verify the views."""


@projections.command()
def run() -> None:
    """Keep all views current until stopped. Stands by while another projector runs."""
    from interface.runtime import projector
    from interface.runtime.environment import withdraw_secrets

    settings = context.settings()
    withdraw_secrets()
    projector.run(settings)


@projections.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array.")
def status(as_json: bool) -> None:
    """Show how far each view has come: position, head of the log, lag, state."""
    from projections.engine.runner import is_running
    from projections.status import statuses

    with context.services() as services:
        views = statuses(services.database)
        has_projector = is_running(services.database)
    if as_json:
        click.echo(json.dumps([_as_json(view) for view in views]))
        return
    for view in views:
        click.echo(_in_words(view))
    if not has_projector:
        click.echo("No projector is running: run `admitone serve` or `admitone projections run`.")


def _as_json(view: "ViewStatus") -> dict[str, Any]:
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


def _in_words(view: "ViewStatus") -> str:
    words = f"{view.name}  position {view.position}  head {view.head}  lag {view.lag_events}"
    if view.lag_events:
        words += f" ({view.lag_seconds:.1f} s)"
    words += f"  {view.state}"
    if view.parked:
        parked = _count(view.parked, "event")
        words += f": {parked} could not be applied, {view.waiting} wait behind"
    if view.rebuild is not None:
        words += f"  {_job_in_words(view.rebuild)}"
    return words


def _job_in_words(job: "RebuildJob") -> str:
    if job.finished_at is not None:
        return f"last {job.kind} {job.finished_at:%Y-%m-%d %H:%M} UTC"
    return f"{job.kind} {job.state}, {job.progress:.0%}"


@projections.command()
@click.argument("name", required=False)
@_every
@click.option(
    "--accept-unsigned",
    is_flag=True,
    help="Replace the transparency log even where it differs, after the newest checkpoint.",
)
@click.option(
    "--fresh", is_flag=True, help="Start over even if an interrupted rebuild could be resumed."
)
def rebuild(name: str | None, every: bool, accept_unsigned: bool, fresh: bool) -> None:
    """Rebuild a view beside the live one, compare the two, then switch.

    Resumes a rebuild that was interrupted, unless other code began it. Readers see the old view
    until the switch, and it is kept until `projections prune`. The transparency log is not replaced
    by one that differs from what was signed. Exit status 3: a rebuild of this view is already
    running.
    """
    from projections.rebuild.jobs import REBUILD

    for done in _run_jobs(
        REBUILD, _chosen(name, every), accept_unsigned=accept_unsigned, fresh=fresh
    ):
        if done.differing is None:
            comparison = "not compared, because the live view was too far behind"
        else:
            comparison = f"{done.differing} differed from the view before"
        click.echo(
            f"{done.name} is rebuilt: {done.events} events in {done.seconds:.1f} s"
            f" ({done.rate:,.0f} events/s); {_count(done.rows or 0, 'row')}, {comparison}."
        )
        _print_differences(done)


def rebuild_views() -> "list[RebuildJob]":
    """Rebuilds all views, in one pass over the log."""
    from projections.rebuild.jobs import REBUILD

    return _run_jobs(REBUILD, _chosen(None, every=True))


@projections.command()
@click.argument("name", required=False)
@_every
@click.option(
    "--sample",
    type=click.IntRange(1, 100_000),
    help="Compare only this many random links and calendars: cheap enough for every night.",
)
def verify(name: str | None, every: bool, sample: int | None) -> None:
    """Build a view aside and compare it with the live one, row by row.

    Exit status 1: some rows differ.
    """
    from projections.rebuild.jobs import VERIFY

    chosen = _chosen(name, every)
    if sample is not None:
        _verify_sample(chosen, sample)
        return
    differ = False
    for done in _run_jobs(VERIFY, chosen):
        if done.differing is None:
            click.echo(f"{done.name} could not be compared: it is too far behind the log.")
        elif done.differing:
            click.echo(f"{done.name}: {done.differing} of {_count(done.rows or 0, 'row')} differ.")
            _print_differences(done)
        else:
            rows, events = _count(done.rows or 0, "row"), _count(done.events, "event")
            click.echo(f"{done.name} matches the log ({rows}, {events}).")
        differ = differ or done.differing != 0
    sys.exit(1 if differ else 0)


def _verify_sample(chosen: "list[Projection]", sample: int) -> None:
    from application.eventstore.mapper import JSONMapper
    from interface.runtime import command_database
    from projections.rebuild import spot_check

    differ = False
    with command_database.connection(context.settings(), DatabaseRole.PROJECTOR) as conn:
        for projection in chosen:
            if not projection.handlers:
                click.echo(f"{projection.name} can't be sampled: use `admitone audit verify`.")
                continue
            result = spot_check.verify(conn, projection, JSONMapper(), sample)
            click.echo(
                f"{projection.name}: {result.differing} of {_count(result.rows, 'row')}"
                " in the sample differ."
            )
            for difference in result.differences:
                click.echo(json.dumps(difference))
            differ = differ or result.differing > 0
    sys.exit(1 if differ else 0)


@projections.command()
@click.argument("name")
def retry(name: str) -> None:
    """Apply the parked events of a view again.

    Exit status 1: some still can't be applied.
    """
    from application.eventstore.mapper import JSONMapper
    from interface.runtime import command_database
    from projections.catalogue import follower_named
    from projections.engine.batch import retry as retry_parked

    projection = follower_named(name)
    with command_database.connection(context.settings(), DatabaseRole.PROJECTOR) as conn:
        applied, left = retry_parked(conn, projection, JSONMapper())
    click.echo(f"{projection.name}: {_count(applied, 'event')} applied, {left} still parked.")
    sys.exit(1 if left else 0)


@projections.command()
def prune() -> None:
    """Drop the views that rebuilds or newer versions have replaced."""
    from interface.runtime import command_database
    from projections.catalogue import CATALOGUE
    from projections.rebuild import jobs

    with command_database.connection(context.settings(), DatabaseRole.PROJECTOR) as conn:
        dropped = jobs.prune(conn, CATALOGUE)
    click.echo("\n".join(f"dropped {name}" for name in dropped) or "nothing to drop")


def _chosen(name: str | None, every: bool) -> "list[Projection]":
    if every == (name is not None):
        raise click.UsageError("Name one view, or give --all.")
    from projections.catalogue import CATALOGUE, projection_named

    return list(CATALOGUE) if name is None else [projection_named(name)]


def _yield_to_others() -> None:
    """Lowers this process's priority and switches garbage collection off."""
    if sys.platform != "win32":
        os.nice(NICENESS)
    # A rebuild makes millions of objects, none of them in reference cycles.
    gc.freeze()
    gc.disable()


def _run_jobs(
    kind: str,
    chosen: "list[Projection]",
    *,
    accept_unsigned: bool = False,
    fresh: bool = False,
) -> "list[RebuildJob]":
    from application.eventstore.mapper import JSONMapper
    from application.people import security_log
    from interface import key_store
    from interface.cli.progress import Progress
    from interface.runtime import command_database
    from projections.evidence.rebuild_guard import refuse_changed_log
    from projections.rebuild.jobs import RebuildRunning
    from projections.rebuild.rebuild import Rebuild

    _yield_to_others()
    settings = context.settings()
    with (
        command_database.database(settings, DatabaseRole.PROJECTOR) as conninfo,
        Progress() as progress,
        security_log.acting(context.origin),
    ):
        may_switch = refuse_changed_log(
            key_store.checkpoint_store(settings), accept_unsigned=accept_unsigned
        )
        rebuild = Rebuild(
            conninfo,
            chosen,
            JSONMapper(),
            kind=kind,
            report=progress.show,
            may_switch=may_switch,
            fresh=fresh,
        )
        try:
            return rebuild.run()
        except RebuildRunning as refusal:
            click.echo(str(refusal), err=True)
            sys.exit(ALREADY_RUNNING)


def _print_differences(done: "RebuildJob") -> None:
    for difference in done.differences or ():
        click.echo(json.dumps(difference))
    if done.differing and done.differing > len(done.differences or ()):
        click.echo(f"and {done.differing - len(done.differences or ())} more")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun if number == 1 else f'{noun}s'}"
