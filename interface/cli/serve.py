"""`admitone serve`: the whole service, and `admitone health`: is it ready."""

import os
import sys
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.request import urlopen

import click

from interface.cli import session
from interface.settings import unused_settings


@click.command()
def serve() -> None:
    """Run everything: database, web workers, projector. Ctrl-C stops it all."""
    from interface.supervisor import Supervisor  # only where it is used

    settings = session.settings()
    for name in unused_settings(os.environ):
        click.echo(f"{name} is set but not used by this version.", err=True)
    Supervisor(settings, say=lambda line: click.echo(line)).run()


@click.command()
def health() -> None:
    """Exit 0 when the service is ready; else say why not and exit 1."""
    address = f"{session.settings().local_url}/readyz"
    try:
        with urlopen(address, timeout=5) as response:  # noqa: S310 - our own address
            click.echo(response.read().decode().strip())
    except HTTPError as error:
        click.echo(error.read().decode().strip(), err=True)
        sys.exit(1)
    except (HTTPException, OSError) as error:
        click.echo(f"{address} does not answer: {error}", err=True)
        sys.exit(1)
