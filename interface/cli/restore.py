"""`admitone restore`: brings a backup back into an empty place."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZipFile

import click

from application.proofs.verifier import ProofError
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
@click.option(
    "--set-aside",
    "sets_aside",
    is_flag=True,
    help="Rename checkpoints that are newer than the backup: the log that they cover is lost.",
)
def restore(file: Path, accept_lost_keys: bool, sets_aside: bool) -> None:
    """Bring a backup back into an empty place.

    That is the database and the data folder that the settings name. Erases again whoever was
    forgotten, rebuilds the views, and verifies the log. A damaged file, a place that is not empty,
    keys that are in neither, and checkpoints that are newer than the backup and may be another
    database's are refused, and nothing is changed. Exit status 1: refused, ended, or the restored
    log is not as it was signed.
    """
    from application.backup import DAMAGED, BackupUnusable, Manifest
    from application.people.security_log import RESTORED
    from interface.reapplied_erasures import reapply_all

    settings = context.settings()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # which leaves nothing behind at first
    try:
        with ZipFile(file) as archive:
            manifest = Manifest.read(archive)
            is_older = _is_older_than_checkpoints(manifest, settings)
            if is_older and not (sets_aside or has_own_checkpoints(settings)):
                raise BackupUnusable(
                    f"{settings.checkpoints_folder} has checkpoints that are newer. To try a copy"
                    " out, set ADMITONE_DATA and ADMITONE_CHECKPOINTS to other folders. If the log"
                    " that they cover is lost, give --set-aside, which renames them. Nothing was"
                    " changed."
                )
            came = _bring_back(archive, manifest, settings, accept_lost_keys=accept_lost_keys)
    except (BackupUnusable, *DAMAGED) as error:
        why = str(error) if isinstance(error, BackupUnusable) else "It is no whole ZIP file."
        raise click.ClickException(f"{file} can't be restored. {why}") from error
    with _saying_what_is_left():
        for number in _ENDING:
            signal.signal(number, lambda *_: sys.exit(1))
        if came:
            sys.exit(1)
        events = manifest.tables["stored_events"].rows
        click.echo(
            f"The backup of {manifest.made_at[:16].replace('T', ' ')} UTC is in place:"
            f" {events:,} {'event' if events == 1 else 'events'}."
        )
        if is_older:
            _set_aside_newer_checkpoints()
        with context.services() as services:
            services.security_log.record(RESTORED, details={"made_at": manifest.made_at})
            done = reapply_all(services)
            rows = "row" if done.rows == 1 else "rows"
            click.echo(f"Erased {done.rows} {rows} of forgotten people.")
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


def has_own_checkpoints(settings: "Settings") -> bool:
    """Returns True if the checkpoints can be no other database's than the empty one's."""
    return settings.database_url is None and settings.checkpoints is None


def _is_older_than_checkpoints(manifest: "Manifest", settings: "Settings") -> bool:
    from projections.evidence import checkpoint_repair
    from projections.evidence.checkpoint_store import CheckpointStore

    events, entries = (
        table.rows if (table := manifest.tables.get(name)) else 0
        for name in ("stored_events", "security_log")
    )
    store = CheckpointStore(settings.checkpoints_folder)  # read by name, without the keys
    try:
        return checkpoint_repair.covers_more(store, events=events, entries=entries)
    except OSError as error:
        raise click.ClickException(f"{store.folder} can't be read: {error.strerror}.") from error


def _bring_back(
    archive: ZipFile, manifest: "Manifest", settings: "Settings", *, accept_lost_keys: bool
) -> list[int]:
    """Writes the files, then the tables. If the tables can't be restored, no file is left.

    Returns the signals that came during the commit. Later ones have no effect either, until the
    caller handles them.
    """
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
    return came


@contextmanager
def _saying_what_is_left() -> Iterator[None]:
    """Says what remains to be done if the block ends before its end, by whatever."""
    is_done = False
    try:
        yield
        is_done = True
    finally:
        if not is_done:
            click.echo(
                "The backup is in place, but the rest is not done. Before anybody uses the service,"
                " run `admitone audit checkpoints set-aside`, `admitone privacy reapply`,"
                " `admitone projections rebuild --all` and `admitone audit verify`, in this order.",
                err=True,
            )


def _set_aside_newer_checkpoints() -> None:
    """Sets aside checkpoints that cover more than the log, so that signing can go on.

    Has to run before anything is recorded, and nothing may be if it fails: afterwards the logs
    differ, and it would be refused.
    """
    from projections.evidence.checkpoint_repair import NotAsSigned

    try:
        set_aside_newer()
    except NotAsSigned as error:  # go on: people still have to be forgotten again
        click.echo(str(error), err=True)


def _verify(settings: "Settings") -> bool:
    """Says whether the log is as it was signed, and returns it."""
    from interface import key_store
    from interface.runtime import command_database
    from projections.evidence.log_verification import verify

    store = key_store.checkpoint_store(settings)
    try:
        checkpoints = store.all()
    except (ProofError, OSError) as error:
        click.echo(f"The checkpoints can't be used: {error}.")
        return False
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
