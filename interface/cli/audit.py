"""`admitone audit`: what happened, and the proof that nothing else did."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import click

from application import accesses
from application import audit as replays
from application.audit import AsOf, History
from application.mapper import JSONMapper
from application.proofs import ProofError, verify_checkpoint, verify_export
from domain.errors import AdmitOneError
from interface import exports, keys_kept
from interface.cli import session
from interface.cli.audit_report import report
from interface.cli.auditing import reading, signed_now
from interface.cli.progress import counted
from interface.heads import HeadsKept, NoHead
from interface.history_json import history_json
from interface.settings import Settings
from projections.verification import verify as verify_log


@click.group()
def audit() -> None:
    """What happened, and the proof that nothing else did."""


class _AsOf(click.ParamType[AsOf]):
    name = "time|position"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> AsOf:
        text = str(value)
        if text.isascii() and text.isdigit():
            return int(text)
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            self.fail(f"{text!r} is neither a time (RFC 3339) nor a position.", param, ctx)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@audit.command()
@click.argument("subject", metavar="ID", type=click.UUID)
@click.option("--as-of", type=_AsOf(), help="A time (UTC unless it says otherwise) or a position.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, as the API answers.")
def replay(subject: UUID, as_of: AsOf | None, as_json: bool) -> None:
    """Show the history of a link, booking, calendar or agenda, with the state after each event."""
    with reading(f"replay {subject} as of {as_of or 'now'}") as (services, conn):
        found = replays.replay(conn, subject, JSONMapper(), now=services.now(), as_of=as_of)
    if as_json:
        click.echo(json.dumps(history_json(found)))
    else:
        _tell(found)


def _tell(found: History) -> None:
    before: dict[str, dict[str, object]] = {}
    for step in found.steps:
        told = step.recorded
        click.echo(
            f"{told.position}  {told.recorded_at:%Y-%m-%d %H:%M:%S.%f} UTC  {told.topic}"
            f"  version {told.originator_version}  by {step.actor or 'nobody known'}"
        )
        if step.fault:
            click.echo(f"    can't be applied: {step.fault}")
        for name, value in step.data.items():
            click.echo(f"    {name}: {json.dumps(value, ensure_ascii=False)}")
        if step.commitment:
            typed = json.dumps(step.typed, ensure_ascii=False) if step.typed else "[forgotten]"
            click.echo(f"    typed ({step.commitment}): {typed}")
        for aggregate, state in step.state.items():
            old = before.get(aggregate, {})
            new = {name: value for name, value in state.items() if old.get(name) != value}
            if new:
                click.echo(f"  → {aggregate} {json.dumps(new, ensure_ascii=False)}")
        before = step.state


@audit.command()
@click.option(
    "--checkpoint",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A signed head that was kept elsewhere. Default: all in the checkpoints folder.",
)
@click.option("--key", "key_file", type=click.Path(exists=True, path_type=Path), help="Public key.")
def verify(file: Path | None, key_file: Path | None) -> None:
    """Compute every hash of the log anew. Exit 1 names the first position at fault."""
    with reading(f"verify against {file or 'all checkpoints'}") as (services, _):
        key = _public_key(services.settings, key_file)
        kept = HeadsKept(services.settings.heads_folder, key)
        try:
            heads = kept.all()
            leaves = kept.leaves()
            if file is not None:
                head = verify_checkpoint(file.read_text(), key)
                heads = [*(one for one in heads if one.size < head.size), head]
        except (ProofError, OSError) as error:
            raise Unproved(f"The kept heads can't be used: {error}.") from error
        if not heads:
            raise NoHead
        with session.server() as conninfo, counted("events") as report:
            found = verify_log(conninfo, heads, leaves, report=report)
    if found.fault is None:
        newest = heads[-1]
        click.echo(
            f"The log is as it was recorded: {found.events} events, {found.signed} of them under"
            f" {len(heads)} heads, the last signed at {newest.time:%Y-%m-%d %H:%M:%S} UTC."
        )
        return
    click.echo(f"NOT AS RECORDED: position {found.position}: {found.fault}.")
    sys.exit(1)


class Unproved(AdmitOneError):
    """It can't be proved."""


@audit.command()
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Default: print it.")
def checkpoint(out: Path | None) -> None:
    """Sign the log as it is, if anything is new, and give out the newest signed head."""
    with reading("checkpoint") as (services, conn):
        text, _ = signed_now(services, conn)
    if out is None:
        click.echo(text, nl=False)
    else:
        out.write_text(text)
        click.echo(f"Wrote {out}.")


@audit.command()
def key() -> None:
    """Print the public key with which heads are checked: give it to auditors by another way."""
    click.echo(keys_kept.signer(session.settings()).verifier_key())


@audit.command()
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--from", "first", type=click.IntRange(min=1), help="First position. Default: all.")
@click.option("--to", "last", type=click.IntRange(min=1), help="Last position.")
def export(out: Path, first: int | None, last: int | None) -> None:
    """Write events with their proofs, and beside them the signed head, as FILE.checkpoint."""
    with reading(f"export {first or 'start'} to {last or 'end'}") as (services, conn):
        text, head = signed_now(services, conn)
        with out.open("wb") as file:
            count = exports.write(conn, file, head, first=first, last=last)
    beside = out.with_name(f"{out.name}.checkpoint")
    beside.write_text(text)
    click.echo(f"Wrote {count} events to {out}, and the head that proves them to {beside}.")


@audit.command("verify-export")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--checkpoint", "head", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--key", "key_file", required=True, type=click.Path(exists=True, path_type=Path))
def verify_an_export(file: Path, head: Path, key_file: Path) -> None:
    """Check an export; needs no database. (application/proofs.py alone does the same.)"""
    try:
        with file.open("rb") as lines:
            signed, indices = verify_export(lines, head.read_text(), key_file.read_text().strip())
    except (ProofError, UnicodeDecodeError) as error:
        click.echo(f"NOT PROVED: {error}")
        sys.exit(1)
    click.echo(f"Proved: {len(indices)} events are in the tree of {signed.size}.")


@audit.command("accesses")
@click.option("--limit", default=100, type=click.IntRange(1, 10_000))
def list_accesses(limit: int) -> None:
    """List who read the audit, newest first."""
    with reading("accesses") as (services, _):
        for one in accesses.newest(services.database, limit=limit):
            click.echo(f"{one.at:%Y-%m-%d %H:%M:%S} UTC  {one.actor}  {one.what}")


def _public_key(settings: Settings, file: Path | None) -> str:
    if file is not None:
        return file.read_text().strip()
    return keys_kept.signer(settings).verifier_key()


audit.add_command(report)
