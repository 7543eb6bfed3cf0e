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


@schema.command()
def roles() -> None:
    """Create the database roles where they are missing and grant what each may do.

    As the owner of the tables; again after every `schema apply`.
    """
    with session.server() as conninfo:
        bootstrap.apply_roles(conninfo)
    click.echo("The roles have what they need, and no more.")
