"""The roles in which the parts of the service connect to the database."""

from enum import StrEnum


class DatabaseRole(StrEnum):
    """A role, by its name in the embedded database. None of them is a superuser."""

    OWNER = "admitone_owner"
    """Owns the tables and creates, upgrades and grants. Nothing that serves people uses it."""
    SERVICE = "admitone_service"
    PROJECTOR = "admitone_projector"
    AUDITOR = "admitone_auditor"
