"""`admitone serve`: the whole service."""

import os

import click

from interface.cli import context
from interface.runtime import command_database
from interface.runtime.parent_watchdog import end_with_parent
from interface.runtime.supervisor import Supervisor
from interface.settings import unused_settings


@click.command()
def serve() -> None:
    """Run everything: database, web workers, projector. Ctrl-C stops it all."""
    end_with_parent()
    settings = context.settings()
    for name in unused_settings(os.environ):
        click.echo(f"{name} is set but not used by this version.", err=True)
    with command_database.errors_as_sentences():
        Supervisor(settings, say=click.echo).run()
