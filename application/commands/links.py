"""Commands on links, except redeeming them."""

# Annotations of the functions inside of a command would be evaluated each time it is called.
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from application.commands.new_link import NewLink
from application.commands.repeated_issuing import IssuingKey, confirm_replaced, issued_before
from application.eventstore.deadline import deadline
from application.eventstore.event_sourced_application import EventSourcedApplication, Written
from application.eventstore.loading import Wanted
from application.eventstore.recorder import PersonalDataRow, StaleRead, VersionConflict
from application.people import personal_data
from domain import issuing
from domain.calendar import Calendar
from domain.errors import AdmitOneError, CalendarArchived, Invalid, LinkNotFound, LinkRevoked
from domain.link import LONGEST_LIFE, SingleUseLink

LARGEST_BATCH = 500
UNASKED_SECONDS = 5.0
"""For so long after its log was read, links are issued for a calendar without asking again."""


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
        idempotency_key: str | None = None,
    ) -> Written[list[SingleUseLink]]:
        """Issues 1 to 500 links, all or none.

        The same `idempotency_key` of the same account with the same links gets the first answer
        again: the links as they were issued.

        Raises `CalendarArchived`, `CalendarNotFound`, `IdempotencyMismatch`, or `Invalid`, which
        names a field of one link among several as `links.<place>.<field>`. If the text of a link
        was erased since an earlier request, raises what ended that link.
        """
        if not 1 <= len(links) <= LARGEST_BATCH:
            raise Invalid({"links": [f"Must be 1 to {LARGEST_BATCH} links."]})

        store = self.event_store
        key = None if idempotency_key is None else IssuingKey(owner_id, idempotency_key)

        def issue_for(calendar: Calendar) -> Written[list[SingleUseLink]]:
            issued, rows = _issue_all(calendar, links, key, actor=actor, now=now)
            position = store.record(*issued, personal_data=rows, unchanged=[calendar])
            return Written(issued, position)

        def decide() -> Written[list[SingleUseLink]]:
            return issue_for(store.get_own(Calendar, calendar_id, owner_id))

        def decide_by(key: IssuingKey) -> Written[list[SingleUseLink]]:
            first = Wanted(SingleUseLink, key.link_id(0))
            loaded = store.load(Wanted(Calendar, calendar_id), first)
            if loaded.find(SingleUseLink, first.id):
                return issued_before(store, key, calendar_id=calendar_id, links=links, now=now)
            return issue_for(loaded.get_own(Calendar, calendar_id, owner_id))

        if key is not None:
            return store.retry_on_conflict(lambda: decide_by(key))
        with deadline():
            calendar = store.remembered(Calendar, calendar_id, for_seconds=UNASKED_SECONDS)
            if calendar is not None and calendar.owner_id == owner_id:
                try:
                    return issue_for(calendar)  # the append checks that it is still the newest
                except (StaleRead, CalendarArchived, Invalid):
                    pass  # what is remembered may be out of date, so read the log
            return store.retry_on_conflict(decide)

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
        self,
        *,
        link_id: UUID,
        owner_id: UUID,
        actor: str,
        now: datetime,
        idempotency_key: str | None = None,
    ) -> Written[SingleUseLink]:
        """Revokes a link and issues one like it, with the same lifetime, in one transaction.

        The same `idempotency_key` for the same link gets the first answer again: the new link as
        it was issued.

        Raises `LinkRedeemed`, `LinkRevoked`, `CalendarArchived`, `IdempotencyMismatch` or
        `LinkNotFound`.
        """
        key = None if idempotency_key is None else IssuingKey(owner_id, idempotency_key)
        new_id = uuid4() if key is None else key.link_id(0)

        def decide() -> Written[SingleUseLink]:
            known = self.event_store.last_known(SingleUseLink, link_id)
            loaded = self.event_store.load(
                Wanted(SingleUseLink, link_id),
                Wanted(Calendar, known.calendar_id),
                *([Wanted(SingleUseLink, new_id, 1)] if key else []),
            )
            if key and (first := loaded.find(SingleUseLink, new_id, 1)):
                confirm_replaced(key, link_id, first)
                return Written(first, self.event_store.head())
            old = loaded.get_own(SingleUseLink, link_id, owner_id)
            if old.origin != known.origin:
                raise VersionConflict(link_id, 1)  # another one since the database was restored
            calendar = loaded.get(Calendar, known.calendar_id)
            row = personal_data.find(self.event_store.database, link_id, old.typed_version)
            rows, commitment = personal_data.row_for(new_id, 1, row.data if row else {})
            old.revoke(personal_data=None, replaced_by=new_id, actor=actor, now=now)
            calendar.must_take_links()
            # Its slots may have passed since the old one was issued, so the offer isn't checked.
            new = SingleUseLink.issue(
                link_id=new_id,
                owner_id=owner_id,
                calendar_id=calendar.id,
                expires_at=now + min(old.expires_at - old.created_on, LONGEST_LIFE),
                offer=old.offer,
                personal_data=commitment,
                idempotency_key=key.when_replacing(link_id) if key else None,
                actor=actor,
                now=now,
            )
            position = self.event_store.record(old, new, personal_data=rows, unchanged=[calendar])
            return Written(new, position)

        return self.event_store.retry_on_conflict(decide)


def _issue_all(
    calendar: Calendar,
    links: Sequence[NewLink],
    key: IssuingKey | None,
    *,
    actor: str,
    now: datetime,
) -> tuple[list[SingleUseLink], list[PersonalDataRow]]:
    """Issues all links and returns them with their rows. Raises `Invalid` with every fault."""
    issued: list[SingleUseLink] = []
    rows: list[PersonalDataRow] = []
    errors: dict[str, Sequence[str]] = {}
    for place, new in enumerate(links):
        try:
            link, row = _issue(calendar, new, key, place, actor=actor, now=now)
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
    calendar: Calendar,
    new: NewLink,
    key: IssuingKey | None,
    place: int,
    *,
    actor: str,
    now: datetime,
) -> tuple[SingleUseLink, list[PersonalDataRow]]:
    link_id = uuid4() if key is None else key.link_id(place)
    rows, commitment = personal_data.row_for(link_id, 1, new.typed)
    link = issuing.issue(
        calendar,
        link_id=link_id,
        expires_at=new.expiry(now),
        offer=new.offer,
        personal_data=commitment,
        idempotency_key=key.when_issuing if key else None,
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
