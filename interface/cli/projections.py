"""`admitone projections`: the views and the process that keeps them up."""

import json
import signal
from threading import Event

import click

from application.mapper import JSONMapper
from interface import logs
from interface.cli import session
from interface.lifeline import end_with_parent
from projections.catalogue import CATALOGUE
from projections.positions import all_positions
from projections.runner import Runner


@click.group()
def projections() -> None:
    """The views and the process that keeps them up."""


@projections.command()
def run() -> None:
    """Keep all views up with the log until stopped; stand by while another one does."""
    logs.configure(session.settings().log)
    end_with_parent()
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with session.database() as conninfo:
        Runner(conninfo, CATALOGUE, JSONMapper()).run(stop)


@projections.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
def status(as_json: bool) -> None:
    """Show how far each view has come: position, head of the log, lag in events' positions."""
    with session.services() as services:
        head = services.bookings.head()
        seen = all_positions(services.database)
    rows = []
    for projection in CATALOGUE:
        position = seen.get(projection.name, 0)
        rows.append(
            {
                "name": projection.name,
                "position": position,
                "head": head,
                "lag": head - position,
                "state": "live" if position == head else "behind",
            }
        )
    if as_json:
        click.echo(json.dumps(rows))
        return
    for row in rows:
        click.echo("{name}  position {position}  head {head}  lag {lag}  {state}".format(**row))
