"""The outcomes of commands that many people give at once."""

from collections.abc import Callable

from domain.errors import AdmitOneError

MANY = 12


def outcome(command: Callable[[], object]) -> Callable[[], str]:
    """Returns the command, answering "done" or the name of the refusal."""

    def run() -> str:
        try:
            command()
        except AdmitOneError as refusal:
            return type(refusal).__name__
        return "done"

    return run
