"""The words of mails to an account about what was done to it."""

from collections.abc import Sequence
from datetime import datetime

from application.people.accounts import NEW_KEY, Account, ApiKey
from interface.i18n import exact_text, gettext, zone_text
from interface.mail.letter import Letter


def account_letter(
    kind: str, account: Account, keys: Sequence[ApiKey], *, at: datetime, account_url: str
) -> Letter:
    """Returns the mail about a new API key, or else about a new password."""
    zone = account.time_zone or "UTC"
    facts = [
        (gettext("Account"), account.email),
        (gettext("When"), f"{exact_text(at, zone)} ({zone_text(zone)})"),
    ]
    if kind == NEW_KEY:
        title = gettext("A new API key for your account")
        lead = gettext("Programs can now act for you with it.")
        facts += [(gettext("API key"), f"{key.name} (ao_{key.prefix}_…)") for key in keys]
        advice = gettext("If you don't know why, revoke the key and choose a new password.")
    else:
        title = gettext("Your password was changed")
        lead = gettext("All other browsers were signed out.")
        advice = gettext("If you didn't do this, ask whoever runs this service for a sign-in link.")
    return Letter(
        subject=title,
        title=title,
        lead=lead,
        facts=facts,
        actions=[(gettext("Show the account"), account_url)],
        closing=[advice],
    )
