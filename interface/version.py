"""The version of Admit One that is running."""

import tomllib
from functools import cache
from importlib import metadata
from pathlib import Path

DISTRIBUTION = "admitone"
PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"


@cache
def version() -> str:
    """Returns the version, for example `0.2.0`.

    An installed wheel has it in its metadata. A checkout, which runs without being installed, has
    it in pyproject.toml.
    """
    try:
        return metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        pyproject = tomllib.loads(PYPROJECT.read_text("utf-8"))
        in_pyproject: str = pyproject["project"]["version"]
        return in_pyproject
