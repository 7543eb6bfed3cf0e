"""`admitone health`: checks whether the service is ready."""

import os
import sys

import click

from interface.runtime.readiness_probe import why_not_ready
from interface.settings import Settings


@click.command()
def health() -> None:
    """Check whether people can book now.

    Exit status 0: they can. 1: they can't, and the reason is printed.
    """
    reason = why_not_ready(Settings.from_environment(os.environ))
    if reason is not None:
        click.echo(reason, err=True)
        sys.exit(1)
    click.echo("ready")
