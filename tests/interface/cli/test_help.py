"""What `admitone --help` and `admitone --version` print, and how little they load for it."""

import subprocess
import sys

import click
import pytest

from interface.cli import COMMANDS, commands
from interface.version import version
from tests.support.command_line import Command


def command(name: str) -> click.Command:
    found = commands.get_command(click.Context(commands), name)
    assert found is not None
    return found


@pytest.mark.parametrize("name", COMMANDS)
def test_the_overview_says_of_a_command_what_its_own_help_says(run: Command, name: str) -> None:
    assert (command(name).help or "").splitlines()[0] == COMMANDS[name]
    assert COMMANDS[name] in run("--help").out


def test_every_command_and_option_has_a_help_text() -> None:
    def without_help(found: click.Command, path: str) -> list[str]:
        missing = [] if found.help else [path]
        missing += [
            f"{path} {option.name}"
            for option in found.params
            if isinstance(option, click.Option) and not option.help
        ]
        if isinstance(found, click.Group):
            for name, inner in found.commands.items():
                missing += without_help(inner, f"{path} {name}")
        return missing

    assert [gap for name in COMMANDS for gap in without_help(command(name), name)] == []


def test_the_version_is_printed(run: Command) -> None:
    assert run("--version") == (0, f"admitone {version()}\n", "")


@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_neither_loads_what_only_a_command_needs(argument: str) -> None:
    script = (
        "import sys, interface.cli as cli\n"
        "try: cli.main()\n"
        "finally: print(sorted({'flask', 'psycopg', 'marshmallow'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, argument], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
