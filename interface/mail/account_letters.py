"""The words of mails to an account about what was done to it."""

from datetime import datetime
from typing import NamedTuple

from application.people.accounts import Account
from application.people.api_keys import NEW_KEY
from application.people.authentication import NEW_BROWSER, NEW_PASSWORD
from application.people.identities import NEW_IDENTITY
from application.people.passkeys import NEW_PASSKEY
from interface.i18n import exact_text, gettext, zone_text
from interface.i18n import mark_for_translation as _
from interface.mail.letter import Letter


class _Words(NamedTuple):
    """The words of a kind of mail. `label` is that of what it is about."""

    title: str
    lead: str
    advice: str
    label: str = ""


_WORDS = {
    NEW_KEY: _Words(
        _("A new API key for your account"),
        _("Programs can now use your account with it."),
        _("If you don't recognise it, revoke it and choose a new password."),
        _("API key"),
    ),
    NEW_PASSWORD: _Words(
        _("Your password was changed"),
        _("All other browsers were signed out."),
        _("If you didn't do this, ask whoever runs this service for a sign-in link."),
    ),
    NEW_PASSKEY: _Words(
        _("A new passkey for your account"),
        _("It signs in to your account without a password."),
        _("If you didn't add it, remove it, sign out everywhere and change your password."),
        _("Passkey"),
    ),
    NEW_IDENTITY: _Words(
        _("Your account was connected with the sign-in service"),
        _("Somebody who signs in there can use your account now."),
        _(
            "If that wasn't you, disconnect it and sign out everywhere, "
            "or tell whoever runs this service."
        ),
        _("Sign-in service"),
    ),
    NEW_BROWSER: _Words(
        _("A new sign-in to your account"),
        _("Somebody signed in from a browser that had not been used with your account before."),
        _("If that wasn't you, sign out everywhere and choose a new password."),
        _("Browser"),
    ),
}


def account_letter(
    kind: str, account: Account, what: str | None, *, at: datetime, account_url: str
) -> Letter:
    """Returns the mail of a kind. `what` names what it is about, while that is there."""
    words, zone = _WORDS[kind], account.time_zone or "UTC"
    facts = [
        (gettext("Account"), account.email),
        (gettext("When"), f"{exact_text(at, zone)} ({zone_text(zone)})"),
    ]
    if what and words.label:
        facts.append((gettext(words.label), what))
    title = gettext(words.title)
    return Letter(
        subject=title,
        title=title,
        lead=gettext(words.lead),
        facts=facts,
        actions=[(gettext("Show the account"), account_url)],
        closing=[gettext(words.advice)],
    )
