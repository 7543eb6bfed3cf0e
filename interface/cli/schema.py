"""`admitone schema`: creates and upgrades the database tables and roles."""

import click

from interface.cli import context
from interface.database_roles import DatabaseRole


@click.group()
def schema() -> None:
    """Create and upgrade the database tables."""


@schema.command()
def apply() -> None:
    """Create or upgrade the tables. Only one process does so at a time."""
    from interface import bootstrap  # slow, and not needed for a help text
    from interface.runtime import command_database

    with command_database.server(context.settings(), DatabaseRole.OWNER) as conninfo:
        steps = bootstrap.apply_schema(conninfo)
    click.echo("\n".join(f"applied {step}" for step in steps) or "nothing to do")


@schema.command()
def roles() -> None:
    """Create the database roles that are missing and grant each what it needs.

    Run it as the owner of the tables, again after every `schema apply`.
    """
    from interface import bootstrap
    from interface.runtime import command_database

    with command_database.server(context.settings(), DatabaseRole.OWNER) as conninfo:
        bootstrap.apply_roles(conninfo)
    click.echo("The roles have the rights that they need, and no others.")
