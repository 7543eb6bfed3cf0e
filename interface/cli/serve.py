"""`admitone serve`: runs the whole service."""

import os
import signal
import sys

import click

from interface.cli import context
from interface.runtime.forks import STOP_SIGNALS
from interface.settings import unused_settings


@click.command()
@click.option(
    "--web-only",
    is_flag=True,
    help="Only the web workers: `projections run` and `deliveries run` do the rest, anywhere.",
)
def serve(web_only: bool) -> None:
    """Run the whole service until Ctrl-C.

    Starts the database if it is the embedded one, the web workers, the projector and the
    process that sends mail, and starts each again if it dies.
    """
    for number in STOP_SIGNALS:  # until the supervisor has handlers: nothing is started yet
        signal.signal(number, _end_at_once)
    from interface.runtime import command_database  # slow, and not needed for a help text
    from interface.runtime.environment import withdraw_secrets
    from interface.runtime.parent_watchdog import end_with_parent
    from interface.runtime.supervisor import Supervisor

    end_with_parent()
    settings = context.settings()
    for name in unused_settings(os.environ):
        click.echo(f"{name} is set but not used by this version.", err=True)
    withdraw_secrets()
    with command_database.errors_as_sentences():
        Supervisor(settings, say=click.echo, web_only=web_only).run()


def _end_at_once(*_: object) -> None:
    sys.exit(0)
