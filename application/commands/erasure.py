"""What is kept about people, and how it is forgotten.

Personal data stands beside the log (see `application.people.personal_data`), so it can go without
any event going: what is recorded is that it went, and by whom.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from psycopg.rows import DictRow

from application.eventstore.event_sourced_application import EventSourcedApplication, Written
from application.people.accounts import AccountNotFound, Accounts
from application.people.email_address import spellings
from domain.booking import Booking

PAGE = 1000
RETENTION = "retention"
OPERATOR = "operator"

# A booking's rows, its link's, and those of the links that were replaced on the way to that
# one: a replacement takes recipient and note along. What a link replaced stands right before
# it in the log, because both were recorded in one append.
_KEPT_WITH = """
    WITH RECURSIVE link (id) AS (
        SELECT (convert_from(state, 'UTF8')::jsonb->>'link_id')::uuid
        FROM stored_events WHERE originator_id = ANY(%(ids)s::uuid[]) AND originator_version = 1
    UNION
        SELECT before.originator_id
        FROM link JOIN stored_events AS issued
            ON issued.originator_id = link.id AND issued.originator_version = 1
        CROSS JOIN LATERAL (
            SELECT * FROM stored_events WHERE notification_id < issued.notification_id
            ORDER BY notification_id DESC LIMIT 1
        ) AS before
        WHERE before.topic = 'link.revoked'
            AND convert_from(before.state, 'UTF8')::jsonb->>'replaced_by' = link.id::text
    )
    SELECT id FROM link UNION SELECT unnest(%(ids)s::uuid[])"""

_ERASE = """
    WITH attempts AS (DELETE FROM refused_attempts WHERE link_id = ANY(%(ids)s::uuid[]))
    DELETE FROM personal_data WHERE originator_id = ANY(%(ids)s::uuid[])"""

_RECORDED = f"""
    SELECT notification_id, originator_id FROM stored_events
    WHERE topic = '{Booking.InviteeForgotten.TOPIC}' AND notification_id > %s
    ORDER BY notification_id LIMIT {PAGE}"""  # noqa: S608 - two constants

_EVERYTHING = f"""
    SELECT originator_id, originator_version, data FROM personal_data
    WHERE (originator_id, originator_version) > (%s, %s)
    ORDER BY originator_id, originator_version LIMIT {PAGE}"""  # noqa: S608 - a constant

_HELD = """
    SELECT originator_id, topic, notification_id, recorded_at, data
    FROM personal_data LEFT JOIN stored_events USING (originator_id, originator_version)
    WHERE originator_id = ANY(%s::uuid[]) OR (originator_id, originator_version) IN
        (SELECT * FROM unnest(%s::uuid[], %s::bigint[]))
    ORDER BY notification_id"""


@dataclass(frozen=True)
class ErasureCommands:
    """Forgets invitees, and reports what is held about a person."""

    event_store: EventSourcedApplication
    accounts: Accounts

    def forget(
        self, *, booking_id: UUID, owner_id: UUID | None, actor: str, now: datetime
    ) -> Written[Booking]:
        """Erase what was typed about a booking's invitee and record that, in one transaction.

        With `owner_id` only that owner's. Again: nothing is recorded, and whatever came
        back from a backup is erased again. Raises `BookingNotFound`.
        """

        def decide() -> Written[Booking]:
            if owner_id is None:
                booking = self.event_store.get(Booking, booking_id)
            else:
                booking = self.event_store.get_own(Booking, booking_id, owner_id)
            return self._forget(booking, actor=actor, now=now)

        return self.event_store.retry_on_conflict(decide)

    def forget_if_ended(self, *, booking_id: UUID, by: datetime, now: datetime) -> bool:
        """As `forget`, of a booking that had ended `by` then; whether it had."""

        def decide() -> bool:
            booking = self.event_store.get(Booking, booking_id)
            if booking.slot.end > by:
                return False
            self._forget(booking, actor=RETENTION, now=now)
            return True

        return self.event_store.retry_on_conflict(decide)

    def reapply(self) -> int:
        """Erase again all that was ever forgotten; how many rows had come back."""
        erased = after = 0
        while page := self.event_store.database.fetch_all(_RECORDED, (after,)):
            erased += self._erase(self._kept_with([row["originator_id"] for row in page]))
            after = page[-1]["notification_id"]
        return erased

    def personal_data_about(self, email: str) -> dict[str, Any]:
        """All that is held about an e-mail address, as JSON-able data; case is ignored.

        The bookings made with it, with the words of their links, whatever else names it
        in its text, and the account with it, without secrets.
        """
        named: list[DictRow] = []
        booked: list[UUID] = []
        either = "|".join(re.escape(spelling) for spelling in spellings(email))
        address = re.compile(rf"(?<![\w.%+-])(?:{either})(?![\w-]|\.\w)", re.IGNORECASE)
        for row in self._everything():
            if any(address.search(text) for text in row["data"].values()):
                named.append(row)
                if address.fullmatch(row["data"].get("email", "")):
                    booked.append(row["originator_id"])
        held = self.event_store.database.fetch_all(
            _HELD,
            (
                self._kept_with(booked),
                [row["originator_id"] for row in named],
                [row["originator_version"] for row in named],
            ),
        )
        found = {
            "email": email,
            "typed": [self._shown(row) for row in held],
            "accounts": self._accounts(email),
        }
        shown: dict[str, Any] = msgspec.to_builtins(found)
        return shown

    def _forget(self, booking: Booking, *, actor: str, now: datetime) -> Written[Booking]:
        kept = self._kept_with([booking.id])
        if booking.is_invitee_forgotten:
            self._erase(kept)
        booking.forget_invitee(actor=actor, now=now)
        return self.event_store.write(booking, forgotten=kept)

    def _kept_with(self, booking_ids: Collection[UUID]) -> list[UUID]:
        """Whose rows of personal data are about the invitees of these bookings."""
        rows = self.event_store.database.fetch_all(_KEPT_WITH, {"ids": list(booking_ids)})
        return [row["id"] for row in rows]

    def _erase(self, originator_ids: Collection[UUID]) -> int:
        return self.event_store.database.run_idempotent(
            lambda conn: conn.execute(_ERASE, {"ids": list(originator_ids)}).rowcount
        )

    def _everything(self) -> Iterator[DictRow]:
        place = UUID(int=0), 0
        while page := self.event_store.database.fetch_all(_EVERYTHING, place):
            yield from page
            place = page[-1]["originator_id"], page[-1]["originator_version"]

    def _shown(self, row: DictRow) -> dict[str, Any]:
        booking = self.event_store.find(Booking, row["originator_id"]) or self.event_store.find(
            Booking, Booking.id_for(row["originator_id"])
        )
        return {
            "link_id": booking.link_id if booking else row["originator_id"],
            "booking_id": booking and booking.id,
            "event": row["topic"],
            "position": row["notification_id"],
            "recorded_at": row["recorded_at"],
            "data": row["data"],
        }

    def _accounts(self, email: str) -> list[dict[str, Any]]:
        try:
            account = self.accounts.by_email(email)
        except AccountNotFound:
            return []
        keys = self.accounts.keys_of(account)
        return [{**msgspec.to_builtins(account), "api_keys": msgspec.to_builtins(keys)}]
