"""The roles of accounts, and the scopes that each allows."""

SCOPES_OF = {
    "owner": ("calendars", "links", "bookings"),
    "auditor": ("audit",),
    "operator": ("projections",),
}
ALL_SCOPES = tuple(scope for scopes in SCOPES_OF.values() for scope in scopes)
ROLES = (*SCOPES_OF, "admin")
