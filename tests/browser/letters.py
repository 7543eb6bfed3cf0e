"""A mail of every kind, written as the service writes it, with a long name and a long address."""

from collections.abc import Iterator
from datetime import timedelta
from email import message_from_bytes, policy
from itertools import product

from application.deliveries.delivery import Audience
from application.link_requests import LinkRequest
from application.people import api_keys, authentication, identities, passkeys
from application.people.accounts import Account
from application.people.personal_data import Invitee
from domain.slot import Slot
from interface.mail.account_letters import account_letter
from interface.mail.booking_letters import BookingNews, booking_letter
from interface.mail.letter import Envelope, Letter, compose, mailbox
from interface.mail.link_letters import link_letter, request_letter
from projections.reactions import mail
from tests.support.examples import CALENDAR, LINK, NOW, OWNER, TERMS, TOMORROW, booked

_HOST, _ZONE = "Olivia Owner", "Europe/Paris"
_SERVICE = "https://book.example.org"
_INVITEE = Invitee(
    "Maximiliane Freifrau von Donaudampfschifffahrtsgesellschaftskapitän",
    "maximiliane.von.donaudampfschifffahrtsgesellschaft@long-names.example",
    "America/New_York",
)
_NOTES = "I would like to talk about the analytical engine.\n\nCan it compose music?"
_QUOTES = {
    mail.CANCELLED: "My train was cancelled.",
    mail.REQUEST: "I have to catch a train. Could we meet in the afternoon?",
}
_KINDS_ABOUT_BOOKINGS = {
    mail.CONFIRMATION: "confirmed",
    mail.MOVED: "moved",
    mail.CHANGED: "new-location",
    mail.REQUEST: "pick-another-time",
    mail.CANCELLED: "cancelled",
    mail.REMINDER: "reminder",
}
_KINDS_ABOUT_ACCOUNTS = {
    api_keys.NEW_KEY: "Website (ao_0c386a87_…)",
    authentication.NEW_PASSWORD: None,
    passkeys.NEW_PASSKEY: "Work laptop",
    identities.NEW_IDENTITY: "https://login.example.org",
    authentication.NEW_BROWSER: "Firefox, Windows",
}


def every_mail() -> Iterator[tuple[str, str]]:
    """Yields the name and the HTML of a mail of each kind, in the language of its reader."""
    sender, recipient = mailbox("Admit One", "mail@example.org"), mailbox("", "ada@example.org")
    for name, letter in _every_letter():
        written = compose(letter, Envelope(sender, recipient, "1@example.org", NOW))
        html = message_from_bytes(written.content, policy=policy.default).get_body(("html",))
        if html is not None:
            yield f"mail-{name}", html.get_content()


def _every_letter() -> Iterator[tuple[str, Letter]]:
    for (kind, name), audience in product(_KINDS_ABOUT_BOOKINGS.items(), Audience):
        if (kind, audience) != (mail.REQUEST, Audience.OWNER):
            yield f"{audience}-{name}", booking_letter(_news(kind, audience))
    for kind, what in _KINDS_ABOUT_ACCOUNTS.items():
        url = f"{_SERVICE}/settings/access"
        yield f"owner-{kind}", account_letter(kind, _account(), what, at=NOW, account_url=url)
    yield (
        "owner-link-request",
        request_letter(_request(), calendar=TERMS.name, url=f"{_SERVICE}/links#requests"),
    )
    yield (
        "invitee-new-link",
        link_letter(
            host=_HOST,
            expires_at=NOW + timedelta(days=90),
            zone=_ZONE,
            url=f"{_SERVICE}/b/1",
        ),
    )


def _news(kind: str, audience: Audience) -> BookingNews:
    before = Slot(TOMORROW.start - timedelta(days=1), TOMORROW.end - timedelta(days=1))
    return BookingNews(
        kind=kind,
        audience=audience,
        booking=booked(),
        previous_slot=before if kind == mail.MOVED else None,
        terms=TERMS,
        place="Studio, 12 rue des Petites Écuries, 75010 Paris",
        host=_HOST,
        host_zone=_ZONE,
        invitee=_INVITEE,
        notes=_NOTES,
        quote=_QUOTES.get(kind),
        can_move=True,
        can_cancel=True,
        url=f"{_SERVICE}/m/1",
    )


def _account() -> Account:
    return Account(
        id=OWNER,
        email="olivia@example.org",
        name=_HOST,
        roles=("owner",),
        time_zone=_ZONE,
        language=None,
        has_password=True,
        has_signed_in=True,
        disabled_at=None,
        muted_mails=(),
    )


def _request() -> LinkRequest:
    return LinkRequest(
        link_id=LINK,
        owner_id=OWNER,
        calendar_id=CALENDAR,
        asked_at=NOW,
        name="Alan Turing",
        email="alan@example.org",
        message="Could we still meet in December?",
        language=None,
    )
