"""Leaves the processor to other processes of the service."""

import os
from contextlib import suppress
from pathlib import Path

NICENESS = 10
_AUTOGROUP = Path("/proc/self/autogroup")


def take() -> None:
    """Gives this process a tenth of the time of another one that wants the same processor.

    Linux may share a processor among sessions first, and then the niceness of a process counts
    only within its own. So that of the session is set as well, where there is one.
    """
    os.nice(NICENESS)
    with suppress(OSError):
        _AUTOGROUP.write_text(str(NICENESS))
