"""The fingerprint of the code that makes a view.

A rebuild is resumed only by the code that began it: other code may make other rows of the same
events, or keep them in other columns.
"""

from functools import cache
from hashlib import sha256
from pathlib import Path

from projections.engine.projection import Projection

_CODE = ("domain", "application", "projections")
_ROOT = Path(__file__).parents[2]


def fingerprint(projection: Projection) -> str:
    """Returns a hash of the columns of a view and of all code that its rows may depend on."""
    digest = sha256(_hash_of_code())
    for each in type(projection).__mro__:
        digest.update(f"{each.__module__} {each.__qualname__}\n".encode())
    for table in projection.tables:
        digest.update(f"{table.name} {list(table.columns.items())}\n".encode())
    return digest.hexdigest()


@cache
def _hash_of_code() -> bytes:
    digest = sha256()
    for name in _CODE:
        for file in sorted((_ROOT / name).rglob("*.py")):
            digest.update(f"{file.relative_to(_ROOT).as_posix()}\n".encode())
            digest.update(file.read_bytes())
    return digest.digest()
