"""`admitone backup`: writes everything that has to be kept into one file."""

import signal
import sys
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path
from typing import BinaryIO
from zipfile import ZIP_DEFLATED, ZipFile

import click

from interface.cli import context
from interface.private_files import create_private

QUICKEST = 1  # of the levels of compression: higher ones take far longer for a tenth less


@click.command()
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--without-keys", is_flag=True, help="Leave the secret keys and the audit key out.")
def backup(file: Path, without_keys: bool) -> None:
    """Write everything that has to be kept into one file.

    That is the log, personal data, accounts, keys and checkpoints. FILE must not exist yet; - is
    standard output. The service may run meanwhile. Whoever has the file can read everything and,
    unless the keys are left out, make links: store it like a password. `admitone restore` reads it
    back.
    """
    from application import backup as tables
    from application.eventstore.connection import connect
    from application.people import security_log
    from interface import backup_files, bootstrap
    from interface.runtime import command_database
    from interface.version import version

    settings = context.settings()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # which leaves no half of a file behind
    to_standard_output = str(file) == "-"
    target: AbstractContextManager[BinaryIO] = (
        nullcontext(sys.stdout.buffer) if to_standard_output else create_private(file)
    )
    with (
        command_database.unchanged(settings) as conninfo,
        closing(connect(conninfo, application_name="admitone backup")) as conn,
    ):
        try:
            if not to_standard_output and file.exists():
                raise FileExistsError
            with (
                target as stream,
                ZipFile(stream, "w", ZIP_DEFLATED, compresslevel=QUICKEST) as archive,
            ):
                # Before the tables, so that none of them is ahead of the log.
                backup_files.write_checkpoints(archive, settings.checkpoints_folder)
                if not without_keys:
                    backup_files.write_keys(archive, settings)
                manifest = tables.write(conn, archive, version())
                archive.writestr(tables.MANIFEST, manifest.to_json())
        except FileExistsError:
            raise click.ClickException(f"{file} exists already.") from None
        except OSError as error:
            raise click.ClickException(f"{file} can't be written: {error.strerror}.") from error
        if not bootstrap.missing_tables(conn):
            with security_log.acting(context.origin):
                details = {"keys": "left out" if without_keys else "included"}
                security_log.record(conn, security_log.BACKED_UP, details=details)
    events = manifest.tables["stored_events"].rows
    keys = "without the keys" if without_keys else "with the keys"
    click.echo(
        f"Backed up: {events:,} {'event' if events == 1 else 'events'}, {keys}.",
        err=to_standard_output,
    )
