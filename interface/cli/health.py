"""`admitone health`: is it ready."""

import os
import sys

import click

from interface.runtime.readiness_probe import why_not_ready
from interface.settings import Settings


@click.command()
def health() -> None:
    """Exit 0 when the service is ready; else say why not and exit 1."""
    reason = why_not_ready(Settings.from_environment(os.environ))
    if reason is not None:
        click.echo(reason, err=True)
        sys.exit(1)
    click.echo("ready")
