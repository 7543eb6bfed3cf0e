"""`admitone audit`: replays the log and proves that it is unchanged."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TextIO

import click

from domain.errors import AdmitOneError
from interface.cli import context
from interface.cli.audit_context import named, newest_checkpoint, recorded_access, refuse_reversed
from interface.cli.checkpoints import checkpoints
from interface.cli.files import TEXT_FILE, writing
from interface.cli.replay import agenda, replay
from interface.cli.security_log import security
from interface.cli.single_use_report import report
from interface.cli.witness import witness
from interface.database_roles import DatabaseRole
from interface.private_files import open_private, write_private
from interface.settings import Settings

if TYPE_CHECKING:
    from application.people.access_log import TakenCheckpoint

# Each command imports what it needs when it runs: help texts need none of it, and it is slow.


class Unproved(AdmitOneError):
    """The log can't be verified."""


_of_security_log = click.option(
    "--security", "of_security_log", is_flag=True, help="Of the security log, not of events."
)


_UNUSABLE = "The stored checkpoints can't be used: {}."


@click.group()
def audit() -> None:
    """Replay the log and prove that it is unchanged."""


@audit.command()
@click.option(
    "--checkpoint",
    "file",
    type=TEXT_FILE,
    help="A checkpoint that was stored elsewhere. Default: all in the checkpoints folder.",
)
@click.option(
    "--key",
    "key_file",
    type=TEXT_FILE,
    help="A file with the public key. Default: this installation's.",
)
def verify(file: TextIO | None, key_file: TextIO | None) -> None:
    """Recompute every hash of the log and compare it with the signed checkpoints.

    Also compares personal data with the commitments in the log. Exit status 1: something is not
    as it was recorded, and the first position at fault is named.
    """
    from application.people import access_log
    from application.proofs.verifier import ProofError
    from interface.cli.progress import progress_of
    from interface.runtime import command_database
    from projections.evidence import security_log_proofs
    from projections.evidence.checkpoint_store import CheckpointStore, NoCheckpoint, verify_with_any
    from projections.evidence.log_verification import verify as verify_log
    from projections.evidence.patrol import check_personal_data

    with recorded_access(f"verify against {file.name if file else 'all checkpoints'}") as services:
        keys = _public_keys(services.settings, key_file)
        store = CheckpointStore(services.settings.checkpoints_folder, *keys)
        try:
            checkpoints = store.all()
            leaves = store.leaves()
            if file is not None:
                external = verify_with_any(file.read(), keys)
                smaller = (stored for stored in checkpoints if stored.size < external.size)
                checkpoints = [*smaller, external]
        except (ProofError, OSError) as error:
            raise Unproved(_UNUSABLE.format(error)) from error
        if not checkpoints:
            raise NoCheckpoint
        with (
            command_database.server(services.settings, DatabaseRole.AUDITOR) as conninfo,
            progress_of("events") as report_progress,
        ):
            verdict = verify_log(conninfo, checkpoints, leaves, report=report_progress)
        with services.database.connection() as conn:
            typed = check_personal_data(conn)
            try:
                entries = security_log_proofs.verify(conn, store.of_security_log())
            except (ProofError, OSError) as error:
                raise Unproved(_UNUSABLE.format(error)) from error
        taken = access_log.checkpoints_taken(services.database)
        name_of = named(services, (copy.actor for copy in taken))
    for found, log in ((verdict, ""), (typed, ""), (entries, " of the security log")):
        if found.fault is not None:
            click.echo(f"NOT AS RECORDED: position {found.position}{log}: {found.fault}.")
    if verdict.fault is None:
        first, newest = min(signed.time for signed in checkpoints), checkpoints[-1]
        click.echo(
            f"The log is as it was recorded: {verdict.events} events, {verdict.signed} of them"
            f" covered by {len(checkpoints)} checkpoints, the first signed at"
            f" {first:%Y-%m-%d %H:%M:%S}, the last at {newest.time:%Y-%m-%d %H:%M:%S} UTC."
        )
        if entries.fault is None and entries.checked:
            click.echo(f"So is the security log: {entries.checked} entries.")
        _print_copies(services.settings, taken, name_of)
    if any(found.fault is not None for found in (verdict, typed, entries)):
        sys.exit(1)


def _print_copies(
    settings: Settings, taken: "list[TakenCheckpoint]", name_of: Callable[[str], str]
) -> None:
    """Says who took checkpoints, and warns while no recent one is known to be out of reach."""
    from interface.runtime import doctor

    for copy in taken:
        was_taken = "fetched" if copy.was_fetched else "written to a file"
        click.echo(
            f"A checkpoint was {was_taken} by {name_of(copy.actor)}, last at"
            f" {copy.at:%Y-%m-%d %H:%M} UTC."
        )
    for finding in doctor.copies(settings, taken):
        click.echo(f"WARNING: {finding.what} {finding.remedy}")


