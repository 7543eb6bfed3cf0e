"""The figures of the drills, printed at once and again at the end."""

import sys

measured: list[str] = []
"""All that has been said, in order."""


def say(text: str) -> None:
    """Prints some lines of figures, and keeps them for the end of the run."""
    measured.append(text)
    sys.stdout.write(f"\n{text}\n")
