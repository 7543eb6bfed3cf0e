"""The roles of accounts, the scopes that each allows, and the bounds of API keys."""

from collections.abc import Collection

SCOPES_OF = {
    "owner": ("calendars", "links", "bookings"),
    "auditor": ("audit",),
    "operator": ("projections",),
}
ALL_SCOPES = tuple(scope for scopes in SCOPES_OF.values() for scope in scopes)
ROLES = (*SCOPES_OF, "admin")

KEY_DAYS = 365
"""After how many days an API key expires, unless it is asked otherwise."""

MOST_LINKS_A_DAY = 10_000
MOST_LINKS_AT_ONCE = 1000
"""The greatest limits that an API key can have."""


def scopes_of(roles: Collection[str]) -> tuple[str, ...]:
    """Returns all scopes that these roles allow."""
    if "admin" in roles:
        return ALL_SCOPES
    return tuple(scope for role in roles for scope in SCOPES_OF[role])
