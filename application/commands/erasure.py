"""Commands that forget invitees, and that report what is stored about a person.

Personal data is stored beside the log (see `application.people.personal_data`), so it can be
deleted while every event stays. The log records that it was deleted, and by whom.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from psycopg import Connection
from psycopg.rows import DictRow

from application import calendar_feeds, link_requests
from application.busy_calendars import busy_calendars
from application.commands.same_invitee import about_invitees, forgotten_with
from application.deliveries import outbox
from application.eventstore.database import Database
from application.eventstore.event_sourced_application import EventSourcedApplication, Written
from application.eventstore.loading import Wanted
from application.eventstore.recorder import Forgotten, VersionConflict
from application.link_requests import LinkRequests
from application.people import security_log
from application.people.accounts import AccountNotFound, Accounts
from application.people.api_keys import ApiKeys
from application.people.email_address import spellings
from application.webhooks.webhooks import webhooks_of
from domain.booking import INVITEE, Booking
from domain.link import SingleUseLink

PAGE = 1000
RETENTION = "retention"
OPERATOR = "operator"

_FORGOTTEN = f"""
    SELECT event.notification_id AS position, originator_id AS booking_id,
        convert_from(made.state, 'UTF8')::jsonb->>'personal_data' AS made
    FROM stored_events AS event JOIN stored_events AS made USING (originator_id)
    WHERE event.topic = '{Booking.InviteeForgotten.TOPIC}' AND event.notification_id > %s
        AND made.originator_version = 1
    ORDER BY event.notification_id LIMIT %s"""  # noqa: S608 - a constant

_ALL_ROWS = """
    SELECT originator_id, originator_version, data FROM personal_data
    WHERE (originator_id, originator_version) > (%s, %s)
    ORDER BY originator_id, originator_version LIMIT %s"""

_ROWS_WITH_EVENTS = """
    SELECT originator_id, topic, notification_id, recorded_at, data
    FROM personal_data LEFT JOIN stored_events USING (originator_id, originator_version)
    WHERE originator_id = ANY(%s::uuid[]) OR (originator_id, originator_version) IN
        (SELECT * FROM unnest(%s::uuid[], %s::bigint[]))
    ORDER BY notification_id"""


def erase(database: Database, originator_ids: Collection[UUID]) -> int:
    """Deletes all personal data of these bookings and links; returns the number of rows."""
    ids = list(originator_ids)

    def run(conn: Connection[DictRow]) -> int:
        for query in outbox.forgetting(ids):
            query.execute(conn)
        [row] = conn.execute("SELECT erase_invitees(%s) AS erased", (ids,))
        erased: int = row["erased"]
        return erased

    return database.run_idempotent(run)


class Erasure(NamedTuple):
    """An erasure in the log, by its position.

    `made` is what the log had in the place of the invitee: the commitment, which tells one booking
    with a link from another, made with it after the log was brought back to an earlier moment.
    """

    position: int
    booking_id: UUID
    made: str


class Repetition(NamedTuple):
    """The number of rows of personal data erased, and whether the erasure was recorded anew."""

    rows: int
    is_recorded: bool


def erasures_after(
    conn: Connection[DictRow], after: int, *, most: int | None = None
) -> list[Erasure]:
    """Returns the next erasures in the log after a position, by default a page of them."""
    rows = conn.execute(_FORGOTTEN.encode(), (after, most or PAGE))
    return [Erasure(**row) for row in rows]


@dataclass(frozen=True)
class ErasureCommands:
    """Forgets invitees, and reports what is stored about a person."""

    event_store: EventSourcedApplication
    accounts: Accounts
    api_keys: ApiKeys
    link_requests: LinkRequests

    def forget(
        self, *, booking_id: UUID, owner_id: UUID | None, actor: str, now: datetime
    ) -> Written[Booking]:
        """Deletes all personal data of a booking's invitee and records that, in one transaction.

        The second time, nothing is recorded, but data that came back from a backup is deleted
        again. With `owner_id`, accepts only a booking of this owner. Raises `BookingNotFound`.
        """

        def decide() -> Written[Booking]:
            if owner_id is None:
                booking = self.event_store.get(Booking, booking_id)
            else:
                booking = self.event_store.get_own(Booking, booking_id, owner_id)
            return self._forget(booking, self._about([booking.id]), actor=actor, now=now)

        return self.event_store.retry_on_conflict(decide)

    def forget_if_ended(self, *, booking_id: UUID, by: datetime, now: datetime) -> bool:
        """Like `forget`, but only if the booking has ended by `by`; returns whether it has."""

        def decide() -> bool:
            booking = self.event_store.get(Booking, booking_id)
            if booking.slot.end > by:
                return False
            self._forget(booking, self._about([booking.id]), actor=RETENTION, now=now)
            return True

        return self.event_store.retry_on_conflict(decide)

    def reapply(self) -> int:
        """Deletes again everything that was ever forgotten; returns how many rows had come back."""
        database = self.event_store.database
        erased = after = 0
        while page := database.run_idempotent(partial(erasures_after, after=after)):
            booking_ids = [each.booking_id for each in page]
            forgotten = partial(forgotten_with, booking_ids=booking_ids)
            erased += self._erase(
                database.run_idempotent(forgotten) | self._same_invitee(booking_ids)
            )
            after = page[-1].position
        return erased

    def forget_again(
        self, booking_id: UUID, made: str | None, link_ids: Collection[UUID], *, now: datetime
    ) -> Repetition | None:
        """Repeats an erasure that the log may have lost when it was brought back to a moment.

        The booking need not be in the log. If it was made anew since, and not as `made` says,
        nothing is erased, and the result is None. With None for `made`, every booking is erased.
        """

        def decide() -> Repetition | None:
            booking = self.event_store.find(Booking, booking_id)
            if _is_made_anew(booking, made):
                return None
            known = [Forgotten(booking_id, each) for each in (booking_id, *link_ids)]
            if booking is None or booking.is_invitee_forgotten:
                return Repetition(self._erase({each.id for each in known}), False)
            forgotten = sorted({*known, *self._about([booking_id])})
            rows = self._rows_of({each.id for each in forgotten})
            self._forget(booking, forgotten, actor=OPERATOR, now=now)
            return Repetition(rows, True)

        return self.event_store.retry_on_conflict(decide)

    def is_made_anew(self, booking_id: UUID, made: str | None) -> bool:
        """Returns whether this is the booking of somebody else than was forgotten in it before."""
        return _is_made_anew(self.event_store.find(Booking, booking_id), made)

    def that_came_back(self, originator_ids: Collection[UUID]) -> set[UUID]:
        """Returns those of these bookings and links that have personal data."""
        rows = self.event_store.database.fetch_all(
            "SELECT DISTINCT originator_id AS id FROM personal_data"
            " WHERE originator_id = ANY(%s::uuid[])",
            (list(originator_ids),),
        )
        return {row["id"] for row in rows}

    def personal_data_about(self, email: str) -> dict[str, Any]:
        """Returns everything stored about an e-mail address, as JSON-able data.

        That is: the bookings made with it and the texts of their links, any other row whose
        text names it, and the account with this address, without secrets. Case is ignored.
        """
        naming_it: list[DictRow] = []
        booked_with_it: list[UUID] = []
        either = "|".join(re.escape(spelling) for spelling in spellings(email))
        address = re.compile(rf"(?<![\w.%+-])(?:{either})(?![\w-]|\.\w)", re.IGNORECASE)
        for row in self._all_rows():
            if any(address.search(text) for text in row["data"].values()):
                naming_it.append(row)
                if address.fullmatch(row["data"].get("email", "")):
                    booked_with_it.append(row["originator_id"])
        rows = self.event_store.database.fetch_all(
            _ROWS_WITH_EVENTS,
            (
                list(self._same_invitee(booked_with_it)),
                [row["originator_id"] for row in naming_it],
                [row["originator_version"] for row in naming_it],
            ),
        )
        report: dict[str, Any] = msgspec.to_builtins(
            {
                "email": email,
                "typed": [self._row_report(row) for row in rows],
                "link_requests": link_requests.report(self.link_requests.about(email)),
                "accounts": self._account_report(email),
            }
        )
        return report

    def _forget(
        self, booking: Booking, forgotten: Sequence[Forgotten], *, actor: str, now: datetime
    ) -> Written[Booking]:
        if booking.is_invitee_forgotten:
            self._erase({each.id for each in forgotten})
            return Written(booking, self.event_store.head())
        booking.forget_invitee(actor=actor, now=now)
        links = self._without_text(booking, forgotten, actor=actor, now=now)
        position = self.event_store.record(booking, *links, forgotten=forgotten)
        self._record_in_security_log(booking, actor=actor)
        return Written(booking, position)

    def _without_text(
        self, booking: Booking, forgotten: Collection[Forgotten], *, actor: str, now: datetime
    ) -> list[SingleUseLink]:
        """Returns the other links that are forgotten with a booking, without their text.

        Raises `VersionConflict` if one of them was replaced since they were looked up.
        """
        others = {each.id for each in forgotten} - {booking.id, booking.link_id}
        if not others:
            return []
        loaded = self.event_store.load(*(Wanted(SingleUseLink, each) for each in others))
        if not set(self._about([booking.id])).issubset(forgotten):
            raise VersionConflict(booking.id, booking.version)
        links = loaded.all(SingleUseLink)
        for link in links:
            link.forget_text(actor=actor, now=now)
        return links

    def _record_in_security_log(self, booking: Booking, *, actor: str) -> None:
        """Records after the event, which has the actor as well; of invitees without an address."""
        details = {"booking": str(booking.id), "by": actor}
        with self.event_store.database.connection() as conn, conn.transaction():
            if actor in (INVITEE, RETENTION):
                with security_log.acting(lambda: security_log.Origin(actor)):
                    security_log.record(conn, security_log.DATA_ERASED, details=details)
            else:
                security_log.record(
                    conn, security_log.DATA_ERASED, account_id=booking.owner_id, details=details
                )

    def _same_invitee(self, booking_ids: Collection[UUID]) -> set[UUID]:
        """Returns the bookings and links with personal data about the invitees of bookings."""
        return {each.id for each in self._about(booking_ids)}

    def _about(self, booking_ids: Collection[UUID]) -> list[Forgotten]:
        return self.event_store.database.run_idempotent(
            partial(about_invitees, booking_ids=booking_ids)
        )

    def _erase(self, originator_ids: Collection[UUID]) -> int:
        return erase(self.event_store.database, originator_ids)

    def _rows_of(self, originator_ids: Collection[UUID]) -> int:
        row = self.event_store.database.fetch_one(
            "SELECT count(*) AS n FROM personal_data WHERE originator_id = ANY(%s::uuid[])",
            (list(originator_ids),),
        )
        return row["n"] if row else 0

    def _all_rows(self) -> Iterator[DictRow]:
        """Yields all personal data, page by page."""
        after = UUID(int=0), 0
        while page := self.event_store.database.fetch_all(_ALL_ROWS, (*after, PAGE)):
            yield from page
            after = page[-1]["originator_id"], page[-1]["originator_version"]

    def _row_report(self, row: DictRow) -> dict[str, Any]:
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

    def _account_report(self, email: str) -> list[dict[str, Any]]:
        try:
            account = self.accounts.by_email(email)
        except AccountNotFound:
            return []
        calendars = busy_calendars.calendars_of(self.event_store.database, account.id)
        webhooks = webhooks_of(self.event_store.database, account.id)
        feeds = calendar_feeds.feeds_of(self.event_store.database, account.id)
        return [
            {
                **msgspec.to_builtins(account),
                "api_keys": msgspec.to_builtins(self.api_keys.of(account)),
                "busy_calendars": [
                    {"name": calendar.name, "url": calendar.masked_url} for calendar in calendars
                ],
                "webhooks": [{"url": webhook.url} for webhook in webhooks],
                "calendar_feeds": msgspec.to_builtins(feeds),
            }
        ]


def _is_made_anew(booking: Booking | None, made: str | None) -> bool:
    return (
        booking is not None
        and not booking.is_invitee_forgotten
        and made not in (None, booking.personal_data)
    )
