"""Commands on links, except redeeming them."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from application.eventstore.deadline import deadline
from application.eventstore.event_sourced_application import EventSourcedApplication, Written
from application.eventstore.loading import Wanted
from application.eventstore.recorder import PersonalDataRow, StaleRead, VersionConflict
from application.people import personal_data
from application.people.personal_data import Prefill
from domain import issuing
from domain.calendar import Calendar
from domain.errors import AdmitOneError, CalendarArchived, Invalid, LinkNotFound, LinkRevoked
from domain.link import SingleUseLink
from domain.offer import EVERYTHING, Offer

LARGEST_BATCH = 500
UNASKED_SECONDS = 5.0
"""For so long after its log was read, links are issued for a calendar without asking again."""
DEFAULT_LINK_LIFE = timedelta(days=90)


@dataclass(frozen=True)
class NewLink:
    """A link to issue. `expires_at` is UTC; None means 90 days from now.

    A link with a `link_id` is issued only once: a repeated request gets the same link.
    `reference` is an id that a program of the owner gives it.
    """

    recipient: str | None = None
    note: str | None = None
    expires_at: datetime | None = None
    link_id: UUID | None = None
    reference: str | None = None
    prefill: Prefill | None = None
    offer: Offer = EVERYTHING

    @property
    def typed(self) -> dict[str, str]:
        """What was typed about a person, as it is stored beside the log."""
        return personal_data.without_empty(
            personal_data.link_data(self.recipient, self.note, self.reference, self.prefill)
        )


@dataclass(frozen=True)
class BulkRevocation:
    """The outcome for each link: revoked now, or the refusal that left it unchanged."""

    revoked: list[UUID]
    unchanged: dict[UUID, AdmitOneError]


@dataclass(frozen=True)
class LinkCommands:
    """Issues, changes, revokes and replaces links."""

    event_store: EventSourcedApplication

    def issue(
        self,
        *,
        calendar_id: UUID,
        owner_id: UUID,
        links: Sequence[NewLink],
        actor: str,
        now: datetime,
    ) -> Written[list[SingleUseLink]]:
        """Issues 1 to 500 links, all or none.

        Raises `CalendarArchived`, `CalendarNotFound` or `Invalid`, which names a field of one
        link among several as `links.<place>.<field>`.
        """
        if not 1 <= len(links) <= LARGEST_BATCH:
            raise Invalid({"links": [f"Must be 1 to {LARGEST_BATCH} links."]})

        def issue_for(calendar: Calendar) -> Written[list[SingleUseLink]]:
            issued, rows = _issue_all(calendar, links, actor=actor, now=now)
            try:
                position = self.event_store.record(
                    *issued, personal_data=rows, unchanged=[calendar]
                )
                return Written(issued, position)
            except StaleRead:
                raise
            except VersionConflict:  # a repeated request
                loaded = self.event_store.load(*(Wanted(SingleUseLink, each.id) for each in issued))
                return Written(
                    [loaded.get_own(SingleUseLink, each.id, owner_id) for each in issued],
                    self.event_store.head(),
                )

        def decide() -> Written[list[SingleUseLink]]:
            return issue_for(self.event_store.get_own(Calendar, calendar_id, owner_id))

        with deadline():
            calendar = self.event_store.remembered_calendar(
                calendar_id, for_seconds=UNASKED_SECONDS
            )
            if calendar is not None and calendar.owner_id == owner_id:
                # The append checks that it is still the newest. If not, or if it is refused by
                # what is remembered, the log decides.
                with suppress(StaleRead, CalendarArchived, Invalid):
                    return issue_for(calendar)
            return self.event_store.retry_on_conflict(decide)

    def change(
        self,
        *,
        link_id: UUID,
        owner_id: UUID,
        typed: Mapping[str, str | None],
        expires_at: datetime | None,
        version: int | None,
        actor: str,
        now: datetime,
    ) -> Written[SingleUseLink]:
        """Changes the `typed` fields of a link's text, and its expiry unless that is None.

        Changes `version`; None stands for the newest version. Raises `LinkEnded`, `StaleVersion`,
        `Invalid` or `LinkNotFound`.
        """

        def decide() -> Written[SingleUseLink]:
            link = self.event_store.get_own(SingleUseLink, link_id, owner_id)
            before = personal_data.find(self.event_store.database, link_id, link.typed_version)
            data = personal_data.without_empty({**(before.data if before else {}), **typed})
            rows, commitment = personal_data.row_for(link_id, link.version + 1, data, like=before)
            link.change(
                version=link.version if version is None else version,
                expires_at=expires_at or link.expires_at,
                personal_data=commitment,
                actor=actor,
                now=now,
            )
            return self.event_store.write(link, personal_data=rows)

        return self.event_store.retry_on_conflict(decide)

    def revoke(
        self,
        *,
        link_id: UUID,
        owner_id: UUID,
        reason: str | None,
        actor: str,
        now: datetime,
    ) -> Written[SingleUseLink]:
        """Ends a link before it is used. Raises `LinkRedeemed` or `LinkNotFound`."""

        def decide() -> Written[SingleUseLink]:
            link = self.event_store.get_own(SingleUseLink, link_id, owner_id)
            rows = _revoke(link, reason, actor=actor, now=now)
            return self.event_store.write(link, personal_data=rows)

        return self.event_store.retry_on_conflict(decide)

    def revoke_many(
        self,
        *,
        link_ids: Sequence[UUID],
        owner_id: UUID,
        reason: str | None,
        actor: str,
        now: datetime,
    ) -> Written[BulkRevocation]:
        """Ends up to 500 links in one transaction, each decided on its own.

        A link that does not exist, or that was redeemed or revoked before, is reported and
        does not stop the others. Raises `Invalid`, or `Busy` with nothing changed.
        """
        if not 1 <= len(link_ids) <= LARGEST_BATCH:
            raise Invalid({"ids": [f"Must be 1 to {LARGEST_BATCH} ids."]})
        ids = list(dict.fromkeys(link_ids))

        def decide() -> Written[BulkRevocation]:
            loaded = self.event_store.load(*(Wanted(SingleUseLink, each) for each in ids))
            changed: list[SingleUseLink] = []
            rows: list[PersonalDataRow] = []
            unchanged: dict[UUID, AdmitOneError] = {}
            for link_id in ids:
                link = loaded.find(SingleUseLink, link_id)
                try:
                    if link is None or link.owner_id != owner_id:
                        raise LinkNotFound
                    if link.is_revoked:
                        raise LinkRevoked
                    rows += _revoke(link, reason, actor=actor, now=now)
                except AdmitOneError as refusal:
                    unchanged[link_id] = refusal
                else:
                    changed.append(link)
            position = self.event_store.record(*changed, personal_data=rows)
            return Written(BulkRevocation([link.id for link in changed], unchanged), position)

        return self.event_store.retry_on_conflict(decide)

    def replace(
        self, *, link_id: UUID, owner_id: UUID, actor: str, now: datetime
    ) -> Written[SingleUseLink]:
        """Revokes a link and issues one like it, with the same lifetime, in one transaction.

        Raises `LinkRedeemed`, `LinkRevoked`, `CalendarArchived` or `LinkNotFound`.
        """
        new_id = uuid4()

        def decide() -> Written[SingleUseLink]:
            origin = self.event_store.origin_of(link_id)
            loaded = self.event_store.load(
                Wanted(SingleUseLink, link_id), Wanted(Calendar, origin.calendar_id)
            )
            old = loaded.get_own(SingleUseLink, link_id, owner_id)
            calendar = loaded.get(Calendar, origin.calendar_id)
            calendar.must_take_links()
            row = personal_data.find(self.event_store.database, link_id, old.typed_version)
            rows, commitment = personal_data.row_for(new_id, 1, row.data if row else {})
            old.revoke(personal_data=None, replaced_by=new_id, actor=actor, now=now)
            # Its slots may have passed since the old one was issued, so the offer isn't checked.
            new = SingleUseLink.issue(
                link_id=new_id,
                owner_id=owner_id,
                calendar_id=calendar.id,
                expires_at=now + (old.expires_at - old.created_on),
                offer=old.offer,
                personal_data=commitment,
                actor=actor,
                now=now,
            )
            position = self.event_store.record(old, new, personal_data=rows, unchanged=[calendar])
            return Written(new, position)

        return self.event_store.retry_on_conflict(decide)


def _issue_all(
    calendar: Calendar, links: Sequence[NewLink], *, actor: str, now: datetime
) -> tuple[list[SingleUseLink], list[PersonalDataRow]]:
    """Issues all links and returns them with their rows. Raises `Invalid` with every fault."""
    issued: list[SingleUseLink] = []
    rows: list[PersonalDataRow] = []
    errors: dict[str, Sequence[str]] = {}
    for place, new in enumerate(links):
        try:
            link, row = _issue(calendar, new, new.link_id or uuid4(), actor=actor, now=now)
        except Invalid as invalid:
            for field, sentences in invalid.errors.items():
                errors[f"links.{place}.{field}"] = sentences
        else:
            issued.append(link)
            rows += row
    if errors:
        raise Invalid(errors)
    return issued, rows


def _issue(
    calendar: Calendar, new: NewLink, link_id: UUID, *, actor: str, now: datetime
) -> tuple[SingleUseLink, list[PersonalDataRow]]:
    rows, commitment = personal_data.row_for(link_id, 1, new.typed)
    link = issuing.issue(
        calendar,
        link_id=link_id,
        expires_at=new.expires_at or now + DEFAULT_LINK_LIFE,
        offer=new.offer,
        personal_data=commitment,
        actor=actor,
        now=now,
    )
    return link, rows


def _revoke(
    link: SingleUseLink, reason: str | None, *, actor: str, now: datetime
) -> list[PersonalDataRow]:
    """Revokes the link and returns the row that holds the reason."""
    rows, commitment = personal_data.row_for(link.id, link.version + 1, {"reason": reason})
    link.revoke(personal_data=commitment, actor=actor, now=now)
    return rows
