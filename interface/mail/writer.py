"""Writes the mail of a delivery: reads what it is about, as it was, and whom it goes to, now."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import partial
from uuid import UUID

from application.deliveries.channel import NotNeeded
from application.deliveries.delivery import Audience, Delivery
from application.deliveries.outbox import FORGOTTEN
from application.delivery_facts import Facts
from application.eventstore.loading import Wanted
from application.link_requests import LINK_REQUEST, NEW_LINK, LinkRequestNotFound
from application.people import api_keys, authentication, identities, passkeys
from application.people.accounts import Account
from application.people.email_address import has_public_domain
from application.people.personal_data import Invitee, Prefill
from domain.booking import Booking, BookingStatus
from domain.booking_changes import must_be_cancellable, must_be_movable, reason_against
from domain.calendar import Calendar, CalendarTerms
from domain.link import LinkStatus, SingleUseLink
from interface import i18n
from interface.bootstrap import Services
from interface.mail.account_letters import account_letter
from interface.mail.booking_letters import BookingNews, booking_letter
from interface.mail.letter import CalendarPart, Envelope, compose, mailbox
from interface.mail.link_letters import link_letter, request_letter
from interface.mail.mail import Mail
from interface.web.icalendar_file import Entry, Invitation, Person, calendar_file
from projections.reactions.mail import CANCELLED, MOVED, REMINDER, REQUEST

_QUOTES = {CANCELLED: "reason", REQUEST: "message"}
"""The name of what a person wrote with an event, by kind of mail."""


def wanted_by(delivery: Delivery) -> Iterator[Wanted[Booking] | Wanted[SingleUseLink]]:
    """Yields the versions of its booking, or the link, from which a mail is written."""
    if delivery.kind == NEW_LINK and delivery.link_id is not None:
        yield Wanted(SingleUseLink, delivery.link_id)
    if delivery.booking_id is None or delivery.kind == FORGOTTEN:
        return
    yield Wanted(Booking, delivery.booking_id, delivery.fact_version)
    if delivery.kind == REMINDER:
        yield Wanted(Booking, delivery.booking_id)
    elif delivery.kind == MOVED and delivery.fact_version is not None:
        yield Wanted(Booking, delivery.booking_id, delivery.fact_version - 1)


def write(services: Services, facts: Facts, delivery: Delivery) -> Mail:
    """Returns the mail of a delivery, written from what was read for it.

    Raises `NotNeeded` if its reader is forgotten, has a disabled account or does without mails of
    this kind, or if it reminds of a time that does not stand any more.
    """
    owner = facts.account(delivery.owner_id)
    if delivery.audience is Audience.OWNER and owner.disabled_at is not None:
        raise NotNeeded
    if delivery.kind == NEW_LINK and delivery.link_id is not None:
        with i18n.reading(partial(i18n.locale_named, delivery.target)):
            return _with_new_link(services, facts, delivery, delivery.link_id, owner)
    if delivery.audience is Audience.OWNER and delivery.kind in owner.muted_mails:
        raise NotNeeded
    if delivery.kind == LINK_REQUEST and delivery.link_id is not None:
        with i18n.reading(partial(i18n.locale_named, owner.language)):
            return _about_request(services, delivery, delivery.link_id, owner)
    if delivery.booking_id is None:
        with i18n.reading(partial(i18n.locale_named, owner.language)):
            return _about_account(services, delivery, owner)
    rows = facts.rows_of(delivery.booking_id)
    reader = owner if delivery.audience is Audience.OWNER else rows.get(1)
    if reader is None:
        raise NotNeeded
    with i18n.reading(partial(i18n.locale_named, reader.language)):
        return _about_booking(services, facts, delivery, delivery.booking_id, owner)


def _message_id(services: Services, delivery: Delivery) -> str:
    """Returns an id that is the same for every attempt, and whichever row caused it."""
    what = delivery.id if delivery.fact is None else delivery.fact
    return f"{what}.{delivery.kind}.{delivery.audience}@{services.settings.public_host}"


def _about_account(services: Services, delivery: Delivery, account: Account) -> Mail:
    letter = account_letter(
        delivery.kind,
        account,
        _what_is_new(services, delivery, account),
        at=delivery.due_at,
        account_url=f"{services.settings.public_url}/settings/access",
    )
    return compose(letter, _envelope(services, delivery, "Admit One", _person(account)))


def _with_new_link(
    services: Services, facts: Facts, delivery: Delivery, link_id: UUID, owner: Account
) -> Mail:
    """Returns the mail with the link that somebody asked for.

    Raises `NotNeeded` if the link has ended or its recipient is forgotten.
    """
    link = facts.link(link_id)
    row = facts.rows_of(link_id).get(link.typed_version)
    asker = Prefill.from_data(row.data) if row else None
    if asker is None or asker.email is None or link.status(services.now()) != LinkStatus.ACTIVE:
        raise NotNeeded
    reader = Person(asker.name or asker.email, asker.email)
    letter = link_letter(
        host=owner.name,
        expires_at=link.expires_at,
        zone=owner.time_zone or "UTC",
        url=f"{services.settings.public_url}/b/{services.tokens.for_link(link_id)}",
    )
    return compose(letter, _envelope(services, delivery, owner.name, reader, _person(owner)))


def _about_request(services: Services, delivery: Delivery, link_id: UUID, owner: Account) -> Mail:
    """Returns the mail that tells the owner who asks for a new link.

    Raises `NotNeeded` if the request has been answered, or its person is forgotten.
    """
    try:
        request = services.link_requests.one(owner.id, link_id)
    except LinkRequestNotFound:
        raise NotNeeded from None
    letter = request_letter(
        request,
        calendar=services.event_store.get(Calendar, request.calendar_id).terms.name,
        url=f"{services.settings.public_url}/links#requests",
    )
    asker = None if request.email is None else Person(request.name, request.email)
    return compose(letter, _envelope(services, delivery, "Admit One", _person(owner), asker))


def _what_is_new(services: Services, delivery: Delivery, account: Account) -> str | None:
    """Returns how the account knows what a mail is about, while it has that."""
    target = delivery.target
    names: dict[str, str | None] = {}
    match delivery.kind:
        case api_keys.NEW_KEY:
            keys = services.api_keys.of(account)
            names = {key.prefix: _key_text(key.name, key.prefix) for key in keys}
        case passkeys.NEW_PASSKEY:
            names = {str(each.id): each.name for each in services.passkeys.all(account)}
        case identities.NEW_IDENTITY if services.identities.is_connected(account, target):
            names = {target: target}
        case authentication.NEW_BROWSER:
            sessions = services.sessions.all(account, now=delivery.due_at)
            names = {str(each.id): each.browser for each in sessions}
    return names.get(target)


def _key_text(name: str, prefix: str) -> str:
    shown = f"ao_{prefix}_…"
    return f"{name} ({shown})" if name else shown


def _about_booking(
    services: Services, facts: Facts, delivery: Delivery, booking_id: UUID, owner: Account
) -> Mail:
    news = _news(services, facts, delivery, booking_id, owner)
    host = _person(owner)
    guest = Person(news.invitee.name, news.invitee.email) if news.invitee else None
    if guest is not None and news.is_for_invitee:
        envelope = _envelope(services, delivery, owner.name, guest, host)
    else:
        envelope = _envelope(services, delivery, "Admit One", host, guest)
    calendar_part = _calendar_part(services, news, host, guest, delivery.due_at)
    return compose(booking_letter(news), envelope, calendar_part)


def _news(
    services: Services, facts: Facts, delivery: Delivery, booking_id: UUID, owner: Account
) -> BookingNews:
    booking = facts.booking(booking_id, delivery.fact_version)
    previous = None
    if delivery.kind == REMINDER:
        now = facts.booking(booking_id)
        if now.status is BookingStatus.CANCELLED or now.slot != booking.slot:
            raise NotNeeded
        if booking.slot.start <= services.now():
            raise NotNeeded
    elif delivery.kind == MOVED:
        previous = facts.booking(booking_id, booking.version - 1).slot
    terms = facts.agreed_terms(booking)
    texts = facts.texts_of(booking_id)
    typed, with_event = texts.get(1), texts.get(booking.version, {})
    path = f"bookings/{booking_id}"
    is_for_invitee = delivery.audience is Audience.INVITEE
    if is_for_invitee:
        path = f"m/{services.tokens.for_managing(booking_id)}"
    # The page also says whether the link still offers another time. Here, that would cost a read.
    move = partial(must_be_movable, booking, terms, now=services.now())
    cancel = partial(must_be_cancellable, booking, terms, now=services.now())
    return BookingNews(
        kind=delivery.kind,
        audience=delivery.audience,
        booking=booking,
        previous_slot=previous,
        terms=terms,
        place=_place(booking, terms, texts),
        host=owner.name,
        host_zone=owner.time_zone,
        invitee=Invitee.from_data(typed),
        notes=typed.get("notes") if typed else None,
        quote=with_event.get(_QUOTES[delivery.kind]) if delivery.kind in _QUOTES else None,
        can_move=is_for_invitee and reason_against(move) is None,
        can_cancel=is_for_invitee and reason_against(cancel) is None,
        url=f"{services.settings.public_url}/{path}",
    )


def _place(booking: Booking, terms: CalendarTerms, texts: Mapping[int, dict[str, str]]) -> str:
    """Returns where the booking takes place, as it was agreed or changed since."""
    if booking.place_version is None:
        return terms.location
    return texts.get(booking.place_version, {}).get("place", "")


def _calendar_part(
    services: Services, news: BookingNews, host: Person, guest: Person | None, at: datetime
) -> CalendarPart | None:
    """Returns what lets the reader's calendar follow the booking, if that has changed."""
    if news.kind in (REMINDER, REQUEST):
        return None
    if not has_public_domain(host.email):  # an address that no program can answer to
        host = Person(host.name, services.settings.sender_address)
    way_back = i18n.gettext("Your booking: %(url)s") % {"url": news.url}
    entry = Entry(
        booking_id=news.booking.id,
        version=news.booking.version,
        slot=news.booking.slot,
        status=news.booking.status,
        summary=news.summary,
        location=news.place,
        description="\n\n".join(filter(None, (news.terms.description, way_back))),
        host=services.settings.public_host,
        as_of=at,
    )
    content = calendar_file(
        entry,
        time_zone=news.terms.rules.time_zone,
        invitation=Invitation(host, [guest] if guest else []),
    )
    is_cancelled = news.booking.status is BookingStatus.CANCELLED
    return CalendarPart("CANCEL" if is_cancelled else "REQUEST", content)


def _envelope(
    services: Services,
    delivery: Delivery,
    sender: str,
    recipient: Person,
    reply_to: Person | None = None,
) -> Envelope:
    if reply_to is not None and not has_public_domain(reply_to.email):
        reply_to = None
    return Envelope(
        sender=mailbox(sender, services.settings.sender_address),
        recipient=mailbox(recipient.name, recipient.email),
        message_id=_message_id(services, delivery),
        date=delivery.due_at,
        reply_to=mailbox(reply_to.name, reply_to.email) if reply_to else None,
    )


def _person(account: Account) -> Person:
    return Person(account.name, account.email)
