"""`admitone audit replay` and `audit agenda`: print histories event by event."""

import json
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from interface.cli import context
from interface.cli.audit_context import named, recorded_access
from interface.cli.field_type import FieldType

if TYPE_CHECKING:
    from datetime import date

    from marshmallow.fields import Field

    from application.audit.replay import AsOf, Replay, Step
    from interface.bootstrap import Services

# Each command imports what it needs when it runs: help texts need none of it, and it is slow.


def _as_of_field() -> "Field[AsOf]":
    from interface.web.fields import AsOfField

    return AsOfField()


def _day_field() -> "Field[date]":
    from interface.web.fields import Day

    return Day()


_as_of_option = click.option(
    "--as-of",
    type=FieldType(_as_of_field, "time|position"),
    help="A time with an offset, a date (its start in UTC) or a log position. Default: now.",
)
_json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object, with the fields of the API."
)


@click.command()
@click.argument("aggregate_id", metavar="ID", type=click.UUID)
@_as_of_option
@_json_option
def replay(aggregate_id: UUID, as_of: "AsOf | None", as_json: bool) -> None:
    """Show the history of a link, booking, calendar or agenda day, with what each event changed."""
    from application.audit.replay import replay_of
    from application.eventstore.mapper import JSONMapper

    what = f"replay {aggregate_id} as of {as_of or 'now'}"
    with recorded_access(what) as services, services.database.connection() as conn:
        _print(
            services,
            replay_of(conn, aggregate_id, JSONMapper(), now=services.now(), as_of=as_of),
            as_json,
        )


@click.command()
@click.argument("owner")
@click.option(
    "--from", "first", required=True, type=FieldType(_day_field, "date"), help="The first UTC day."
)
@click.option(
    "--to",
    "last",
    required=True,
    type=FieldType(_day_field, "date"),
    help="The last UTC day, included: at most 92 days.",
)
@_as_of_option
@_json_option
def agenda(owner: str, first: "date", last: "date", as_of: "AsOf | None", as_json: bool) -> None:
    """Show the history of the time that an owner has reserved in a period, on all calendars.

    OWNER is the id or the e-mail address of the account.
    """
    from application.audit.replay import replay_of_agenda
    from application.eventstore.mapper import JSONMapper
    from application.people import access_log

    owner_id = _uuid(owner)
    # An address that is recorded would survive erasure: the id that it stands for is recorded.
    what = f"agenda of {owner_id or 'an address'} from {first} to {last}"
    with recorded_access(what) as services:
        if owner_id is None:
            owner_id = services.accounts.id_by_email(owner)
            found = f"{what}, found {owner_id}"
            access_log.record(services.database, actor=context.actor(), what=found)
        with services.database.connection() as conn:
            _print(
                services,
                replay_of_agenda(
                    conn, owner_id, first, last, JSONMapper(), now=services.now(), as_of=as_of
                ),
                as_json,
            )


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _print(services: "Services", history: "Replay", as_json: bool) -> None:
    """Prints a history page by page, so that its length does not matter."""
    from application.audit.replay import HistoryNotFound

    if not history.has_begun:
        raise HistoryNotFound
    if as_json:
        _print_json(history)
        return
    for page in history.pages():
        name_of = named(services, (step.actor for step in page.steps))
        for step in page.steps:
            _print_step(step, name_of(step.actor))
    click.echo("State:")
    for aggregate, state in history.state().items():
        click.echo(f"  {aggregate} {json.dumps(state, ensure_ascii=False)}")


def _print_json(history: "Replay") -> None:
    from interface.web.history_json import changes_json

    click.echo(f'{{"id": "{history.id}", "events": [', nl=False)
    separator = ""
    for page in history.pages():
        for step in page.steps:
            click.echo(separator + json.dumps(changes_json(step)), nl=False)
            separator = ", "
    click.echo(f'], "state": {json.dumps(history.state())}, "next_after": null}}')


def _print_step(step: "Step", actor: str) -> None:
    event = step.recorded
    click.echo(
        f"{event.position}  {event.recorded_at:%Y-%m-%d %H:%M:%S.%f} UTC  {event.topic}"
        f"  version {event.originator_version}  by {actor}"
    )
    if step.fault:
        click.echo(f"    can't be applied: {step.fault}")
    for name, value in step.data.items():
        click.echo(f"    {name}: {_text(value)}")
    if step.commitment:
        typed = _text(step.typed) if step.typed else "[forgotten]"
        click.echo(f"    typed ({step.commitment}): {typed}")
    for aggregate, fields in step.changed.items():
        click.echo(f"  → {aggregate}")
        for path, change in fields.items():
            click.echo(f"      {path}: {_text(change['before'])} → {_text(change['after'])}")


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
