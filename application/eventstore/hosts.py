"""Chooses the host of a database that the next connection tries first.

A connection string may name several hosts; libpq takes the first one that says it takes writes. A
former primary whose cluster manager was killed still says so, and never commits: a host that left
a commit without an answer is therefore tried last for a while, and its connections are given up.
Where the cluster manager can be asked, the host that it names is tried first; processes that work
for days on one connection follow it.
"""

from collections.abc import Callable
from threading import Lock
from time import monotonic
from typing import Any, NamedTuple

from psycopg import Connection
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq.abc import PGconn

AVOIDED_SECONDS = 60.0
ASKED_SECONDS = 1.0  # how long the primary that was named is believed


class Address(NamedTuple):
    """The address of a server: a name, IP address or folder of sockets, and the port."""

    host: str
    port: str


FindPrimary = Callable[[], Address | None]
"""Asks which host is the primary. None: nobody knows. Must answer within a second or two."""


class Hosts:
    """The hosts that a connection string names, in the order in which to try them now."""

    def __init__(self, conninfo: str, find_primary: FindPrimary | None = None) -> None:
        self._conninfo = conninfo
        self._parts = conninfo_to_dict(conninfo)
        self._each = _addresses(self._parts)
        self._find_primary = find_primary
        self._asking = Lock()
        self._asked_at = float("-inf")
        self._primary: Address | None = None
        self._avoided: dict[Address, float] = {}

    @classmethod
    def of(cls, where: "str | Hosts") -> "Hosts":
        """Returns the hosts that a connection string names; or those that are given."""
        return where if isinstance(where, Hosts) else cls(where)

    def conninfo(self) -> str:
        """Returns the connection string, with the hosts in the best order."""
        if len(self._each) < 2:
            return self._conninfo
        primary = self._named_primary()
        now = monotonic()

        def rank(place: int) -> tuple[bool, bool]:
            names = _names(self._each[place])
            is_avoided = any(now < self._avoided.get(name, 0) + AVOIDED_SECONDS for name in names)
            return primary not in names, is_avoided

        order = sorted(range(len(self._each)), key=rank)
        lists = {
            name: ",".join(self._each[place][name] for place in order)
            for name in ("host", "hostaddr", "port")
            if name in self._parts
        }
        return make_conninfo("", **(self._parts | lists))

    def names(self, address: Address) -> bool:
        """Returns True if the connection string names this host."""
        return any(address in _names(each) for each in self._each)

    def avoid(self, address: Address) -> None:
        """Tries the host last from now on, for a minute, if there are others."""
        if len(self._each) > 1:
            self._avoided[address] = monotonic()
            self._asked_at = float("-inf")

    def follow(self, primary: Address) -> None:
        """Leaves all hosts but the primary, with their connections, if it is one of them."""
        if self.names(primary):
            now = monotonic()
            with self._asking:
                self._primary, self._asked_at = primary, now
            for each in self._each:
                if primary not in _names(each):
                    self._avoided |= dict.fromkeys(_names(each), now)

    def has_left(self, conn: Connection[Any], since: float) -> bool:
        """Returns True if the host of a connection was avoided after `since`."""
        return bool(self._avoided) and self.was_left(address_of(conn.pgconn), since)

    def was_left(self, address: Address, since: float) -> bool:
        """Returns True if the host was avoided after `since`, when a connection was opened."""
        return bool(self._avoided) and self._avoided.get(address, since) > since

    def _named_primary(self) -> Address | None:
        if self._find_primary is None:
            return None
        with self._asking:
            if monotonic() > self._asked_at + ASKED_SECONDS:
                self._primary = self._find_primary()
                self._asked_at = monotonic()
            return self._primary


def address_of(pgconn: PGconn) -> Address:
    """Returns where a connection leads, by the name in its connection string."""
    return Address(pgconn.host.decode(), pgconn.port.decode())


def _addresses(parts: dict[str, str | int | None]) -> list[dict[str, str]]:
    """Returns the host, its address and its port for each host."""
    columns = {name: str(parts.get(name) or "").split(",") for name in ("host", "hostaddr", "port")}
    count = max(len(columns["host"]), len(columns["hostaddr"]))
    return [
        {name: values[place] if len(values) > 1 else values[0] for name, values in columns.items()}
        for place in range(count)
    ]


def _names(each: dict[str, str]) -> list[Address]:
    port = each["port"] or "5432"
    return [Address(each[name], port) for name in ("host", "hostaddr") if each[name]]
