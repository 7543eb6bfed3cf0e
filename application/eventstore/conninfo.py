"""Checks connection strings for PostgreSQL, and adds time-outs to them."""

from typing import Any

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict, make_conninfo

_DEFAULTS: dict[str, str | int] = {
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 2,
    "tcp_user_timeout": 5000,
    "connect_timeout": 3,
}


class InvalidConninfo(ValueError):
    """A connection string that can't be used. It is not quoted: it may hold a password."""


def check(conninfo: str) -> None:
    """Checks a connection string.

    Raises `InvalidConninfo`, whose message goes on after the name of a setting: "must be …".
    """
    try:
        parts = conninfo_to_dict(conninfo)
    except ProgrammingError:
        raise InvalidConninfo(
            "must be a postgresql:// address or libpq's key=value pairs"
        ) from None
    if "@" in str(parts.get("host", "")):
        raise InvalidConninfo("must have each @ of a password written as %40")


def with_defaults(conninfo: str, *, application_name: str) -> str:
    """Returns the connection string with time-outs that notice a silent network in seconds.

    One that names several hosts leads to the first that takes writes. What the string sets itself
    is left as it is.
    """
    defaults = {**_DEFAULTS, "application_name": application_name}
    return _leading_to("read-write", conninfo, **defaults)


def to_standby(conninfo: str) -> str:
    """Returns the connection string; one that names several hosts leads to the first standby."""
    return _leading_to("standby", conninfo)


def _leading_to(kind: str, conninfo: str, **defaults: Any) -> str:
    settings = conninfo_to_dict(conninfo)
    if "," in str(settings.get("host") or settings.get("hostaddr") or ""):
        defaults["target_session_attrs"] = kind
    return make_conninfo("", **{**defaults, **settings})
