"""`admitone schema`: the tables."""

import click

from interface import bootstrap
from interface.cli import session


@click.group()
def schema() -> None:
    """The tables."""


@schema.command()
def apply() -> None:
    """Create or upgrade the tables, once, under a lock."""
    with session.server() as conninfo:
        steps = bootstrap.apply_schema(conninfo)
    click.echo("\n".join(f"applied {step}" for step in steps) or "nothing to do")
