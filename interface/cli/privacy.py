"""`admitone privacy`: what is held about people, and forgetting them."""

import json
import logging
import signal
from pathlib import Path
from threading import Event
from uuid import UUID

import click

from application.privacy import OPERATOR
from domain.errors import Unavailable
from interface.bootstrap import Services
from interface.cli import session
from interface.lifeline import end_with_parent
from interface.retention import forget_due
from interface.settings import PREFIX, SettingsError

HOUR, MINUTE = 3600, 60

log = logging.getLogger(__name__)


@click.group()
def privacy() -> None:
    """What is held about people, and forgetting them."""


@privacy.command()
@click.argument("booking_id", type=click.UUID)
def forget(booking_id: UUID) -> None:
    """Erase what was typed about the invitee of a booking, for ever."""
    with session.services() as services:
        services.privacy.forget(
            booking_id=booking_id, owner_id=None, actor=OPERATOR, now=services.now()
        )
    click.echo(f"Forgot the invitee of booking {booking_id}.")


@privacy.command()
def reapply() -> None:
    """Erase again all who were forgotten: after personal data came back from a backup."""
    with session.services() as services:
        erased = services.privacy.reapply()
    click.echo(f"Erased {erased} {'row' if erased == 1 else 'rows'} that had come back.")


@privacy.command()
@click.argument("email")
@click.option("--out", type=click.Path(path_type=Path), help="A file, instead of the terminal.")
def export(email: str, out: Path | None) -> None:
    """Write all that is held about an e-mail address, as JSON."""
    with session.services() as services:
        held = services.privacy.held_about(email)
    text = json.dumps(held, indent=2, ensure_ascii=False) + "\n"
    if out is None:
        click.echo(text, nl=False)
        return
    try:
        out.touch(mode=0o600)
        out.write_text(text)
    except OSError as error:
        raise click.ClickException(f"{out} can't be written: {error.strerror}.") from error


@privacy.command()
@click.option("--keep-on", is_flag=True, help="Once an hour, until stopped.")
def retention(keep_on: bool) -> None:
    """Forget the invitees whose booking ended ADMITONE_FORGET_AFTER_DAYS ago or longer."""
    days = session.settings().forget_after_days
    if days is None:
        raise SettingsError(f"{PREFIX}FORGET_AFTER_DAYS is not set: invitees are kept.")
    if not keep_on:
        with session.services() as services:
            click.echo(_told(forget_due(services, days=days, stop=Event())))
        return
    logging.basicConfig(level=logging.INFO, format="retention: %(message)s")
    end_with_parent()
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with session.services() as services:
        while not stop.is_set():
            stop.wait(_forget_now(services, days=days, stop=stop))


def _forget_now(services: Services, *, days: int, stop: Event) -> float:
    """In how many seconds to do it again."""
    try:
        if count := forget_due(services, days=days, stop=stop):
            log.info(_told(count))
    except Unavailable as error:
        log.warning("trying again in a minute: %s", error)
        return MINUTE
    return HOUR


def _told(count: int) -> str:
    return f"Forgot {count} {'invitee' if count == 1 else 'invitees'}."
