"""Fresh Debian systems in folders, in which the steps of a stage are run by chroot."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.container.containerfile import NEED_NOTHING, Stage

CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
_OURS = Path("etc/certificates-of-this-machine.pem")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# In namespaces of its own, so that mounts and processes end with it.
_ISOLATED = ("unshare", "--mount", "--pid", "--fork", "--kill-child")
_ENTER = """
mount -t proc proc "$1/proc" && mount -t tmpfs tmpfs "$1/dev/shm" || exit 1
root=$1; user=$2; shift 2
exec chroot --userspec="$user" "$root" "$@"
"""


class Root:
    """A root folder, with the variables and the user that its steps have set."""

    def __init__(self, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.user = "root"
        self.environment = dict(environment or {})

    def command(self, *words: str) -> list[str]:
        """Returns the command line that runs these words inside, with the variables of inside."""
        entering = ["/bin/sh", "-c", _ENTER, "sh", str(self.folder), self.user]
        variables = [f"{name}={value}" for name, value in self.variables().items()]
        return [*_ISOLATED, *entering, "env", "-i", *variables, *words]

    def variables(self) -> dict[str, str]:
        """Returns the environment inside: this machine's only for its certificates."""
        ours = {}
        if (self.folder / _OURS).exists():
            ours = {"PIP_CERT": f"/{_OURS}", "SSL_CERT_FILE": f"/{_OURS}"}
        return {"PATH": _PATH, "DEBIAN_FRONTEND": "noninteractive", **ours, **self.environment}

    def run(self, *words: str) -> None:
        """Runs a command inside. Raises `CalledProcessError`."""
        subprocess.run(self.command(*words), check=True)


def debian(folder: Path, base: str) -> None:
    """Creates a Debian like an image's base, such as `debian:bookworm-slim`, from its packages."""
    suite = base.removeprefix("debian:").removesuffix("-slim")
    subprocess.run(["debootstrap", "--variant=minbase", suite, str(folder)], check=True)
    # Packages come through the same resolver and, at a proxy, with the same certificates.
    shutil.copy("/etc/resolv.conf", folder / "etc" / "resolv.conf")
    if CERTIFICATES.exists():
        shutil.copy(CERTIFICATES, folder / _OURS)


def build(stages: Sequence[Stage], context: Path, work: Path) -> Root:
    """Runs the steps of all stages, and returns the root of the last one."""
    made: dict[str | None, Root] = {}
    bases: dict[str, Path] = {}
    root = Root(work)
    for number, stage in enumerate(stages):
        if stage.base not in bases:
            bases[stage.base] = work / f"base-{len(bases)}"
            debian(bases[stage.base], stage.base)
        root = made[stage.name] = Root(work / f"stage-{number}")
        subprocess.run(["cp", "-a", str(bases[stage.base]), str(root.folder)], check=True)
        for step in stage.steps:
            match step.instruction:
                case "RUN":
                    root.run("/bin/sh", "-c", step.rest)
                case "COPY":
                    _copy(step.rest.split(), root, context, made)
                case "ENV":
                    root.environment = stage.environment()
                case "USER":
                    root.user = step.rest
                case "HEALTHCHECK" | "ENTRYPOINT" | "CMD":
                    pass
                case other if other not in NEED_NOTHING:
                    raise ValueError(f"{other} is not known here")
    return root


def _copy(words: Sequence[str], root: Root, context: Path, made: Mapping[str | None, Root]) -> None:
    *options, source, target = words
    destination = root.folder / target.lstrip("/")
    destination.parent.mkdir(parents=True, exist_ok=True)
    stages = [option.removeprefix("--from=") for option in options]
    if stages:
        subprocess.run(
            ["cp", "-a", str(made[stages[0]].folder / source.lstrip("/")), str(destination)],
            check=True,
        )
    elif source == ".":
        for name in _files(context):
            file = destination / name
            file.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(context / name, file)
    else:
        shutil.copy(context / source, destination)


def _files(context: Path) -> list[str]:
    """Returns the files of a checkout, which are those that an engine would be given."""
    listed = subprocess.run(
        ["git", "-C", str(context), "ls-files", "-z"], check=True, capture_output=True, text=True
    )
    return [name for name in listed.stdout.split("\0") if name and os.path.isfile(context / name)]
