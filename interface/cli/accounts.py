"""`admitone accounts`: manages the accounts that may sign in."""

import click

from application.people.roles import ROLES
from interface.cli import context


@click.group()
def accounts() -> None:
    """Manage accounts."""


@accounts.command()
@click.argument("email")
@click.option("--name", help="The name that invitees read. Default: the part before the @.")
@click.option(
    "--role",
    "roles",
    multiple=True,
    type=click.Choice(ROLES),
    help="Can be repeated. Default: owner.",
)
def create(email: str, name: str | None, roles: tuple[str, ...]) -> None:
    """Create an account and print its one-time sign-in link."""
    with context.services() as services:
        account = services.accounts.create(email=email, name=name, roles=roles or ("owner",))
        click.echo(services.sign_in_url(account))


@accounts.command("sign-in-link")
@click.argument("email")
def sign_in_link(email: str) -> None:
    """Print a new one-time sign-in link. Earlier ones stop working."""
    with context.services() as services:
        click.echo(services.sign_in_url(services.accounts.by_email(email)))
