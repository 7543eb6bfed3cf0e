"""The `admitone` command."""

import sys

import click

from domain.errors import AdmitOneError, Invalid
from interface.cli import accounts, keys, projections, schema, serve
from interface.settings import SettingsError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def commands() -> None:
    """Single-use booking links with a ledger."""


for command in (
    serve.serve,
    serve.health,
    schema.schema,
    accounts.accounts,
    keys.keys,
    projections.projections,
):
    commands.add_command(command)


def main() -> None:
    """Run a command; what it refuses is one clear sentence and exit status 1."""
    try:
        commands(prog_name="admitone")
    except Invalid as refusal:
        for field, sentences in refusal.errors.items():
            click.echo(f"{field}: {' '.join(sentences)}", err=True)
        sys.exit(1)
    except (AdmitOneError, SettingsError) as refusal:
        click.echo(str(refusal), err=True)
        sys.exit(1)
