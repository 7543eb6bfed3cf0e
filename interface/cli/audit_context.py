"""Shared by all commands of `admitone audit`: the recorded access, the newest checkpoint."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from application.eventstore.deadline import deadline
from interface.cli import context
from interface.cli.files import writing
from interface.database_roles import DatabaseRole

if TYPE_CHECKING:
    from interface.bootstrap import Services
    from projections.evidence.checkpoint_store import SignedCheckpoint

LONGEST_SECONDS = 3600.0


def refuse_reversed(start: Any, end: Any, option: str) -> None:
    """Refuses a period that ends before it begins; `option` is that of its end."""
    if start is not None and end is not None and end < start:
        raise click.BadParameter("Must not lie before the start.", param_hint=option)


@contextmanager
def recorded_access(what: str) -> Iterator["Services"]:
    """Records who reads what, then yields services. The command may take up to an hour."""
    from application.people import access_log

    with context.services(DatabaseRole.AUDITOR) as services, deadline(LONGEST_SECONDS):
        access_log.record(services.database, actor=context.actor(), what=what)
        yield services


def named(services: "Services", actors: Iterable[str | None]) -> Callable[[str | None], str]:
    """Returns a function that writes any of these actors with the name of their account or key."""
    from application.people.actor_names import actor_names

    everybody = set(actors)
    known = services.database.run_idempotent(lambda conn: actor_names(conn, everybody))

    def text(actor: str | None) -> str:
        name = known.get(actor)
        if name is None:
            return actor or "unknown"
        return f"{actor} ({', '.join(filter(None, (name.key, name.person, name.email)))})"

    return text


def newest_checkpoint(services: "Services", *, of_security_log: bool = False) -> "SignedCheckpoint":
    """Returns the newest checkpoint. Signs one first if there are events without one.

    Raises `NoCheckpoint`.
    """
    if of_security_log:
        return _newest_of_security_log(services)
    from projections.evidence.checkpoint_signing import sign_all_due

    store = services.checkpoint_store()
    with writing(store.folder), services.database.connection() as conn:
        sign_all_due(conn, services.checkpoint_signer(), store, now=services.now())
    return store.require_newest()


def _newest_of_security_log(services: "Services") -> "SignedCheckpoint":
    from projections.evidence.security_log_proofs import SecurityLogSigner

    signer = SecurityLogSigner(services.checkpoint_signer(), services.checkpoint_store())
    with writing(signer.store.folder), services.database.connection() as conn:
        while signer.sign_due(conn, now=services.now()):
            pass
    return signer.store.require_newest()
