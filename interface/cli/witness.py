"""`admitone audit witness`: cosigns the checkpoints of another installation's log."""

import secrets
import sys
from pathlib import Path
from typing import TextIO

import click

from application.proofs.verifier import ProofError, parse_key
from application.proofs.witness import Cosigner, Witness
from domain.errors import AdmitOneError
from interface.cli.audit_context import newest_checkpoint, recorded_access
from interface.cli.files import TEXT_FILE
from interface.private_files import replace_private

PRIVATE_KEY, PUBLIC_KEY, LOG_KEY = "private-key.txt", "witness-key.txt", "log-key.txt"
LAST = "last.checkpoint"

_folder = click.argument("folder", type=click.Path(file_okay=False, path_type=Path))


class WitnessUnusable(AdmitOneError):
    """The folder of the witness can't be used."""


@click.group()
def witness() -> None:
    """Cosign the checkpoints of another installation, so that all auditors see the same log.

    A witness runs elsewhere, and needs neither a database nor this service: only a folder.
    """


@witness.command()
@_folder
@click.option("--name", required=True, help="The name of the witness, such as witness.example.org.")
@click.option(
    "--log-key",
    required=True,
    type=TEXT_FILE,
    help="A file with the log's public key, from `audit key`, by another channel.",
)
def init(folder: Path, name: str, log_key: TextIO) -> None:
    """Create the folder of a new witness, and print the key by which auditors know it."""
    try:
        key = log_key.read().strip()
        parse_key(key)
        cosigner = Cosigner(name, secrets.token_bytes(32))
        folder.mkdir(mode=0o700, parents=True)
        (folder / LOG_KEY).write_text(f"{key}\n")
        (folder / PUBLIC_KEY).write_text(f"{cosigner.verifier_key()}\n")
        replace_private(folder / PRIVATE_KEY, f"{cosigner.private_key()}\n".encode())
    except ProofError as error:
        raise WitnessUnusable(f"The witness can't be created: {error}.") from error
    except OSError as error:
        raise WitnessUnusable(f"{folder} can't be created: {error.strerror}.") from error
    click.echo(cosigner.verifier_key())


@witness.command()
@_folder
def last(folder: Path) -> None:
    """Print the size of the checkpoint that was cosigned last; 0 before the first."""
    try:
        checkpoint = _witness(folder).last()
    except (ProofError, UnicodeDecodeError) as error:
        raise WitnessUnusable(f"{folder / LAST} can't be used: {error}.") from error
    click.echo(checkpoint.size if checkpoint else 0)


@witness.command()
@_folder
@click.argument("request", type=TEXT_FILE, default="-")
def cosign(folder: Path, request: TextIO) -> None:
    """Check that a checkpoint extends the last one, cosign it, and print it.

    REQUEST comes from `GET /api/v1/audit/witness-request?old=SIZE` or from `audit witness request`;
    default: standard input. Exit status 1: it is not cosigned, and why.
    """
    from interface.bootstrap import utc_now

    try:
        cosigned = _witness(folder).cosign(request.read(), now=utc_now())
    except (ProofError, UnicodeDecodeError) as error:
        click.echo(f"NOT COSIGNED: {error}.", err=True)
        sys.exit(1)
    click.echo(cosigned, nl=False)


@witness.command()
@click.option(
    "--old",
    default=0,
    show_default=True,
    type=click.IntRange(min=0),
    help="The size of the checkpoint that the witness cosigned last.",
)
@click.option("--security", "of_security_log", is_flag=True, help="Of the security log.")
def request(old: int, of_security_log: bool) -> None:
    """Print the request that asks a witness to cosign this installation's newest checkpoint."""
    from projections.evidence.witness_request import request_to_witness

    of = " of the security log" if of_security_log else ""
    with recorded_access(f"request to a witness{of}, from {old}") as services:
        newest = newest_checkpoint(services, of_security_log=of_security_log)
        asked = request_to_witness(services.database, old, newest, of_security_log=of_security_log)
    click.echo(asked, nl=False)


def _witness(folder: Path) -> Witness:
    try:
        cosigner = Cosigner.parse((folder / PRIVATE_KEY).read_text().strip())
        log_key = (folder / LOG_KEY).read_text().strip()
    except OSError as error:
        raise WitnessUnusable(
            f"{folder} is not the folder of a witness: {error.strerror}."
        ) from error
    except ProofError as error:
        raise WitnessUnusable(f"{folder / PRIVATE_KEY} can't be used: {error}.") from error
    return Witness(folder / LAST, cosigner, log_key)
