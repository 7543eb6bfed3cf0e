"""`admitone serve`: the whole service."""

import os

import click

from interface.cli import session
from interface.settings import unused_settings
from interface.supervisor import Supervisor


@click.command()
def serve() -> None:
    """Run everything: database, web workers, projector. Ctrl-C stops it all."""
    settings = session.settings()
    for name in unused_settings(os.environ):
        click.echo(f"{name} is set but not used by this version.", err=True)
    with session.database_errors_told():
        Supervisor(settings, say=click.echo).run()
