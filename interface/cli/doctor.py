"""`admitone doctor`: says what is wrong with this installation."""

import json
import os
import sys

import click

from interface.cli import context
from interface.loading import without_garbage_collection


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array.")
def doctor(as_json: bool) -> None:
    """Say what is wrong with this installation, and what to do.

    Looks at settings, data folder, keys, database, views, deliveries, evidence and backups, and
    changes nothing. Exit status 1: something is wrong; advice alone does not count.
    """
    with without_garbage_collection():
        from interface.bootstrap import utc_now  # slow, and not needed for a help text
        from interface.runtime.doctor import examine

    findings = examine(context.settings(), os.environ, now=utc_now)
    if as_json:
        click.echo(json.dumps([finding._asdict() for finding in findings]))
    for finding in () if as_json else findings:
        click.echo(f"{'WRONG' if finding.is_wrong else 'Advice'}: {finding.what}")
        click.echo(f"  {finding.remedy}")
    wrong = sum(finding.is_wrong for finding in findings)
    if wrong:
        sys.exit(1)
    if not as_json:
        click.echo("Nothing is wrong.")
