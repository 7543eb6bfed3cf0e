"""A lively owner: several calendars, links in each state, bookings far and near."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from application.commands.links import NewLink
from application.people.personal_data import Invitee
from domain.booking import Booking
from domain.booking_rules import Availability
from interface.bootstrap import Services
from tests.browser import operator_data as trouble
from tests.browser.operator_data import shown
from tests.support.diary import Diary

EMAIL, NAME = "olivia@example.org", "Olivia Owner"
BEGINNER = "nils@example.org"
OPERATOR = "otto@example.org"
AUDITOR = "audrey@example.org"
ZONE = "Europe/Paris"

_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday")
_OFFICE = Availability(dict.fromkeys(_WEEKDAYS, (("09:00", "12:00"), ("13:00", "18:00"))), {})
_INVITEES = {
    "ada": Invitee("Ada Lovelace", "ada@example.org", "Europe/London"),
    "grace": Invitee("Grace Hopper", "grace.hopper@navy.example", "America/New_York"),
    "long": Invitee(
        "Maximiliane Freifrau von Donaudampfschifffahrtsgesellschaftskapitän",
        "maximiliane.von.donaudampfschifffahrtsgesellschaft@long-names.example",
        "Europe/Vienna",
    ),
    "smile": Invitee("Zoë 🎉 Nguyễn", "zoe@example.org", "Asia/Ho_Chi_Minh"),
    "right": Invitee("ليلى حداد", "layla@example.org", "Africa/Cairo"),
    "ben": Invitee("Ben Okafor", "ben@example.org", "Africa/Lagos"),
    "kim": Invitee("Kim Ji-woo", "kim@example.org", "Asia/Seoul"),
}
_NOTES = (
    "I would like to talk about the analytical engine, and whether it can compose music.\n\n"
    "Some reading beforehand: the notes on Menabrea's sketch."
)
# Weeks from this one, weekday, wall clock in Paris, calendar, invitee.
_BOOKINGS = (
    (-3, 1, "10:00", "intro", "ben"),
    (-2, 3, "15:00", "review", "grace"),
    (-1, 0, "09:30", "intro", "ada"),
    (-1, 4, "13:00", "intro", "smile"),
    (0, 0, "09:00", "intro", "ada"),
    (0, 1, "11:00", "review", "grace"),
    (0, 1, "14:30", "intro", "long"),
    (0, 2, "09:30", "coffee", "smile"),
    (0, 3, "16:00", "intro", "right"),
    (0, 4, "10:00", "review", "kim"),
    (1, 0, "13:00", "intro", "ben"),
    *((1, 2, f"{hour:02}:00", "intro", who) for hour, who in enumerate(_INVITEES, 9) if hour != 12),
    (2, 1, "17:00", "coffee", "ada"),
    (3, 4, "09:00", "review", "long"),
)


@dataclass(frozen=True)
class Demo:
    """What of it the walk through the pages has to name."""

    calendar: UUID
    archived: UUID
    active: UUID
    batch: tuple[UUID, UUID]
    used: UUID
    revoked: UUID
    booking: UUID
    elsewhere: UUID
    cancelled: UUID
    forgotten: UUID
    api_key: str
    """Its prefix."""
    tokens: dict[str, str]
    """Of links, by state; `managing` is the invitee's of a booking ahead."""


