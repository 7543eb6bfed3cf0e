"""Runs the `admitone` command. Ctrl-C ends it without a word, even while its modules load."""

import signal
import sys

from interface.loading import without_garbage_collection

INTERRUPTED = 130
"""The exit status that shells report for a program that SIGINT ended."""


def main() -> None:
    """Runs the command that the arguments name."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not ignored, as nohup does
        signal.signal(signal.SIGINT, lambda *_: sys.exit(INTERRUPTED))
    with without_garbage_collection():
        from interface.cli import command_line  # slow, so Ctrl-C must work before

    command_line.main()


if __name__ == "__main__":
    main()
