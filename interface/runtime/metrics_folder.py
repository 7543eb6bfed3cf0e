"""The folder in which the processes of the service count, for its metrics.

They map its files into memory. On a disk without room, a process that counts something new would
be ended by SIGBUS: so these files are kept in memory, where the machine has a place for that.
"""

import hashlib
import os
import shutil
import stat
from contextlib import suppress
from pathlib import Path

from interface.private_files import make_private
from interface.settings import Settings, SettingsError

IN_MEMORY = Path("/dev/shm")  # noqa: S108 - of Linux; everybody may write there, see below


def empty_metrics_folder(settings: Settings) -> Path:
    """Creates the folder, or empties what an earlier service left of it. Raises `SettingsError`.

    Nobody else can be counting there, because this process holds the port.
    """
    folder = metrics_folder(settings.data, settings.port)
    with suppress(OSError):
        return _empty(folder)
    folder = settings.data / "metrics" / str(settings.port)
    try:
        make_private(folder.parent)
        return _empty(folder)
    except OSError as error:
        raise SettingsError(f"Metrics can't be stored in {folder}: {error.strerror}.") from error


def metrics_folder(data: Path, port: int) -> Path:
    """Returns where the folder of a service is, as long as nobody else has taken its name."""
    if not IN_MEMORY.is_dir():
        return data / "metrics" / str(port)
    name = hashlib.sha256(os.fsencode(data.resolve())).hexdigest()[:16]
    return IN_MEMORY / f"admitone-{name}-{port}"


def _empty(folder: Path) -> Path:
    with suppress(FileNotFoundError):
        if stat.S_ISDIR(folder.lstat().st_mode):
            shutil.rmtree(folder)
    folder.mkdir(mode=0o700)  # fails if there is anything else of this name
    return folder