def fill(services: Services) -> Demo:
    """Make it, and return when the pages show it; and somebody who has nothing yet."""
    services.accounts.create(email=BEGINNER, name="Nils Beginner", roles=("owner",))
    services.accounts.create(email=OPERATOR, name="Otto Operator", roles=("operator",))
    auditor = services.accounts.create(email=AUDITOR, name="Audrey Auditor", roles=("auditor",))
    services.accounts.change(auditor, name=auditor.name, time_zone=ZONE)
    account = services.accounts.create(email=EMAIL, name=NAME, roles=("owner",))
    diary = Diary(services, services.accounts.change(account, name=NAME, time_zone=ZONE))
    now = services.now()
    long_ago = now - timedelta(days=60)
    calendars = {
        "intro": diary.calendar(
            "Intro call",
            location="Video call, the link follows by mail",
            description="Half an hour to get to know each other.\nNo need to prepare anything.",
            now=long_ago,
            time_zone=ZONE,
            availability=_OFFICE,
        ),
        "review": diary.calendar(
            "Design review with the whole studio and our friends from the print shop",
            minutes=60,
            location="Studio, 12 rue des Petites Écuries, 75010 Paris",
            now=long_ago,
            time_zone=ZONE,
            availability=_OFFICE,
            buffer_after_minutes=15,
        ),
        "coffee": diary.calendar(
            "☕ Coffee & questions",
            minutes=20,
            now=long_ago,
            time_zone=ZONE,
            availability=_OFFICE,
        ),
        "old": diary.calendar("Consulting hour", minutes=90, now=long_ago),
    }
    services.calendars.archive(
        calendar_id=calendars["old"], owner_id=account.id, actor="demo", now=now
    )
    bookings = {
        (weeks, weekday): diary.booking(
            calendars[calendar],
            _at(now, weeks, weekday, clock),
            _INVITEES[who],
            notes=_NOTES if who in ("ada", "long") else None,
            recipient=_INVITEES[who].name,
        )
        for weeks, weekday, clock, calendar, who in _BOOKINGS
    }
    ahead, elsewhere = bookings[2, 1], bookings[3, 4]
    off = diary.booking(calendars["intro"], _at(now, 2, 3, "10:00"), _INVITEES["kim"])
    diary.cancel(off)
    forgotten = bookings[-3, 1]
    diary.forget(forgotten)
    links = _links(diary, calendars["intro"], calendars["review"], now)
    trouble.brew(diary, calendars["intro"])
    shown(services)
    services.accounts.create_key(account, name="Website")
    key = services.accounts.create_key(account, name="The spreadsheet of the front desk")
    tokens = {state: services.tokens.for_link(link) for state, link in links.items()}
    tokens["managing"] = services.tokens.for_managing(ahead)
    tokens["managing-elsewhere"] = services.tokens.for_managing(elsewhere)
    tokens["managing-cancelled"] = services.tokens.for_managing(off)
    tokens["managing-forgotten"] = services.tokens.for_managing(forgotten)
    return Demo(
        calendar=calendars["intro"],
        archived=calendars["old"],
        active=links["active"],
        batch=(links["batch-first"], links["batch-last"]),
        used=links["used"],
        revoked=links["revoked"],
        booking=ahead,
        elsewhere=elsewhere,
        cancelled=off,
        forgotten=forgotten,
        api_key=key.split("_")[1],
        tokens=tokens,
    )


def _links(diary: Diary, intro: UUID, review: UUID, now: datetime) -> dict[str, UUID]:
    month_ago = now - timedelta(days=30)
    wishes = [NewLink(name) for name in ("Mina", "Noor", "Otto", "Pavel")]
    first, *_, last = diary.links(intro, *wishes)
    found = {
        "active": diary.link(intro, "Katherine Johnson", note="Met at the conference in Lyon"),
        "expired": diary.link(
            intro, "Emmy Noether", now=month_ago, expires_at=now - timedelta(days=2)
        ),
        "revoked": diary.link(review, "Somebody who changed their mind"),
        "batch-first": first,
        "batch-last": last,
    }
    diary.revoke(found["revoked"], "They found another time.")
    diary.link(review, _INVITEES["long"].name, note="Asked twice already; be kind.")
    diary.link(review, None, note="For whoever answers the newsletter first")
    diary.link(intro)
    diary.services.links.replace(
        link_id=diary.link(intro, "Hedy Lamarr"), owner_id=diary.owner.id, actor="demo", now=now
    )
    booking = diary.booking(
        intro, _at(now, 1, 3, "11:00"), _INVITEES["ada"], recipient="Ada's assistant"
    )
    used = diary.services.event_store.get(Booking, booking).link_id
    return found | {"used": used}


def _at(now: datetime, weeks: int, weekday: int, clock: str) -> datetime:
    hour, minute = map(int, clock.split(":"))
    today = now.astimezone(ZoneInfo(ZONE)).replace(
        hour=hour, minute=minute, second=0, microsecond=0
    )
    day = today + timedelta(weeks=weeks, days=weekday - today.weekday())
    return day.astimezone(UTC)
