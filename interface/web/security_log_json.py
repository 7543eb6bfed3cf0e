"""Entries of the security log as JSON, the same from the API and on the command line."""

from typing import Any

from application.people.security_log import Entry
from interface.web.fields import in_utc


def entry_json(entry: Entry) -> dict[str, Any]:
    """Returns an entry as JSON-able data."""
    return {
        "position": entry.position,
        "at": in_utc(entry.at),
        "kind": entry.kind,
        "actor": entry.actor,
        "account_id": entry.account_id and str(entry.account_id),
        "details": entry.details,
        "addresses": entry.addresses,
        "commitment": entry.commitment,
        "leaf_hash": entry.leaf().hex(),
    }
