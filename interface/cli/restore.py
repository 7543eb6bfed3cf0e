"""`admitone restore`: brings a backup back into an empty place."""

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn
from zipfile import ZipFile

import click

from domain.errors import AdmitOneError
from interface.cli import context
from interface.cli.checkpoints import set_aside_newer
from interface.cli.projections import rebuild_views
from interface.database_roles import DatabaseRole

if TYPE_CHECKING:
    from application.backup import Manifest
    from interface.settings import Settings

_ENDING = (signal.SIGINT, signal.SIGTERM)


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--accept-lost-keys",
    is_flag=True,
    help="Go on without keys that the backup lacks too: what they signed no longer works.",
)
def restore(file: Path, accept_lost_keys: bool) -> None:
    """Bring a backup back into an empty place.

    That is the database and the data folder that the settings name. Sets aside checkpoints that are
    newer than the backup, erases again whoever was forgotten, rebuilds the views, and verifies the
    log. A damaged file, a place that is not empty, and keys that are in neither are refused, and
    nothing is changed. Exit status 1: refused, ended, or the restored log is not as it was signed.
    """
    from application.backup import DAMAGED, BackupUnusable, Manifest
    from application.people.security_log import RESTORED
    from interface.reapplied_erasures import reapply_all

    settings = context.settings()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # which leaves nothing behind at first
    try:
        with ZipFile(file) as archive:
            manifest = Manifest.read(archive)
            _bring_back(archive, manifest, settings, accept_lost_keys=accept_lost_keys)
    except (BackupUnusable, *DAMAGED) as error:
        why = str(error) if isinstance(error, BackupUnusable) else "It is no whole ZIP file."
        raise click.ClickException(f"{file} can't be restored. {why}") from error
    events = manifest.tables["stored_events"].rows
    click.echo(
        f"The backup of {manifest.made_at[:16].replace('T', ' ')} UTC is in place:"
        f" {events:,} {'event' if events == 1 else 'events'}."
    )
    _set_aside_newer_checkpoints()
    with context.services() as services:
        services.security_log.record(RESTORED, details={"made_at": manifest.made_at})
        done = reapply_all(services)
        click.echo(f"Erased {done.rows} {'row' if done.rows == 1 else 'rows'} of forgotten people.")
        for sentence in done.sentences():
            click.echo(sentence)
        due = sum(channel.due for channel in services.deliveries.backlog(now=services.now()))
    rebuilt = rebuild_views()
    click.echo(f"{len(rebuilt)} views are rebuilt.")
    is_sound = _verify(settings)
    if due:
        click.echo(
            f"{due} {'message is' if due == 1 else 'messages are'} due, and sent once the service"
            " is started. To try a copy out, start it without ADMITONE_SMTP_URL and without a way"
            " to the internet."
        )
    if not is_sound:
        sys.exit(1)


def _bring_back(
    archive: ZipFile, manifest: "Manifest", settings: "Settings", *, accept_lost_keys: bool
) -> None:
    """Writes the files, then the tables. If the tables can't be restored, no file is left."""
    from interface import backup_files, bootstrap
    from interface.runtime import command_database

    came: list[int] = []

    def only_notice() -> None:
        """Lets no signal part the files from the tables, which are about to be committed."""
        for number in _ENDING:
            signal.signal(number, lambda received, _: came.append(received))

    missing = backup_files.plan(archive, settings)
    with command_database.to_be_filled(settings) as conninfo:
        try:
            backup_files.write_planned(missing, settings)
            bootstrap.restore_tables(
                conninfo,
                archive,
                manifest,
                settings,
                accept_lost_keys=accept_lost_keys,
                before_commit=only_notice,
            )
        except BaseException:
            for path in missing:
                path.unlink(missing_ok=True)
            raise
    for number in _ENDING:
        signal.signal(number, _end_unfinished)
    if came:
        _end_unfinished()


def _end_unfinished(*_: object) -> NoReturn:
    click.echo(
        "The backup is in place, but the rest is not done. Before anybody uses the service, run"
        " `admitone audit checkpoints set-aside`, `admitone privacy reapply`,"
        " `admitone projections rebuild --all` and `admitone audit verify`.",
        err=True,
    )
    sys.exit(1)


def _set_aside_newer_checkpoints() -> None:
    """Sets aside checkpoints that cover more than the log, so that signing can go on.

    Has to run before anything is recorded: afterwards the logs differ, and it would be refused.
    """
    from projections.evidence import checkpoint_repair

    with context.services(DatabaseRole.AUDITOR) as services, services.database.connection() as conn:
        is_log_behind = checkpoint_repair.is_log_behind(conn, services.checkpoint_store())
    if is_log_behind:
        try:
            set_aside_newer()
        except AdmitOneError as error:  # go on: people still have to be forgotten again
            click.echo(str(error), err=True)


def _verify(settings: "Settings") -> bool:
    """Says whether the log is as it was signed, and returns it."""
    from interface import key_store
    from interface.runtime import command_database
    from projections.evidence.log_verification import verify

    store = key_store.checkpoint_store(settings)
    checkpoints = store.all()
    if not checkpoints:
        click.echo("There are no checkpoints, so nothing shows whether the log is as it was.")
        return True
    with command_database.server(settings, DatabaseRole.AUDITOR) as conninfo:
        verdict = verify(conninfo, checkpoints, store.leaves())
    if verdict.fault is not None:
        click.echo(f"NOT AS RECORDED: position {verdict.position}: {verdict.fault}.")
        return False
    click.echo(
        f"The log is as it was recorded: {verdict.events} events, {verdict.signed} of them covered"
        f" by {len(checkpoints)} checkpoints."
    )
    return True
