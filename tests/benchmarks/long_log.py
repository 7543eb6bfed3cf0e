"""A long log of a busy service, written directly in the form that its commands would write.

The same seed makes the same log. Streams are whole: every aggregate in it can be loaded, no
owner has two bookings at the same time, and links are used days after they were issued.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import NamedTuple
from uuid import UUID

import msgspec
import psycopg

from domain.agenda import AgendaDay
from domain.booking import Booking
from tests.support.examples import TERMS

BEGIN = datetime(2025, 1, 1, tzinfo=UTC)
FIRST_SLOT = datetime(2025, 2, 3, 9, tzinfo=UTC)
SLOTS_A_DAY = 16
OWNERS = 300
COMMITMENT = "c0" * 32
_TERMS = msgspec.json.encode(TERMS).decode()
_LONGEST_WAIT = 20_000  # links that are out at the same time


class Row(NamedTuple):
    """An event as the log stores it."""

    originator_id: UUID
    originator_version: int
    topic: str
    state: bytes
    recorded_at: datetime


class _Booked(NamedTuple):
    booking_id: UUID
    owner: int
    slot: int
    version: int


class History:
    """Makes one event after the other, without end."""

    def __init__(self, seed: int = 1) -> None:
        self._random = Random(seed)
        self._now = BEGIN
        self._owners = [self._uuid() for _ in range(OWNERS)]
        self._calendars = [self._uuid() for _ in range(OWNERS)]
        self._next_slot = [0] * OWNERS
        self._links: list[tuple[UUID, int]] = []
        self._bookings: list[_Booked] = []
        self._days: dict[UUID, int] = {}

    def rows(self) -> Iterator[Row]:
        """Events without end, in the order of the log."""
        for place, calendar in enumerate(self._calendars):
            yield self._row(
                calendar,
                1,
                "calendar.created",
                f'{{"actor":{self._account(place)},"owner_id":"{self._owners[place]}",'
                f'"terms":{_TERMS},"timestamp":{self._time()}}}',
            )
        while True:
            self._now += timedelta(seconds=self._random.randrange(1, 30))
            chance = self._random.random()
            if chance < 0.53 or len(self._links) < 100:
                yield self._issue()
            elif chance < 0.93 or len(self._bookings) < 100:
                yield from self._redeem()
            elif chance < 0.96:
                yield self._revoke()
            elif chance < 0.98:
                yield from self._cancel()
            else:
                yield from self._reschedule()

    def _issue(self) -> Row:
        link, owner = self._uuid(), self._random.randrange(OWNERS)
        self._links.append((link, owner))
        return self._row(
            link,
            1,
            "link.issued",
            f'{{"actor":{self._account(owner)},"calendar_id":"{self._calendars[owner]}",'
            f'"expires_at":{self._time(timedelta(days=90))},"owner_id":"{self._owners[owner]}",'
            f'"personal_data":"{COMMITMENT}","timestamp":{self._time()}}}',
        )

    def _redeem(self) -> Iterator[Row]:
        link, owner = self._take_link()
        booking_id = Booking.id_for(link)
        slot = self._new_slot(owner)
        start, end = _slot(slot)
        yield self._row(
            link,
            2,
            "link.redeemed",
            f'{{"actor":"invitee","booking_id":"{booking_id}","idempotency_key":null,'
            f'"slot_end":{end},"slot_start":{start},"timestamp":{self._time()}}}',
        )
        yield self._row(
            booking_id,
            1,
            "booking.made",
            f'{{"actor":"invitee","calendar_id":"{self._calendars[owner]}","calendar_version":1,'
            f'"link_id":"{link}","owner_id":"{self._owners[owner]}",'
            f'"personal_data":"{COMMITMENT}","slot_end":{end},"slot_start":{start},'
            f'"timestamp":{self._time()}}}',
        )
        yield from self._reserve(booking_id, owner, slot)
        self._bookings.append(_Booked(booking_id, owner, slot, 1))

    def _revoke(self) -> Row:
        link, owner = self._take_link()
        return self._row(
            link,
            2,
            "link.revoked",
            f'{{"actor":{self._account(owner)},"personal_data":null,"replaced_by":null,'
            f'"timestamp":{self._time()}}}',
        )

    def _cancel(self) -> Iterator[Row]:
        booked = self._take_booking()
        yield self._row(
            booked.booking_id,
            booked.version + 1,
            "booking.cancelled",
            f'{{"actor":"invitee","personal_data":null,"timestamp":{self._time()}}}',
        )
        yield self._release(booked)

    def _reschedule(self) -> Iterator[Row]:
        booked = self._take_booking()
        slot = self._new_slot(booked.owner)
        start, end = _slot(slot)
        yield self._row(
            booked.booking_id,
            booked.version + 1,
            "booking.rescheduled",
            f'{{"actor":"invitee","slot_end":{end},"slot_start":{start},'
            f'"timestamp":{self._time()}}}',
        )
        yield self._release(booked)
        yield from self._reserve(booked.booking_id, booked.owner, slot)
        self._bookings.append(booked._replace(slot=slot, version=booked.version + 1))

    def _reserve(self, booking_id: UUID, owner: int, slot: int) -> Iterator[Row]:
        day = (FIRST_SLOT + timedelta(days=slot // SLOTS_A_DAY)).date()
        agenda = AgendaDay.id_for(self._owners[owner], day)
        if agenda not in self._days:
            self._days[agenda] = 1
            yield self._row(
                agenda,
                1,
                "agenda.opened",
                f'{{"actor":"invitee","day":"{day}","owner_id":"{self._owners[owner]}",'
                f'"timestamp":{self._time()}}}',
            )
        start, end = _slot(slot)
        yield self._next(
            agenda,
            "agenda.slot_reserved",
            f'{{"actor":"invitee","booking_id":"{booking_id}","buffer_after_minutes":0,'
            f'"buffer_before_minutes":0,"slot_end":{end},"slot_start":{start},'
            f'"timestamp":{self._time()}}}',
        )

    def _release(self, booked: _Booked) -> Row:
        day = (FIRST_SLOT + timedelta(days=booked.slot // SLOTS_A_DAY)).date()
        return self._next(
            AgendaDay.id_for(self._owners[booked.owner], day),
            "agenda.slot_released",
            f'{{"actor":"invitee","booking_id":"{booked.booking_id}","timestamp":{self._time()}}}',
        )

    def _next(self, agenda: UUID, topic: str, state: str) -> Row:
        self._days[agenda] += 1
        return self._row(agenda, self._days[agenda], topic, state)

    def _take_link(self) -> tuple[UUID, int]:
        """Takes one of the open links; the oldest stay unused for ever."""
        del self._links[:-_LONGEST_WAIT]
        return self._links.pop(self._random.randrange(len(self._links)))

    def _take_booking(self) -> _Booked:
        del self._bookings[:-_LONGEST_WAIT]
        return self._bookings.pop(self._random.randrange(len(self._bookings)))

    def _new_slot(self, owner: int) -> int:
        slot = self._next_slot[owner]
        self._next_slot[owner] = slot + 1
        return slot

    def _row(self, originator_id: UUID, version: int, topic: str, state: str) -> Row:
        return Row(originator_id, version, topic, state.encode(), self._now)

    def _account(self, owner: int) -> str:
        return json.dumps(f"account:{self._owners[owner]}")

    def _time(self, later: timedelta = timedelta()) -> str:
        return f'"{(self._now + later).isoformat().replace("+00:00", "Z")}"'

    def _uuid(self) -> UUID:
        return UUID(int=self._random.getrandbits(128), version=4)


def _slot(number: int) -> tuple[str, str]:
    days, place = divmod(number, SLOTS_A_DAY)
    start = FIRST_SLOT + timedelta(days=days, minutes=30 * place)
    end = start + timedelta(minutes=30)
    return f'"{start.isoformat()[:-6]}Z"', f'"{end.isoformat()[:-6]}Z"'


def fill(conninfo: str, count: int, *, seed: int = 1) -> None:
    """Append `count` events, or one or two more, to the log at `conninfo`."""
    rows = History(seed).rows()
    with psycopg.connect(conninfo) as conn:
        with (
            conn.cursor() as cursor,
            cursor.copy(
                """COPY stored_events
                (originator_id, originator_version, topic, state, recorded_at)
                FROM STDIN (FORMAT BINARY)"""
            ) as copy,
        ):
            copy.set_types(["uuid", "int8", "text", "bytea", "timestamptz"])
            for _, row in zip(range(count), rows, strict=False):
                copy.write_row(row)
        conn.commit()
        conn.autocommit = True
        conn.execute("VACUUM ANALYZE stored_events")


def repeat(conninfo: str, times: int) -> None:
    """Makes the log `times` as long, with the same events of other aggregates.

    The server copies them, in a tenth of the CPU time of `fill`. Views can't be rebuilt from it,
    because ids inside the events stay the same.
    """
    with psycopg.connect(conninfo, autocommit=True) as conn:
        copied = conn.execute("SELECT max(notification_id) FROM stored_events").fetchone()
        for number in range(1, times):
            conn.execute(
                """INSERT INTO stored_events
                    (originator_id, originator_version, topic, state, recorded_at)
                SELECT md5(originator_id::text || %s)::uuid, originator_version, topic, state,
                    recorded_at
                FROM stored_events WHERE notification_id <= %s ORDER BY notification_id""",
                (str(number), copied and copied[0]),
            )
        conn.execute("VACUUM ANALYZE stored_events")
