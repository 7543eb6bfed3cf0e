"""`admitone schema`: the tables."""

import click

from interface import bootstrap
from interface.cli import context
from interface.runtime import command_database


@click.group()
def schema() -> None:
    """The tables."""


@schema.command()
def apply() -> None:
    """Create or upgrade the tables, once, under a lock."""
    with command_database.server(context.settings()) as conninfo:
        steps = bootstrap.apply_schema(conninfo)
    click.echo("\n".join(f"applied {step}" for step in steps) or "nothing to do")


@schema.command()
def roles() -> None:
    """Create the database roles where they are missing and grant what each may do.

    As the owner of the tables; again after every `schema apply`.
    """
    with command_database.server(context.settings()) as conninfo:
        bootstrap.apply_roles(conninfo)
    click.echo("The roles have what they need, and no more.")
