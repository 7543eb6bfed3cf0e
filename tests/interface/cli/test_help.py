"""What `admitone --help` and `admitone --version` print, and how little commands load."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from interface.cli.command_line import COMMANDS, commands
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


def loaded_by(*commands: list[str], of: set[str], **settings: str) -> str:
    """Runs commands in one new process and returns which of the packages it has then loaded."""
    script = (
        "import sys\n"
        "from interface.cli.command_line import commands\n"
        f"for arguments in {commands!r}:\n"
        "    try: commands(arguments, prog_name='admitone')\n"
        "    except SystemExit as end: assert not end.code, arguments\n"
        f"print(sorted({of!r} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | settings,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()[-1]


def test_help_and_the_version_load_nothing_that_only_a_command_needs() -> None:
    helps = [[name, "--help"] for name in COMMANDS]
    slow = {"babel", "eventsourcing", "flask", "granian", "marshmallow", "psycopg", "rich"}
    assert loaded_by(["--version"], ["--help"], *helps, of=slow) == "[]"


def test_plain_commands_load_neither_the_web_application_nor_progress_bars(
    new_database: Callable[[], str], tmp_path: Path
) -> None:
    plain = (
        ["schema", "apply"],
        ["accounts", "create", "ada@example.org"],
        ["keys", "list"],
        ["deliveries", "list"],
        ["projections", "status"],
        ["privacy", "retention"],
        ["audit", "accesses"],
    )
    slow = {
        *("babel", "email_validator", "flask", "granian"),
        *("icalendar", "jinja2", "marshmallow", "rich"),
    }
    settings = {"ADMITONE_DATABASE_URL": new_database(), "ADMITONE_DATA": str(tmp_path)}
    assert loaded_by(*plain, of=slow, **settings) == "[]"
