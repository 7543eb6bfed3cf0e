"""`admitone accounts`: manages the accounts that may sign in."""

import json
from typing import TYPE_CHECKING
from uuid import UUID

import click

from application.people.roles import ROLES
from interface.cli import context
from interface.settings import SettingsError

if TYPE_CHECKING:
    from application.people.accounts import Account
    from interface.bootstrap import Services


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
    with context.services(may_create=True) as services:
        account = services.accounts.create(email=email, name=name, roles=roles or ("owner",))
        if services.settings.oidc_only:
            name = services.settings.oidc_provider_name
            click.echo(f"{account.email} signs in with {name} at {services.settings.public_url}")
        else:
            click.echo(services.sign_in_url(account))


@accounts.command("sign-in-link")
@click.argument("email")
@click.option(
    "--break-glass",
    is_flag=True,
    help="Works even where people sign in only at the identity provider.",
)
def sign_in_link(email: str, break_glass: bool) -> None:
    """Print a new one-time sign-in link. Earlier ones stop working."""
    with context.services() as services:
        account = services.accounts.by_email(email)
        click.echo(services.sign_in_url(account, breaks_glass=break_glass))


@accounts.command()
@click.argument("email")
@click.argument("subject")
def connect(email: str, subject: str) -> None:
    """Connect an account with SUBJECT, as the identity provider names the person in `sub`."""
    with context.services() as services:
        account, issuer = services.accounts.by_email(email), _issuer(services)
        services.identities.connect(account, issuer=issuer, subject=subject, now=services.now())
        click.echo(f"{account.email} signs in by {issuer} now.")


@accounts.command()
@click.argument("email")
def disconnect(email: str) -> None:
    """Stop an account from signing in at the identity provider. Open sessions continue."""
    with context.services() as services:
        account, issuer = services.accounts.by_email(email), _issuer(services)
        services.identities.disconnect(account, issuer=issuer)
        click.echo(f"{account.email} no longer signs in by {issuer}.")


@accounts.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
def list_accounts(as_json: bool) -> None:
    """List all accounts, the oldest first."""
    with context.services() as services:
        for account in services.accounts.all():
            click.echo(_as_json(account) if as_json else _line(account))


@accounts.command()
@click.argument("email")
def disable(email: str) -> None:
    """End all access to an account: sessions, sign-in link and API keys.

    Its calendars and links stay, and links that it has shared can still be used.
    """
    with context.services() as services:
        account = services.accounts.by_email(email)
        click.echo(_line(services.accounts.disable(account, now=services.now())))


@accounts.command()
@click.argument("email")
def enable(email: str) -> None:
    """Let an account in again. Its API keys work again."""
    with context.services() as services:
        click.echo(_line(services.accounts.enable(services.accounts.by_email(email))))


@accounts.command()
@click.argument("email")
@click.option(
    "--role",
    "roles",
    multiple=True,
    required=True,
    type=click.Choice(ROLES),
    help="Can be repeated. The account has exactly these roles then.",
)
def roles(email: str, roles: tuple[str, ...]) -> None:
    """Change the roles of an account. Its sessions and API keys follow."""
    with context.services() as services:
        account = services.accounts.by_email(email)
        click.echo(_line(services.accounts.change_roles(account, roles)))


@accounts.command("sign-out")
@click.argument("email")
def sign_out(email: str) -> None:
    """Sign an account out in all browsers, and end its sign-in link."""
    with context.services() as services:
        account = services.accounts.by_email(email)
        services.accounts.sign_out(account)
        click.echo(f"{account.email} is signed out everywhere.")


@accounts.command("email")
@click.argument("email")
@click.argument("new")
def change_email(email: str, new: str) -> None:
    """Change the address with which somebody signs in from EMAIL to NEW."""
    with context.services() as services:
        account = services.accounts.by_email(email)
        click.echo(_line(services.accounts.change_email(account, new)))


@accounts.command()
@click.argument("email")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
def passkeys(email: str, as_json: bool) -> None:
    """List the passkeys of an account, the oldest first."""
    with context.services() as services:
        for passkey in services.passkeys.all(services.accounts.by_email(email)):
            used_at = passkey.last_used_at
            if as_json:
                fields = {
                    "id": str(passkey.id),
                    "name": passkey.name,
                    "created_at": passkey.created_at.isoformat(),
                    "last_used_at": used_at and used_at.isoformat(),
                }
                click.echo(json.dumps(fields))
            else:
                used = f"{used_at:%Y-%m-%d %H:%M} UTC" if used_at else "never"
                added = f"{passkey.created_at:%Y-%m-%d}"
                click.echo(f"{passkey.id}  {passkey.name}  added: {added}  last used: {used}")


@accounts.command("remove-passkey")
@click.argument("email")
@click.argument("passkey_id", metavar="ID", type=click.UUID)
def remove_passkey(email: str, passkey_id: UUID) -> None:
    """Remove a passkey of an account, such as one on a lost device. It no longer signs in.

    Open sessions continue: `admitone accounts sign-out EMAIL` ends them.
    """
    with context.services() as services:
        account = services.accounts.by_email(email)
        passkey = services.passkeys.one(account, passkey_id)
        services.passkeys.remove(account, passkey_id)
        click.echo(f"Removed {passkey.name}.")


def _issuer(services: "Services") -> str:
    """Returns the issuer of the settings. Raises `SettingsError` if there is none."""
    if not services.settings.oidc_issuer:
        raise SettingsError("ADMITONE_OIDC_ISSUER is not set.")
    return services.settings.oidc_issuer


def _line(account: "Account") -> str:
    state = "  disabled" if account.disabled_at else ""
    return f"{account.email}  {account.name}  {','.join(account.roles) or '-'}{state}"


def _as_json(account: "Account") -> str:
    disabled_at = account.disabled_at and account.disabled_at.isoformat()
    return json.dumps(
        {
            "id": str(account.id),
            "email": account.email,
            "name": account.name,
            "roles": account.roles,
            "has_signed_in": account.has_signed_in,
            "disabled_at": disabled_at,
        }
    )
