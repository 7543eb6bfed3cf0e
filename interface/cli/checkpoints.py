"""`admitone audit checkpoints`: the folder of signed checkpoints."""

import sys
from typing import TYPE_CHECKING

import click

from interface.cli.audit_context import recorded_access, writing_to
from interface.database_roles import DatabaseRole

if TYPE_CHECKING:
    from application.proofs.verifier import Checkpoint
    from projections.evidence.checkpoint_store import CheckpointStore


@click.group()
def checkpoints() -> None:
    """Check and repair the folder of signed checkpoints."""


@checkpoints.command()
@click.option("--dry-run", is_flag=True, help="Only list what is wrong and what would be done.")
def repair(dry_run: bool) -> None:
    """List the damaged and missing files of the folder, and repair those that can be.

    Files that are in the way are renamed, and missing leaves are written again from the log if it
    leads to their checkpoint. Exit status 1: something can't be mended.
    """
    from projections.evidence import checkpoint_repair

    with recorded_access("checkpoints repair") as services:
        store = services.checkpoint_store()
        with writing_to(store), services.database.connection() as conn:
            findings = checkpoint_repair.repair(conn, store, dry_run=dry_run)
    for finding in findings:
        file = finding.file.relative_to(store.folder)
        if finding.remedy is not None:
            remedy = f" To do: {finding.remedy}." if dry_run else f" Done: {finding.remedy}."
        else:
            remedy = " Nothing to do." if finding.is_harmless else " THIS CAN'T BE MENDED."
        click.echo(f"{file}: {finding.what}.{remedy}")
    if any(finding.remedy is None and not finding.is_harmless for finding in findings):
        sys.exit(1)
    if not findings:
        click.echo(f"All {len(store.files())} checkpoints in {store.folder} are in order.")


@checkpoints.command("set-aside")
def set_aside() -> None:
    """Set aside the checkpoints signed after the moment to which the database was brought back.

    The log has lost the events after that moment, and nothing is signed while checkpoints cover
    more than it has. Renames these, and no others; auditors should get them, for they prove what
    there was. Refused unless the log is, up to there, as it was signed.
    """
    from application.people import access_log
    from interface.cli import context
    from interface.runtime import command_database
    from projections.evidence.checkpoint_repair import set_aside_later
    from projections.evidence.log_verification import judge, verify
    from projections.evidence.security_log_proofs import leaves_after

    with recorded_access("checkpoints set-aside") as services:
        store = services.checkpoint_store()
        of_security_log = store.of_security_log()
        with (
            writing_to(store),
            command_database.server(services.settings, DatabaseRole.AUDITOR) as conninfo,
            services.database.connection() as conn,
        ):
            events = verify(conninfo, ()).events
            entries = sum(1 for _ in leaves_after(conn, 0))
            for verdict in (
                verify(conninfo, _covering(store, events)),
                judge(leaves_after(conn, 0), _covering(of_security_log, entries), iter(())),
            ):
                if verdict.fault is not None:
                    raise click.ClickException(
                        f"The log is not as it was signed at position {verdict.position}:"
                        f" {verdict.fault}. Nothing is set aside."
                    )
            newest = store.newest()
            signed = newest.signed.size if newest else 0
            files = set_aside_later(store, events) + set_aside_later(of_security_log, entries)
        if files:
            what = f"{signed} events were signed, and the log has {events}"
            access_log.record(services.database, actor=context.actor(), what=what)
    for file in files:
        click.echo(file.relative_to(store.folder))
    click.echo(
        f"Set aside {len(files)} files: {signed} events were signed, and the log has {events}."
        if files
        else "All checkpoints belong to the log: nothing is set aside."
    )


def _covering(store: "CheckpointStore", size: int) -> "list[Checkpoint]":
    """Returns the checkpoints that cover no more than this."""
    return [signed for signed in store.all() if signed.size <= size]
