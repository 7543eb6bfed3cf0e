"""`admitone secrets`: the keys that sign links and checkpoints."""

import click

from interface.cli import context
from interface.database_roles import DatabaseRole

# Each command imports what it needs when it runs: help texts need none of it, and it is slow.


@click.group()
def secrets() -> None:
    """Exchange the keys that sign links and checkpoints."""


@secrets.command("list")
def list_secrets() -> None:
    """List the keys by their fingerprints, newest first."""
    from application.key_fingerprints import fingerprint
    from interface import key_store
    from interface.bootstrap import known_keys
    from interface.runtime import command_database

    settings = context.settings()
    with command_database.database(settings, DatabaseRole.SERVICE) as conninfo:
        known = {(key.kind, key.fingerprint): key for key in known_keys(conninfo)}
    for kind, keys in key_store.existing_keys(settings).items():
        for place, key in enumerate(keys):
            recorded = known.pop((kind, fingerprint(key)), None)
            since = "not in use yet"
            if recorded is not None:
                since = f"in use since {recorded.recorded_at:%Y-%m-%d}"
            does = "signs" if place == 0 else "is accepted"
            click.echo(f"{kind}  {fingerprint(key)}  {does}  {since}")
    for lost in known.values():
        click.echo(f"{lost.kind}  {lost.fingerprint}  MISSING  since {lost.recorded_at:%Y-%m-%d}")


@secrets.command()
@click.argument("kind", type=click.Choice(("secret", "audit")))
def rotate(kind: str) -> None:
    """Create a new key, which signs from the next start of the service on.

    KIND is `secret` (links and other tokens) or `audit` (checkpoints). Older keys stay: what they
    signed goes on working.
    """
    from application.key_fingerprints import KeyKind
    from interface import key_store

    settings = context.settings()
    created = key_store.rotate(settings, KeyKind(kind))
    click.echo(
        f"Created the {kind} key {created} in {key_store.place(settings, KeyKind(kind))}."
        " Restart the service to use it. Older keys stay there and are accepted."
    )


@secrets.command()
@click.argument("fingerprint")
@click.confirmation_option(
    prompt="Links, feeds, sign-in links or checkpoints that this key signed stop working. Drop it?"
)
def drop(fingerprint: str) -> None:
    """Take an older or a lost key out of use. Whatever it signed is no longer accepted.

    FINGERPRINT is as `admitone secrets list` shows it.
    """
    from interface import key_store
    from interface.bootstrap import drop_key
    from interface.runtime import command_database

    settings = context.settings()
    with command_database.database(settings, DatabaseRole.OWNER) as conninfo:
        was_stored = key_store.remove(settings, fingerprint)
        was_used = drop_key(conninfo, fingerprint)
    if not (was_stored or was_used):
        raise click.ClickException("There is no key with this fingerprint.")
    click.echo(f"Dropped {fingerprint}. Restart the service.")
