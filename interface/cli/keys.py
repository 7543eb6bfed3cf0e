"""`admitone keys`: manages API keys."""

from datetime import timedelta

import click

from application.people.roles import ALL_SCOPES, KEY_DAYS, MOST_LINKS_A_DAY, MOST_LINKS_AT_ONCE
from interface.cli import context


@click.group()
def keys() -> None:
    """Manage API keys."""


@keys.command()
@click.option(
    "--account", "email", required=True, help="E-mail address of the account that the key acts for."
)
@click.option("--name", default="", help="What the key is for.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(ALL_SCOPES),
    help="Can be repeated. Default: everything that the account's roles allow.",
)
@click.option(
    "--days",
    type=click.IntRange(1, 3650),
    default=KEY_DAYS,
    show_default=True,
    help="After how many days the key expires.",
)
@click.option("--agent", is_flag=True, help="An assistant acts with it: events and pages say so.")
@click.option(
    "--links-a-day",
    type=click.IntRange(1, MOST_LINKS_A_DAY),
    help="How many links it may issue in a day. Default: no limit.",
)
@click.option(
    "--links-at-once",
    type=click.IntRange(1, MOST_LINKS_AT_ONCE),
    help="How many of its links may be open at a time, neither used nor ended. Default: no limit.",
)
def create(
    email: str,
    name: str,
    scopes: tuple[str, ...],
    days: int,
    agent: bool,
    links_a_day: int | None,
    links_at_once: int | None,
) -> None:
    """Create an API key and print it, once, alone on the last line."""
    with context.services() as services:
        account = services.accounts.by_email(email)
        key = services.api_keys.create(
            account,
            name=name,
            scopes=scopes,
            now=services.now(),
            lifetime=timedelta(days=days),
            is_agent=agent,
            links_a_day=links_a_day,
            links_at_once=links_at_once,
        )
        click.echo(f"An API key for {account.email}. It is shown only this once:", err=True)
        click.echo(key)


@keys.command("list")
def list_keys() -> None:
    """List all API keys, newest first, without their secrets."""
    with context.services() as services:
        now = services.now()
        for key in services.api_keys.all():
            state = "  revoked" if key.revoked_at else "  expired" if key.expires_at <= now else ""
            kind = "  agent" if key.is_agent else ""
            if key.links_a_day is not None:
                kind += f"  links a day: {key.links_a_day}"
            if key.links_at_once is not None:
                kind += f"  open links: {key.links_at_once}"
            used = f"{key.last_used_at:%Y-%m-%d %H:%M} UTC" if key.last_used_at else "never"
            click.echo(
                f"{key.prefix}  {key.email}  {key.name or '-'}  {','.join(key.scopes)}"
                f"  expires: {key.expires_at:%Y-%m-%d}  last used: {used}{kind}{state}"
            )


@keys.command()
@click.argument("prefix")
def revoke(prefix: str) -> None:
    """Revoke the key that starts with ao_PREFIX_. It stops working within 5 seconds."""
    with context.services() as services:
        services.api_keys.revoke(prefix, now=services.now())
        click.echo(f"Revoked {prefix}.")
