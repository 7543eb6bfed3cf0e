"""The words of mails about a booking, for its invitee and for its owner."""

from dataclasses import dataclass

from application.deliveries.delivery import Audience
from application.people.personal_data import Invitee
from domain.booking import Booking
from domain.booking_rules import is_time_zone
from domain.calendar import CalendarTerms
from domain.slot import Slot
from interface.i18n import (
    date_text,
    gettext,
    slot_text,
    time_text,
    zone_text,
)
from interface.i18n import mark_for_translation as _
from interface.mail.letter import Letter
from projections.reactions.mail import (
    CANCELLED,
    CHANGED,
    CONFIRMATION,
    MOVED,
    REMINDER,
    REQUEST,
)

# Subject, title and first sentence by kind.
_TO_INVITEES = {
    CONFIRMATION: (
        _("Confirmed: %(what)s, %(when)s"),
        _("You're booked"),
        _("Your booking with %(name)s is confirmed."),
    ),
    MOVED: (
        _("New time: %(what)s, %(when)s"),
        _("Your booking has a new time"),
        _("Your booking with %(name)s was moved."),
    ),
    CHANGED: (
        _("New location: %(what)s, %(when)s"),
        _("Your booking has a new location"),
        _("Your booking with %(name)s has a new location."),
    ),
    REQUEST: (
        _("Please pick another time: %(what)s"),
        _("Please pick another time"),
        _("%(name)s asks you to pick another time for your booking."),
    ),
    CANCELLED: (
        _("Cancelled: %(what)s, %(when)s"),
        _("Your booking was cancelled"),
        _("Your booking with %(name)s was cancelled."),
    ),
    REMINDER: (
        _("Reminder: %(what)s, %(when)s"),
        _("Your booking is coming up"),
        _("This is a reminder of your booking with %(name)s."),
    ),
}
_TO_OWNERS = {
    CONFIRMATION: (
        _("New booking: %(what)s, %(when)s"),
        _("You have a new booking"),
        _("%(name)s has booked a time with you."),
    ),
    MOVED: (
        _("New time: %(what)s, %(when)s"),
        _("A booking has a new time"),
        _("The booking of %(name)s was moved."),
    ),
    CHANGED: (
        _("New location: %(what)s, %(when)s"),
        _("A booking has a new location"),
        _("The booking of %(name)s has a new location."),
    ),
    CANCELLED: (
        _("Cancelled: %(what)s, %(when)s"),
        _("A booking was cancelled"),
        _("The booking of %(name)s was cancelled."),
    ),
    REMINDER: (
        _("Reminder: %(what)s, %(when)s"),
        _("A booking is coming up"),
        _("This is a reminder of the booking of %(name)s."),
    ),
}

# By whether the invitee can still move the booking, and cancel it.
_SHOW = {
    (True, True): _("Show, move or cancel the booking"),
    (True, False): _("Show or move the booking"),
    (False, True): _("Show or cancel the booking"),
    (False, False): _("Show the booking"),
}


@dataclass(frozen=True)
class BookingNews:
    """An event of a booking, and everything that a mail says about it.

    `booking` is as the event left it. `previous_slot` is where it was before it was moved, `notes`
    what the invitee typed, and `quote` what somebody typed with this event. `invitee` is None
    once that person is forgotten. `can_move` and `can_cancel` say what a reader who is the
    invitee may still do. At `url`, the reader sees the booking.
    """

    kind: str
    audience: Audience
    booking: Booking
    previous_slot: Slot | None
    terms: CalendarTerms
    place: str
    host: str
    host_zone: str | None
    invitee: Invitee | None
    notes: str | None
    quote: str | None
    can_move: bool
    can_cancel: bool
    url: str

    @property
    def is_for_invitee(self) -> bool:
        """Returns True if the invitee reads it, else the owner."""
        return self.audience is Audience.INVITEE

    @property
    def zone(self) -> str:
        """The zone in which the reader is told times; by default the calendar's."""
        own = self.host_zone
        if self.is_for_invitee:
            own = self.invitee.time_zone if self.invitee else None
        return own if own and is_time_zone(own) else self.terms.rules.time_zone

    @property
    def invitee_name(self) -> str:
        """The invitee's name, for as long as it is known."""
        return self.invitee.name if self.invitee else gettext("[forgotten]")

    @property
    def summary(self) -> str:
        """The title of the appointment in the reader's own calendar."""
        return gettext("%(calendar)s with %(host)s") % {
            "calendar": self.terms.name,
            "host": self.host if self.is_for_invitee else self.invitee_name,
        }


def booking_letter(news: BookingNews) -> Letter:
    """Returns the mail about an event, in the reader's language and zone."""
    subject, title, lead = (_TO_INVITEES if news.is_for_invitee else _TO_OWNERS)[news.kind]
    slot = news.booking.slot
    words = {
        "what": news.summary,
        "when": f"{date_text(slot.start, news.zone)}, {time_text(slot.start, news.zone)}",
        "name": news.host if news.is_for_invitee else news.invitee_name,
    }
    return Letter(
        subject=gettext(subject) % words,
        title=gettext(title),
        lead=gettext(lead) % words,
        facts=[(gettext(label), value) for label, value in _facts(news) if value],
        quote=(_quote_label(news), news.quote) if news.quote else None,
        actions=_actions(news),
        closing=_closing(news),
    )


def _quote_label(news: BookingNews) -> str:
    return gettext("Message") if news.kind == REQUEST else gettext("Reason")


def _actions(news: BookingNews) -> list[tuple[str, str]]:
    if not news.is_for_invitee:
        return [(gettext("Show the booking"), news.url)]
    if news.kind == CANCELLED:
        return []
    if news.kind == REQUEST:
        return [(gettext("Pick another time"), news.url)]
    return [(gettext(_SHOW[news.can_move, news.can_cancel]), news.url)]


def _facts(news: BookingNews) -> list[tuple[str, str]]:
    """Returns labels, yet to be translated, and values, of which some are empty."""
    slot, previous = news.booking.slot, news.previous_slot
    facts = [
        (_("When"), _when(slot, news.zone)),
        (_("Previously"), _when(previous, news.zone) if previous else ""),
        (_("Calendar"), news.terms.name),
        (_("Location"), news.place),
    ]
    if news.is_for_invitee:
        description = "" if news.kind == CANCELLED else news.terms.description
        return [
            *facts,
            (_("Host"), news.host),
            (_("Description"), description),
        ]
    return [
        *facts,
        (_("Invitee"), news.invitee_name),
        (_("E-mail address"), news.invitee.email if news.invitee else ""),
        (_("Notes"), news.notes or ""),
    ]


def _closing(news: BookingNews) -> list[str]:
    if not news.is_for_invitee:
        return []
    if news.kind == CANCELLED:
        return [gettext("To book another time, ask %(host)s for a new link.") % {"host": news.host}]
    return [gettext("The link is for you alone: whoever has it can change your booking.")]


def _when(slot: Slot, zone: str) -> str:
    return f"{slot_text(slot.start, slot.end, zone)} ({zone_text(zone)})"
