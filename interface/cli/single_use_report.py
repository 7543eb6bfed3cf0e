"""`admitone audit report`: checks the whole log and reports the result, as JSON or a page."""

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from interface.cli.audit_context import newest_checkpoint, recorded_access, refuse_reversed
from interface.cli.field_type import FieldType
from interface.cli.files import writing
from interface.private_files import write_private

if TYPE_CHECKING:
    from interface.web.fields import InstantOrDay


def _from_field() -> "InstantOrDay":
    from interface.web.fields import InstantOrDay  # slow, and not needed for a help text

    return InstantOrDay()


def _to_field() -> "InstantOrDay":
    from interface.web.fields import InstantOrDay

    return InstantOrDay(whole_day=True)


@click.group()
def report() -> None:
    """Check the whole log and report the result."""


@report.command("single-use")
@click.option(
    "--from",
    "since",
    type=FieldType(_from_field, "time"),
    help="Count events from this time on, or from the start of this day in UTC.",
)
@click.option(
    "--to",
    "until",
    type=FieldType(_to_field, "time"),
    help="Count events before this time, or until the end of this day in UTC.",
)
@click.option("--html", type=click.Path(path_type=Path), help="Also write a page to print.")
def single_use(since: datetime | None, until: datetime | None, html: Path | None) -> None:
    """Check that no link was ever used twice, and count what happened, as JSON.

    Exit status 1: something does not hold. The positions at fault are named.
    """
    from application.audit.single_use_report import report as single_use_report
    from interface.web.single_use_page import single_use_page
    from projections.evidence.checkpoint_store import NoCheckpoint

    # A day as the end has become the start of the next day: what counts is the last moment before.
    refuse_reversed(since, until and until - datetime.resolution, "--to")
    period = f"{since or 'the beginning'} to {until or 'now'}"
    with recorded_access(f"report single-use, {period}") as services:
        try:
            checkpoint: str | None = newest_checkpoint(services).text
        except NoCheckpoint:
            checkpoint = None
        with services.database.connection() as conn:
            result = single_use_report(
                conn, since=since, until=until, now=services.now(), checkpoint=checkpoint
            )
    click.echo(json.dumps(result, indent=2))
    if html is not None:
        with writing(html):
            write_private(html, single_use_page(result))
    if not result["holds"]:
        sys.exit(1)
