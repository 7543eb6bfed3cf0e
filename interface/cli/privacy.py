"""`admitone privacy`: exports and erases personal data."""

import json
from functools import partial
from pathlib import Path
from threading import Event
from uuid import UUID

import click

from application.commands.erasure import OPERATOR
from interface.cli import context
from interface.observability import logs
from interface.runtime.background_thread import background_thread
from interface.runtime.busy_calendar_loop import read_busy_calendars
from interface.runtime.parent_watchdog import end_with_parent, stop_on_signals
from interface.runtime.retention_loop import delete_due, delete_hourly


@click.group()
def privacy() -> None:
    """Export and erase personal data."""


@privacy.command()
@click.argument("booking_id", type=click.UUID)
def forget(booking_id: UUID) -> None:
    """Erase what was typed about the invitee of a booking, for good."""
    with context.services() as services:
        services.erasure.forget(
            booking_id=booking_id, owner_id=None, actor=OPERATOR, now=services.now()
        )
    click.echo(f"Forgot the invitee of booking {booking_id}.")


@privacy.command()
def reapply() -> None:
    """Erase again everybody who was forgotten, after personal data came back from a backup."""
    with context.services() as services:
        erased = services.erasure.reapply()
    click.echo(f"Erased {erased} {'row' if erased == 1 else 'rows'} that had come back.")


@privacy.command()
@click.argument("email")
@click.option("--out", type=click.Path(path_type=Path), help="Write to this file instead.")
def export(email: str, out: Path | None) -> None:
    """Print everything that is stored about an e-mail address, as JSON."""
    with context.services() as services:
        stored = services.erasure.personal_data_about(email)
    text = json.dumps(stored, indent=2, ensure_ascii=False) + "\n"
    if out is None:
        click.echo(text, nl=False)
        return
    try:
        out.touch(mode=0o600)
        out.write_text(text)
    except OSError as error:
        raise click.ClickException(f"{out} can't be written: {error.strerror}.") from error


@privacy.command()
@click.option("--keep-on", is_flag=True, help="Repeat every hour until stopped.")
def retention(keep_on: bool) -> None:
    """Delete what has been stored for long enough.

    Deletes ended rate limits, refused attempts that are older than ADMITONE_ATTEMPTS_DAYS and,
    if ADMITONE_FORGET_AFTER_DAYS is set, forgets the invitees whose booking ended that many days
    ago or earlier. With --keep-on, also reads owners' calendars elsewhere.
    """
    if not keep_on:
        with context.services() as services:
            for sentence in delete_due(services, stop=Event()):
                click.echo(sentence)
        return
    logs.configure(context.settings().log)
    end_with_parent()
    stop = stop_on_signals()
    with (
        context.services() as services,
        background_thread("calendars", partial(read_busy_calendars, services, stop=stop), stop),
    ):
        delete_hourly(services, stop=stop)
