"""`admitone privacy`: what is held about people, and forgetting them."""

import json
import logging
import signal
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from threading import Event
from uuid import UUID

import click

from application.commands.erasure import OPERATOR
from domain.errors import Unavailable
from interface.bootstrap import Services
from interface.cli import context
from interface.observability import logs
from interface.runtime.parent_watchdog import end_with_parent
from projections.retention import forget_due_invitees

HOUR, MINUTE = 3600, 60

log = logging.getLogger(__name__)


@click.group()
def privacy() -> None:
    """What is held about people, and forgetting them."""


@privacy.command()
@click.argument("booking_id", type=click.UUID)
def forget(booking_id: UUID) -> None:
    """Erase what was typed about the invitee of a booking, for ever."""
    with context.services() as services:
        services.erasure.forget(
            booking_id=booking_id, owner_id=None, actor=OPERATOR, now=services.now()
        )
    click.echo(f"Forgot the invitee of booking {booking_id}.")


@privacy.command()
def reapply() -> None:
    """Erase again all who were forgotten: after personal data came back from a backup."""
    with context.services() as services:
        erased = services.erasure.reapply()
    click.echo(f"Erased {erased} {'row' if erased == 1 else 'rows'} that had come back.")


@privacy.command()
@click.argument("email")
@click.option("--out", type=click.Path(path_type=Path), help="A file, instead of the terminal.")
def export(email: str, out: Path | None) -> None:
    """Write all that is held about an e-mail address, as JSON."""
    with context.services() as services:
        held = services.erasure.personal_data_about(email)
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
    """Delete what was kept long enough.

    Refused attempts of ADMITONE_ATTEMPTS_DAYS ago or longer; and, where that is set, the
    invitees whose booking ended ADMITONE_FORGET_AFTER_DAYS ago or longer.
    """
    if not keep_on:
        with context.services() as services:
            for _, sentence in _done_now(services, stop=Event()):
                click.echo(sentence)
        return
    logs.configure(context.settings().log)
    end_with_parent()
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with context.services() as services:
        while not stop.is_set():
            stop.wait(_next_in(services, stop=stop))


def _next_in(services: Services, *, stop: Event) -> float:
    """Do it, and tell in how many seconds to do it again."""
    try:
        for count, sentence in _done_now(services, stop=stop):
            if count:
                log.info(sentence)
    except Unavailable as error:
        log.warning("trying again in a minute: %s", error)
        return MINUTE
    return HOUR


def _done_now(services: Services, *, stop: Event) -> Iterator[tuple[int, str]]:
    """How much was deleted, and that in a sentence."""
    now = services.now()
    too_old = now - timedelta(days=services.settings.attempts_days)
    count = services.refused_attempts.sweep(before=too_old)
    yield count, f"Deleted {count} refused {'attempt' if count == 1 else 'attempts'}."
    days = services.settings.forget_after_days
    if days is not None:
        count = forget_due_invitees(
            services.database,
            services.erasure,
            ended_by=now - timedelta(days=days),
            now=now,
            stop=stop,
        )
        yield count, f"Forgot {count} {'invitee' if count == 1 else 'invitees'}."
