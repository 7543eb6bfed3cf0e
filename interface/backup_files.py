"""The files of a backup beside the tables: the keys of the installation, and its checkpoints."""

from pathlib import Path, PurePosixPath
from zipfile import ZipFile

from application.backup import BackupUnusable
from interface import key_store
from interface.private_files import create_private, make_private
from interface.settings import PREFIX, Settings

_KEYS = "keys/"
_CHECKPOINTS = "checkpoints/"


def write_keys(archive: ZipFile, settings: Settings) -> None:
    """Adds the keys that there are."""
    for kind, keys in key_store.existing_keys(settings).items():
        if keys:
            archive.writestr(_KEYS + key_store.FILES[kind], "".join(f"{key}\n" for key in keys))


def write_checkpoints(archive: ZipFile, folder: Path) -> None:
    """Adds the signed checkpoints, and the leaves under each."""
    for file in sorted(folder.rglob("*")):
        if file.is_file() and not file.name.startswith("."):
            archive.write(file, _CHECKPOINTS + file.relative_to(folder).as_posix())


def plan(archive: ZipFile, settings: Settings) -> dict[Path, bytes]:
    """Returns the files of a backup that are not in place yet.

    Raises `BackupUnusable` if another file is there, or the settings name other keys.
    """
    missing = {}
    for path, text in _files(archive, settings).items():
        if not path.exists():
            missing[path] = text
        elif path.read_bytes().strip() != text.strip():
            raise BackupUnusable(
                f"{path} is another one than in the backup: choose an empty data folder."
            )
    return missing


def write_planned(files: dict[Path, bytes], settings: Settings) -> None:
    """Writes the files, of mode 0600, each wholly or not at all."""
    make_private(settings.data, except_for=settings.embedded_database)
    for path, text in files.items():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with create_private(path) as file:
            file.write(text)


def _files(archive: ZipFile, settings: Settings) -> dict[Path, bytes]:
    configured = {
        name: key_store.configured(settings, kind) for kind, name in key_store.FILES.items()
    }
    files = {}
    for member in archive.namelist():
        folder, _, name = member.partition("/")
        if folder + "/" == _CHECKPOINTS:
            files[settings.checkpoints_folder / _relative(name)] = archive.read(member)
        elif folder + "/" == _KEYS:
            text = archive.read(member)
            if not configured.get(name):
                files[settings.data / _relative(name)] = text
            elif not set(text.decode().split()) <= set(configured[name]):
                raise BackupUnusable(
                    f"{PREFIX}{name.upper()} has not the keys of the backup, without which links"
                    " that were sent don't work: add them, or unset it."
                )
    return files


def _relative(name: str) -> Path:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise BackupUnusable("It is no backup of Admit One.")
    return Path(path)
