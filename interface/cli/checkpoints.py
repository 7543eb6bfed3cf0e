"""`admitone audit checkpoints`: the folder of signed checkpoints."""

import sys

import click

from interface.cli.audit_context import recorded_access
from interface.cli.files import writing
from interface.database_roles import DatabaseRole


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
        with writing(store.folder), services.database.connection() as conn:
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
    set_aside_newer()


def set_aside_newer() -> None:
    """Sets aside the checkpoints that are newer than the log, prints them, and records it."""
    from application.people import access_log
    from interface.cli import context
    from interface.runtime import command_database
    from projections.evidence.checkpoint_repair import set_aside_after_return

    with recorded_access("checkpoints set-aside") as services:
        store = services.checkpoint_store()
        with (
            writing(store.folder),
            command_database.server(services.settings, DatabaseRole.AUDITOR) as conninfo,
            services.database.connection() as conn,
        ):
            done = set_aside_after_return(conn, conninfo, store)
        what = f"{done.signed} events were signed, and the log has {done.events}"
        if done.files:
            access_log.record(services.database, actor=context.actor(), what=what)
    for file in done.files:
        click.echo(file.relative_to(store.folder))
    click.echo(
        f"Set aside {len(done.files)} files: {what}."
        if done.files
        else "All checkpoints belong to the log: nothing is set aside."
    )
