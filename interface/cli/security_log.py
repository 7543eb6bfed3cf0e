"""`admitone audit security`: who signed in, and what was done to accounts and keys."""

import json
from collections.abc import Callable
from time import sleep
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from interface.cli import context
from interface.cli.audit_context import named, refuse_reversed
from interface.cli.field_type import FieldType

if TYPE_CHECKING:
    from marshmallow.fields import Field

    from application.people.security_log import Entry
    from interface.bootstrap import Services

FOLLOW_SECONDS = 1.0


def _moment() -> "Field[Any]":
    from interface.web.fields import InstantOrDay

    return InstantOrDay()


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line, as from the API.")
@click.option("--follow", is_flag=True, help="Keep printing new entries until interrupted.")
@click.option("--account", help="Only about this account: its id or e-mail address.")
@click.option("--kind", help="Only this kind, such as session.started.")
@click.option("--since", type=FieldType(_moment, "time"), help="Only from this time on.")
@click.option("--until", type=FieldType(_moment, "time"), help="Only before this time.")
@click.option(
    "--limit",
    default=100,
    show_default=True,
    type=click.IntRange(1, 10_000),
    help="How many to print at most before following.",
)
def security(as_json: bool, follow: bool, account: str | None, limit: int, **filters: Any) -> None:
    """Print who signed in, and what was done to accounts, keys and personal data, oldest first.

    Addresses are there for ADMITONE_SECURITY_ADDRESSES_DAYS. `audit verify` proves that the log is
    unchanged.
    """
    from application.people import access_log

    refuse_reversed(filters["since"], filters["until"], "--until")
    with context.services() as services:
        filters["account_id"] = account and _account_id(services, account)
        named = {name: str(value) for name, value in filters.items() if value is not None}
        what = " ".join(["security", *(f"{name}={value}" for name, value in named.items())])
        access_log.record(services.database, actor=context.actor(), what=what)
        last = services.security_log.newest(limit=1)
        entries = services.security_log.newest(limit=limit, **filters)
        _print(services, entries, as_json)
        after = last[0].position if last else 0
        while follow:
            sleep(FOLLOW_SECONDS)
            entries = services.security_log.newest(limit=10_000, after=after, **filters)
            _print(services, entries, as_json)
            after = entries[0].position if entries else after


def _account_id(services: "Services", text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        return services.accounts.by_email(text).id


def _print(services: "Services", newest_first: "list[Entry]", as_json: bool) -> None:
    from application.people.security_log import account_actor
    from interface.web.security_log_json import entry_json

    if not newest_first:
        return
    accounts = (account_actor(entry.account_id) for entry in newest_first if entry.account_id)
    name_of = named(services, [*(entry.actor for entry in newest_first), *accounts])
    for entry in reversed(newest_first):
        click.echo(json.dumps(entry_json(entry)) if as_json else _line(entry, name_of))


def _line(entry: "Entry", name_of: Callable[[str], str]) -> str:
    from application.people.security_log import account_actor

    account = entry.account_id and name_of(account_actor(entry.account_id)).partition(":")[2]
    facts = {"account": account, **entry.details, **(entry.addresses or {})}
    told = "".join(f"  {name}={value}" for name, value in facts.items() if value is not None)
    when = f"{entry.at:%Y-%m-%d %H:%M:%S} UTC"
    return f"{entry.position}  {when}  {entry.kind}  {name_of(entry.actor)}{told}"