@audit.command()
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write it to this file. Default: print it.",
)
@_of_security_log
def checkpoint(out: Path | None, of_security_log: bool) -> None:
    """Sign the events that are new, if any, and print the newest checkpoint."""
    what = f"checkpoint{' of the security log' if of_security_log else ''}"
    with recorded_access(what if out is None else f"{what} to {out}") as services:
        newest = newest_checkpoint(services, of_security_log=of_security_log)
    if out is None:
        click.echo(newest.text, nl=False)
    else:
        with writing(out):
            out.write_text(newest.text)  # to be given away: it holds nothing secret
        click.echo(f"Wrote {out}.")


@audit.command()
@_of_security_log
def key(of_security_log: bool) -> None:
    """Print the public key that verifies checkpoints. Give it to auditors by another channel."""
    from application.key_fingerprints import KeyKind
    from interface import key_store

    settings = context.settings()
    key_store.require_existing(settings, KeyKind.AUDIT)
    signer = key_store.checkpoint_signer(settings)
    click.echo((signer.of_security_log() if of_security_log else signer).verifier_key())


@audit.command()
@click.option(
    "--out",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write. The checkpoint goes into FILE.checkpoint.",
)
@click.option(
    "--from",
    "first",
    type=click.IntRange(min=1),
    help="First position. Default: the start of the log.",
)
@click.option(
    "--to",
    "last",
    type=click.IntRange(min=1),
    help="Last position. Default: the newest that is signed.",
)
@_of_security_log
def export(out: Path, first: int | None, last: int | None, of_security_log: bool) -> None:
    """Write events with their proofs, and the checkpoint that proves them.

    The security log is written whole, and without addresses.
    """
    from projections.evidence import log_export, security_log_proofs

    refuse_reversed(first, last, "--to")
    part = f"{first or 'start'} to {last or 'end'}"
    with recorded_access(f"export {'security log' if of_security_log else part}") as services:
        newest = newest_checkpoint(services, of_security_log=of_security_log)
        with writing(out), services.database.connection() as conn, open_private(out) as file:
            if of_security_log:
                count = security_log_proofs.write_export(conn, file, newest.signed)
            else:
                count = log_export.write(conn, file, newest.signed, first=first, last=last)
    beside = out.with_name(f"{out.name}.checkpoint")
    with writing(beside):
        write_private(beside, newest.text)
    click.echo(f"Wrote {count} events to {out}, and the checkpoint that proves them to {beside}.")


@audit.command("verify-export")
@click.argument("file", type=click.File("rb"))
@click.option(
    "--checkpoint",
    "signed_file",
    required=True,
    type=TEXT_FILE,
    help="The file with the signed checkpoint.",
)
@click.option(
    "--key",
    "key_file",
    required=True,
    type=TEXT_FILE,
    help="The file with the public key.",
)
@click.option(
    "--witness",
    "witness_file",
    type=TEXT_FILE,
    help="A file with the key of a witness who must have cosigned the checkpoint.",
)
def check_export(
    file: BinaryIO, signed_file: TextIO, key_file: TextIO, witness_file: TextIO | None
) -> None:
    """Verify an export. Needs no database.

    The file application/proofs/verifier.py does the same without Admit One.
    """
    from application.proofs.verifier import ProofError, verify_cosignature, verify_export

    checkpoint = signed_file.read()
    try:
        if witness_file is not None:
            verify_cosignature(checkpoint, witness_file.read().strip())
        signed, indices = verify_export(file, checkpoint, key_file.read().strip())
    except ProofError as error:
        click.echo(f"NOT PROVED: {error}")
        sys.exit(1)
    click.echo(f"Proved: {len(indices)} events are in the tree of {signed.size}.")


@audit.command("accesses")
@click.option(
    "--limit",
    default=100,
    show_default=True,
    type=click.IntRange(1, 10_000),
    help="How many to list at most.",
)
def list_accesses(limit: int) -> None:
    """List who read the audit, newest first."""
    from application.people import access_log

    with recorded_access("accesses") as services:
        accesses = access_log.newest(services.database, limit=limit)
        name_of = named(services, (access.actor for access in accesses))
    for access in accesses:
        click.echo(f"{access.at:%Y-%m-%d %H:%M:%S} UTC  {name_of(access.actor)}  {access.what}")


def _public_keys(settings: Settings, file: TextIO | None) -> tuple[str, ...]:
    from interface import key_store

    if file is not None:
        return (file.read().strip(),)
    return key_store.checkpoint_signer(settings).verifier_keys()


audit.add_command(replay)
audit.add_command(agenda)
audit.add_command(report)
audit.add_command(security)
audit.add_command(checkpoints)
audit.add_command(witness)
