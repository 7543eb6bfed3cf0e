"""Messages about the form that led to a page, named by a query parameter instead of stored."""

from flask import request

from interface.pages.shared.i18n import gettext
from interface.pages.shared.i18n import mark_for_translation as _

NOTICES = {
    "calendar-created": _("Calendar created."),
    "calendar-changed": _("Changes saved."),
    "calendar-archived": _("Calendar archived. Links already sent still work until they end."),
    "links-revoked": _("Links revoked."),
    "nothing-to-revoke": _("Choose active links to revoke: others have ended already."),
    "link-revoked": _("Link revoked."),
    "link-replaced": _("Link replaced. The old one no longer works: send the new one."),
    "invitee-forgotten": _("Forgotten. Nothing that this person typed is left."),
    "account-changed": _("Changes saved."),
    "password-changed": _("Password changed. All other browsers are signed out."),
    "key-revoked": _("API key revoked."),
    "rebuild-asked": _("The rebuild was asked for."),
    "parked-applied": _("Nothing is parked any more."),
    "parked-left": _("Some events still can't be applied."),
    "signed-out-everywhere": _("Signed out everywhere else."),
}


def notice() -> str | None:
    """Returns the message that this page's address names, in the reader's language."""
    message = NOTICES.get(request.args.get("notice", ""))
    return gettext(message) if message else None
