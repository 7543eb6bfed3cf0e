"""The refusals of the domain, and the root of all others.

Each docstring is the sentence people see.

    AdmitOneError
    ├── Invalid                   input that breaks a rule, reported field by field
    ├── NotFound
    │   ├── CalendarNotFound
    │   ├── LinkNotFound
    │   ├── BookingNotFound
    │   └── ScheduleNotFound
    ├── LinkEnded                 the link will never book again
    │   ├── LinkRedeemed
    │   ├── LinkExpired
    │   └── LinkRevoked
    ├── SlotRefused               the link is still active: pick another time
    │   ├── SlotTaken
    │   └── SlotNotOffered
    ├── CalendarArchived
    ├── ScheduleInUse
    ├── BookingCancelled
    ├── InviteeForgotten
    ├── ChangeRefused             the invitee can't change the booking themselves any more
    │   ├── TooLate
    │   ├── RescheduleLimitReached
    │   └── NoOtherTimes
    ├── StaleVersion
    ├── IdempotencyMismatch
    └── Unavailable               nothing is wrong with the request: try again
        ├── Busy
        └── ViewBehind

Application, projections and interface derive refusals of their own from these
where the domain does not know what is refused: an account, a rebuild, a
checkpoint, a request. Status codes are not known here: they live in the problem
mapper of the interface alone.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime


class TimeOfDay(str):
    """A time such as 09:30 in a sentence, so that it can be shown by the reader's clock."""


class Sentence(str):
    """A sentence that still has its template and values, so that it can be translated."""

    template: str
    values: dict[str, object]

    def __new__(cls, template: str, **values: object) -> "Sentence":
        """Fills `template`, which has the form of `str.format`."""
        sentence = super().__new__(cls, template.format(**values))
        sentence.template, sentence.values = template, values
        return sentence


class AdmitOneError(Exception):
    """Something went wrong."""

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(detail or type(self).__doc__)

    @property
    def detail(self) -> str:
        """The sentence for people: the class's own, unless a better one was passed."""
        return str(self)


class Invalid(AdmitOneError):
    """Some of the values given can't be used."""

    def __init__(self, errors: Mapping[str, Sequence[str]]) -> None:
        """Takes the sentences about each field, by the dotted path of the field."""
        super().__init__()
        self.errors = errors


class NotFound(AdmitOneError):
    """There is nothing here."""


class CalendarNotFound(NotFound):
    """There is no such calendar."""


class LinkNotFound(NotFound):
    """We couldn't find this link. Check it was copied in full."""


class BookingNotFound(NotFound):
    """There is no such booking."""


class ScheduleNotFound(NotFound):
    """There is no such schedule."""


class LinkEnded(AdmitOneError):
    """This link no longer works."""


class LinkRedeemed(LinkEnded):
    """This link has already been used."""


class LinkExpired(LinkEnded):
    """This link has expired."""


class LinkRevoked(LinkEnded):
    """This link is no longer active."""


class SlotRefused(AdmitOneError):
    """That time can't be booked. Your link still works: pick another time."""


class SlotTaken(SlotRefused):
    """That time was just taken. Your link still works: pick another time."""


class SlotNotOffered(SlotRefused):
    """That time can no longer be booked."""


class CalendarArchived(AdmitOneError):
    """This calendar is archived: it can't be changed, and no new links can be created for it."""


class ScheduleInUse(AdmitOneError):
    """Calendars still follow this schedule. Give each of them a copy of its hours first."""


class BookingCancelled(AdmitOneError):
    """This booking was cancelled."""


class InviteeForgotten(AdmitOneError):
    """This person was forgotten, so they can't be told anything more."""


class ChangeRefused(AdmitOneError):
    """This booking can no longer be changed here."""

    def __init__(self, detail: str | None = None, *, contact: str = "") -> None:
        """Takes the line that says how the host can be reached; it may be empty."""
        super().__init__(" ".join(filter(None, (detail or type(self).__doc__, contact))))
        self.contact = contact


class TooLate(ChangeRefused):
    """It is too late for this change."""

    def __init__(self, until: datetime, *, contact: str = "") -> None:
        """Takes the moment, in UTC, until which the change was possible."""
        moment = until.isoformat().replace("+00:00", "Z")
        super().__init__(
            f"It is too late for this change: it was possible until {moment}.", contact=contact
        )
        self.until = until


class RescheduleLimitReached(ChangeRefused):
    """This booking has been moved as often as its host allows."""


class NoOtherTimes(ChangeRefused):
    """This booking can't be moved: its link offers no other times."""


class StaleVersion(AdmitOneError):
    """Somebody changed this in the meantime: read it again, then repeat the change."""


class IdempotencyMismatch(AdmitOneError):
    """This Idempotency-Key was used for another request."""


class Unavailable(AdmitOneError):
    """The service can't answer right now. Try again shortly."""


class Busy(Unavailable):
    """Too many people are booking at this moment. Nothing is lost: try again shortly."""


class ViewBehind(Unavailable):
    """This view has not caught up with your last change yet. Try again shortly."""
