"""One of the hosts of the database, and the addresses and ports of all of them."""

import json
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

NODES = (1, 2, 3)
DATABASE = "admitone"
PASSWORD = "replace-this"  # noqa: S105 - the one of the template
POSTGRES, REST, ETCD, ETCD_PEERS, BALANCED, POOLED = 5432, 8008, 2379, 2380, 5000, 6432


@dataclass
class Node:
    """One host of the database."""

    number: int
    name: str
    outside: str
    """The address at which others reach it, through its wire."""
    inside: str
    """The address at which it listens."""
    folder: Path
    patroni: int = 0
    wire: int = 0

    def answers(self, path: str) -> bool:
        """Returns True if its Patroni answers 200, asked without the wire."""
        connection = HTTPConnection(self.inside, REST, timeout=2)
        try:
            connection.request("GET", path)
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()

    def status(self) -> dict[str, Any]:
        """Returns what its Patroni says about it, asked without the wire."""
        connection = HTTPConnection(self.inside, REST, timeout=2)
        try:
            connection.request("GET", "/patroni")
            found: dict[str, Any] = json.loads(connection.getresponse().read())
        except (OSError, HTTPException):
            return {}
        finally:
            connection.close()
        return found

    def takes_writes(self) -> bool:
        """Returns True if its PostgreSQL says that it does."""
        with psycopg.connect(self.conninfo()) as conn:
            return not conn.execute("SELECT pg_is_in_recovery()").fetchall()[0][0]

    def conninfo(self, database: str = "postgres", user: str = "postgres") -> str:
        """Returns the address of its PostgreSQL, without the wire."""
        return make_conninfo(
            host=self.inside, dbname=database, user=user, password=PASSWORD, connect_timeout=2
        )
