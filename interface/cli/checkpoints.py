"""`admitone audit checkpoints`: the folder of signed checkpoints."""

import sys

import click

from interface.cli.audit_context import recorded_access, writing_to


@click.group()
def checkpoints() -> None:
    """Look after the folder of signed checkpoints."""


@checkpoints.command()
@click.option("--dry-run", is_flag=True, help="Only say what is wrong, and what would be done.")
def repair(dry_run: bool) -> None:
    """Say what is wrong with the files in the folder, and mend what can be mended.

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
