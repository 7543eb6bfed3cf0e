"""Actors as the audit pages show them: by name, beside the id that the log has."""

from collections.abc import Callable, Iterable

from application.commands.erasure import OPERATOR, RETENTION
from application.people.actor_names import actor_names
from application.people.security_log import SERVICE, STRANGER
from domain.booking import INVITEE
from interface.i18n import gettext
from interface.i18n import mark_for_translation as _
from interface.web.request_context import services

_WORDS = {
    INVITEE: _("Invitee"),
    OPERATOR: _("Operator"),
    RETENTION: _("End of the retention period"),
    SERVICE: _("The service itself"),
    STRANGER: _("Somebody not signed in"),
}
_KEY_OF = _("API key %(key)s of %(person)s")
_COMMAND_OF = _("Command by %(login)s")


def names_of(actors: Iterable[str | None]) -> Callable[[str | None], str]:
    """Returns a function that names any of these actors, and returns "" for one without a name."""
    everybody = set(actors)
    known = services().database.run_idempotent(lambda conn: actor_names(conn, everybody))

    def name_of(actor: str | None) -> str:
        named = known.get(actor)
        if named is not None:
            if named.key is None:
                return f"{named.person}, {named.email}"
            return gettext(_KEY_OF) % {"key": named.key, "person": named.person}
        kind, _colon, login = (actor or "").partition(":")
        if kind == "command":
            return gettext(_COMMAND_OF) % {"login": login}
        return gettext(_WORDS[kind]) if kind in _WORDS else ""

    return name_of
