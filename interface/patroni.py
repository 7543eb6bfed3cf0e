"""Asks Patroni which PostgreSQL host is the primary."""

import json
from collections.abc import Sequence
from functools import partial
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

from application.eventstore.hosts import Address, FindPrimary, Hosts

SECONDS = 0.5  # for each answer
_LEADS = ("leader", "primary", "master", "standby_leader")
"""The roles of the primary, by the names of Patroni's versions."""


def finder(urls: Sequence[str]) -> FindPrimary | None:
    """Returns what asks for the primary at these addresses of Patroni; None if there are none."""
    return partial(primary, urls) if urls else None


def hosts(conninfo: str, urls: Sequence[str]) -> Hosts:
    """Returns the hosts that a connection string names. The primary is asked for at `urls`."""
    return Hosts(conninfo, finder(urls))


def primary(urls: Sequence[str]) -> Address | None:
    """Returns the primary by its host and port; None if no node says that it is one.

    A node answers for itself: one whose Patroni was killed is silent, and one that has lost the
    lock in the cluster's store says so.
    """
    for url in urls:
        if _answer(url, "/primary") is not None:
            found = _leader(_answer(url, "/cluster"))
            if found is not None:
                return found
    return None


def answers(url: str) -> bool:
    """Returns whether a Patroni is there, whatever its role."""
    return _answer(url, "/cluster") is not None


def _leader(cluster: object) -> Address | None:
    members = cluster.get("members") if isinstance(cluster, dict) else None
    for member in members if isinstance(members, list) else ():
        if isinstance(member, dict) and member.get("role") in _LEADS and member.get("host"):
            return Address(str(member["host"]), str(member.get("port", 5432)))
    return None


def _answer(url: str, path: str) -> object | None:
    """Returns the JSON of an answer with the status 200; None for any other, or for none."""
    address = urlsplit(url)
    kind = HTTPSConnection if address.scheme == "https" else HTTPConnection
    connection = kind(address.hostname or "", address.port or 8008, timeout=SECONDS)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read(1 << 20)
        return json.loads(body) if response.status == 200 else None
    except (OSError, HTTPException, ValueError):
        return None
    finally:
        connection.close()
