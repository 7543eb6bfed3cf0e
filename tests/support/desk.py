"""The application's commands, with examples for whatever a test does not speak of."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from application.commands.links import NewLink
from application.commands.redemption import Redemption
from application.eventstore.event_sourced_application import Written
from application.people.personal_data import Invitee
from domain.booking import Booking
from domain.booking_rules import WEEKDAYS, Availability
from domain.calendar import CalendarTerms
from domain.link import SingleUseLink
from interface.bootstrap import Services
from tests.support.examples import ACTOR, ADA, NOW, OWNER, RULES, TERMS, TOMORROW_AT_NINE

ALL_DAY = Availability(weekly=dict.fromkeys(WEEKDAYS, (("00:00", "24:00"),)), overrides={})


def terms(**rules: Any) -> CalendarTerms:
    """The example's terms with other rules."""
    return replace(TERMS, rules=replace(RULES, **rules))


@dataclass
class Desk:
    """Commands given one after the other."""

    services: Services

    def new_calendar(self, *, owner_id: UUID = OWNER, **rules: Any) -> UUID:
        """The id of a new calendar."""
        written = self.services.calendars.create(
            owner_id=owner_id, terms=terms(**rules), actor=ACTOR, now=NOW
        )
        return written.value.id

    def change(self, calendar_id: UUID, version: int | None = 1, **rules: Any) -> Written[Any]:
        """Give a calendar other rules."""
        return self.services.calendars.change(
            calendar_id=calendar_id,
            owner_id=OWNER,
            change=lambda _: terms(**rules),
            version=version,
            actor=ACTOR,
            now=NOW,
        )

    def archive(self, calendar_id: UUID, owner_id: UUID = OWNER) -> Written[Any]:
        """Archive a calendar."""
        return self.services.calendars.archive(
            calendar_id=calendar_id, owner_id=owner_id, actor=ACTOR, now=NOW
        )

    def issue(
        self, calendar_id: UUID, *links: NewLink, owner_id: UUID = OWNER, now: datetime = NOW
    ) -> Written[list[SingleUseLink]]:
        """Issue links."""
        return self.services.links.issue(
            calendar_id=calendar_id, owner_id=owner_id, links=links, actor=ACTOR, now=now
        )

    def new_link(
        self, calendar_id: UUID | None = None, *, owner_id: UUID = OWNER, **wish: Any
    ) -> UUID:
        """The id of a new link, for a calendar of its own if none is given."""
        calendar_id = calendar_id or self.new_calendar(owner_id=owner_id)
        (link,) = self.issue(calendar_id, NewLink(**wish), owner_id=owner_id).value
        return link.id

    def revoke(
        self,
        link_id: UUID,
        *,
        reason: str | None = None,
        owner_id: UUID = OWNER,
        now: datetime = NOW,
    ) -> Written[SingleUseLink]:
        """Revoke a link."""
        return self.services.links.revoke(
            link_id=link_id, owner_id=owner_id, reason=reason, actor=ACTOR, now=now
        )

    def replace(
        self, link_id: UUID, *, owner_id: UUID = OWNER, now: datetime = NOW
    ) -> Written[SingleUseLink]:
        """Replace a link."""
        return self.services.links.replace(link_id=link_id, owner_id=owner_id, actor=ACTOR, now=now)

    def redeem(
        self,
        link_id: UUID,
        start: datetime = TOMORROW_AT_NINE,
        invitee: Invitee = ADA,
        *,
        notes: str | None = None,
        key: str | None = None,
        now: datetime = NOW,
    ) -> Written[Redemption]:
        """Redeem a link."""
        return self.services.redemptions.redeem(
            link_id=link_id,
            start=start,
            invitee=invitee,
            notes=notes,
            idempotency_key=key,
            now=now,
        )

    def forget(
        self, booking_id: UUID, *, owner_id: UUID | None = OWNER, now: datetime = NOW
    ) -> Written[Booking]:
        """Forget an invitee."""
        return self.services.erasure.forget(
            booking_id=booking_id, owner_id=owner_id, actor=ACTOR, now=now
        )

    def link(self, link_id: UUID) -> SingleUseLink:
        """The link as the log has it."""
        return self.services.event_store.get(SingleUseLink, link_id)

    def log(self, after: int = 0) -> list[dict[str, Any]]:
        """All events after a position, as an auditor reads them, with their transactions."""
        return self.services.database.fetch_all(
            """SELECT log.*, stored_events.xmin::text AS transaction
            FROM log JOIN stored_events ON notification_id = position
            WHERE position > %s ORDER BY position""",
            (after,),
        )

    def topics(self, after: int = 0) -> list[str]:
        """The topics of all events after a position."""
        return [line["topic"] for line in self.log(after)]

    def personal_rows(self) -> list[dict[str, Any]]:
        """Everything that was typed about people, with transactions."""
        return self.services.database.fetch_all(
            "SELECT *, xmin::text AS transaction FROM personal_data ORDER BY originator_id"
        )

    def let_first(self, rival: Callable[[], object]) -> None:
        """Let a rival act after the next decision is taken and before it is saved."""
        event_store = self.services.event_store
        save = event_store.save

        def save_too_late(*aggregates: Any, **more: Any) -> Any:
            del vars(event_store)["save"]
            rival()
            return save(*aggregates, **more)

        vars(event_store)["save"] = save_too_late


def minutes(count: int) -> timedelta:
    """So many minutes."""
    return timedelta(minutes=count)
