"""The `admitone` command."""

import sys
from importlib import import_module

import click

from domain.errors import AdmitOneError, Invalid
from interface.settings import SettingsError
from interface.version import version

# Each is the name of a module here and of the command in it.
COMMANDS = ("accounts", "audit", "health", "keys", "privacy", "projections", "schema", "serve")


class _Commands(click.Group):
    """Loads what a command needs when it is asked for: that takes longest of all."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"interface.cli.{cmd_name}"), cmd_name)
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version(), prog_name="admitone", message="%(prog)s %(version)s")
def commands() -> None:
    """Single-use booking links with a ledger."""


def main() -> None:
    """Run a command; what it refuses is one clear sentence and exit status 1."""
    try:
        "".join(sys.argv).encode()
    except UnicodeEncodeError:
        click.echo("Arguments must be UTF-8.", err=True)
        sys.exit(2)
    try:
        commands(prog_name="admitone")
    except Invalid as refusal:
        for field, sentences in refusal.errors.items():
            click.echo(f"{field}: {' '.join(sentences)}", err=True)
        sys.exit(1)
    except (AdmitOneError, SettingsError) as refusal:
        click.echo(str(refusal), err=True)
        sys.exit(1)
