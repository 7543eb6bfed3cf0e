"""`admitone privacy`: exports and erases personal data."""

import json
from pathlib import Path
from threading import Event
from uuid import UUID

import click

from interface.cli import context
from interface.cli.files import writing
from interface.private_files import write_private


@click.group()
def privacy() -> None:
    """Export and erase personal data."""


@privacy.command()
@click.argument("booking_id", type=click.UUID)
def forget(booking_id: UUID) -> None:
    """Erase the personal data of the invitee of a booking, for good."""
    from application.commands.erasure import OPERATOR  # slow, and not needed for a help text

    with context.services() as services:
        services.erasure.forget(
            booking_id=booking_id, owner_id=None, actor=OPERATOR, now=services.now()
        )
    click.echo(f"Forgot the invitee of booking {booking_id}.")


@privacy.command()
def reapply() -> None:
    """Erase again everybody who was forgotten, after personal data came back from a backup.

    Covers every erasure in the log and in the list beside the checkpoints, which the log may have
    lost.
    """
    from interface.reapplied_erasures import reapply_all  # slow, and not for a help text

    with context.services() as services:
        done = reapply_all(services)
    click.echo(f"Erased {done.rows} {'row' if done.rows == 1 else 'rows'} that had come back.")
    for sentence in done.sentences():
        click.echo(sentence)


@privacy.command()
@click.argument("email")
@click.option("--out", type=click.Path(path_type=Path), help="Write to this file instead.")
def export(email: str, out: Path | None) -> None:
    """Print everything that is stored about an e-mail address, as JSON."""
    from application.people.security_log import DATA_EXPORTED  # slow, and not for a help text

    with context.services() as services:
        services.security_log.record(DATA_EXPORTED, addresses={"email": email})
        stored = services.erasure.personal_data_about(email)
    text = json.dumps(stored, indent=2, ensure_ascii=False) + "\n"
    if out is None:
        click.echo(text, nl=False)
        return
    with writing(out):
        write_private(out, text)


@privacy.command()
def retention() -> None:
    """Delete the data that is older than its retention period, once.

    `admitone serve` and `admitone deliveries run` do this every hour.

    Deletes ended rate limits, refused attempts that are older than ADMITONE_ATTEMPTS_DAYS,
    addresses in the security log that are older than ADMITONE_SECURITY_ADDRESSES_DAYS,
    deliveries that were sent more than ADMITONE_DELIVERIES_DAYS ago and, if
    ADMITONE_FORGET_AFTER_DAYS is set, the personal data of invitees whose booking ended that many
    days ago or earlier.
    """
    from interface.runtime.retention_loop import delete_due

    with context.services() as services:
        for sentence in delete_due(services, stop=Event()):
            click.echo(sentence)
