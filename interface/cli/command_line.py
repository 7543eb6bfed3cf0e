"""Finds the command that the arguments name, runs it, and prints a refusal as a sentence."""

import sys
from importlib import import_module

import click

from domain.errors import AdmitOneError, Invalid
from interface.settings import SettingsError

# Each is the name of a module here and of the command in it, with the first line of its help.
COMMANDS = {
    "accounts": "Manage accounts.",
    "audit": "Replay the log and prove that it is unchanged.",
    "backup": "Write everything that has to be kept into one file.",
    "deliveries": "Send, list and retry mails and messages to webhooks.",
    "doctor": "Say what is wrong with this installation, and what to do.",
    "health": "Check whether people can book now.",
    "keys": "Manage API keys.",
    "mail": "Check that mail goes out.",
    "mcp": "Give assistants tools for booking links (MCP).",
    "privacy": "Export and erase personal data.",
    "projections": "Watch, rebuild and verify the views.",
    "restore": "Bring a backup back into an empty place.",
    "schema": "Create and upgrade the database tables.",
    "secrets": "Exchange the keys that sign links and checkpoints.",
    "serve": "Run the whole service until Ctrl-C.",
}


class _Commands(click.Group):
    """Imports a command only when it is run, because importing takes most of the time."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"interface.cli.{cmd_name}"), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _print_version(ctx: click.Context, param: click.Parameter, is_asked: bool) -> None:
    if is_asked:
        from interface.version import version

        click.echo(f"admitone {version()}")
        ctx.exit()


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version and exit.",
)
def commands() -> None:
    """Single-use booking links with a ledger."""


def main() -> None:
    """Runs a command. A refusal is printed as one sentence, and the exit status is 1."""
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
