"""`admitone audit report`: what holds for the whole log, for people and programs."""

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from marshmallow import ValidationError

from application.single_use import report as single_use_report
from interface.cli.auditing import reading, signed_now
from interface.fields import InstantOrDay
from interface.heads import NoHead
from interface.pages.audit_report import single_use_page


class Moment(click.ParamType[datetime]):
    """A time with an offset, or a day in UTC."""

    name = "time"

    def __init__(self, *, whole_day: bool = False) -> None:
        self._field = InstantOrDay(whole_day=whole_day)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """As click's."""
        if isinstance(value, datetime):
            return value
        try:
            moment: datetime = self._field.deserialize(value)
        except ValidationError as error:
            self.fail(" ".join(map(str, error.messages)), param, ctx)
        return moment


@click.group()
def report() -> None:
    """What holds for the whole log."""


@report.command("single-use")
@click.option("--from", "since", type=Moment(), help="Count from this time on, or day in UTC.")
@click.option(
    "--to",
    "until",
    type=Moment(whole_day=True),
    help="Count what was before this time, or to the end of that day in UTC.",
)
@click.option("--html", type=click.Path(path_type=Path), help="Write it as a page to print, too.")
def single_use(since: datetime | None, until: datetime | None, html: Path | None) -> None:
    """Check that no link was ever used twice, and count what happened, as JSON.

    Exit status 1: something does not hold. The positions at fault are named.
    """
    period = f"{since or 'the beginning'} to {until or 'now'}"
    with reading(f"report single-use, {period}") as (services, conn):
        try:
            checkpoint: str | None = signed_now(services, conn)[0]
        except NoHead:
            checkpoint = None
        found = single_use_report(
            conn, since=since, until=until, now=services.now(), checkpoint=checkpoint
        )
    click.echo(json.dumps(found, indent=2))
    if html is not None:
        _write(html, found)
    if not found["holds"]:
        sys.exit(1)


def _write(file: Path, found: dict[str, Any]) -> None:
    try:
        file.write_text(single_use_page(found), encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"{file} can't be written: {error.strerror}.") from error
