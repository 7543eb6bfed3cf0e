"""A busy owner: several calendars, links in each state, bookings near and far."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from application.busy_calendars.busy_calendars import ReadProblem
from application.calendar_feeds import FeedDetail
from application.commands.new_link import NewLink
from application.people.accounts import Account
from application.people.passkeys import Passkeys, RelyingParty
from application.people.personal_data import Invitee
from application.webhooks.webhooks import WebhookEvent
from domain.booking_rules import Availability
from domain.link import SingleUseLink
from interface.bootstrap import Services
from tests.browser.operator_data import add_operator_data, wait_for_views
from tests.support.authenticator import Authenticator
from tests.support.desk import ALWAYS_OPEN, Desk
from tests.support.examples import NOW

EMAIL, NAME = "olivia@example.org", "Olivia Owner"
BEGINNER = "nils@example.org"
OPERATOR = "otto@example.org"
AUDITOR = "audrey@example.org"
ADMIN = "owner@localhost"
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
    """The ids and tokens that the list of pages needs."""

    owner: UUID
    calendar: UUID
    schedule: UUID
    archived: UUID
    active: UUID
    batch: tuple[UUID, UUID]
    used: UUID
    revoked: UUID
    replaced: UUID
    booking: UUID
    elsewhere: UUID
    cancelled: UUID
    day_of_cancelled: date
    """A day with every kind of change to an agenda."""
    forgotten: UUID
    busy_calendar: UUID
    webhook: UUID
    feed: UUID
    auditor: UUID
    passkey: UUID
    api_key: str
    """Its prefix."""
    tokens: dict[str, str]
    """Tokens of links by state; `managing` is the invitee's token of a future booking."""


def fill(services: Services) -> Demo:
    """Creates the owner and one without data, and returns when the pages show it all."""
    services.accounts.create(email=BEGINNER, name="Nils Beginner", roles=("owner",))
    services.accounts.create(email=OPERATOR, name="Otto Operator", roles=("operator",))
    auditor = services.accounts.create(email=AUDITOR, name="Audrey Auditor", roles=("auditor",))
    services.accounts.change(auditor, name=auditor.name, time_zone=ZONE)
    account = services.accounts.create(email=EMAIL, name=NAME, roles=("owner",))
    services.accounts.change(account, name=NAME, time_zone=ZONE)
    services.sessions.set_password(account, "several quiet words", now=services.now())
    desk = Desk(services, account.id, f"account:{account.id}")
    now = services.now()
    long_ago = now - timedelta(days=60)
    schedule = desk.new_schedule(name="Office hours", time_zone=ZONE, availability=_OFFICE)
    calendars = {
        "intro": desk.new_calendar(
            name="Intro call",
            location="Video call, the link follows by mail",
            description="Half an hour to get to know each other.\nNo need to prepare anything.",
            now=long_ago,
            time_zone=ZONE,
            availability=_OFFICE,
            minimum_notice_minutes=0,
        ),
        "review": desk.new_calendar(
            name="Design review with the whole studio and our friends from the print shop",
            description="",
            duration_minutes=60,
            location="Studio, 12 rue des Petites Écuries, 75010 Paris",
            now=long_ago,
            time_zone=ZONE,
            availability=_OFFICE,
            minimum_notice_minutes=0,
            buffer_after_minutes=15,
        ),
        "coffee": desk.new_calendar(
            name="☕ Coffee & questions",
            location="",
            description="",
            duration_minutes=20,
            schedule_id=schedule,
            now=long_ago,
            time_zone=ZONE,
            availability=_OFFICE,
            minimum_notice_minutes=0,
        ),
        "old": desk.new_calendar(
            name="Consulting hour",
            location="",
            description="",
            duration_minutes=90,
            now=long_ago,
            **ALWAYS_OPEN,
        ),
    }
    desk.archive(calendars["old"])
    bookings = {
        (weeks, weekday): desk.new_booking(
            calendars[calendar],
            _at(now, weeks, weekday, clock),
            _INVITEES[who],
            notes=_NOTES if who in ("ada", "long") else None,
            recipient=_INVITEES[who].name,
        )
        for weeks, weekday, clock, calendar, who in _BOOKINGS
    }
    ahead, elsewhere = bookings[2, 1], bookings[3, 4]
    off_at = _at(now, 2, 3, "10:00")
    off = desk.new_booking(calendars["intro"], off_at, _INVITEES["kim"])
    desk.reschedule(off, _at(now, 2, 3, "16:00"))
    desk.cancel(off, reason="My train was cancelled.")
    desk.ask_to_reschedule(elsewhere, "I have to catch a train. Could we meet in the afternoon?")
    forgotten = bookings[-3, 1]
    desk.forget(forgotten)
    links = _links(desk, calendars["intro"], calendars["review"], now)
    add_operator_data(desk, calendars["intro"])
    wait_for_views(services)
    services.api_keys.create(account, name="Website", now=NOW)
    key = services.api_keys.create(account, name="The spreadsheet of the front desk", now=NOW)
    services.link_requests.ask(
        services.event_store.get(SingleUseLink, links["revoked"]),
        name="Alan Turing",
        email="alan@example.org",
        message="Could we still meet in December?",
        language="en",
        now=now,
    )
    tokens = {state: services.tokens.for_link(link) for state, link in links.items()}
    tokens["managing"] = services.tokens.for_managing(ahead)
    tokens["managing-elsewhere"] = services.tokens.for_managing(elsewhere)
    tokens["managing-cancelled"] = services.tokens.for_managing(off)
    tokens["managing-forgotten"] = services.tokens.for_managing(forgotten)
    family = _busy_calendar(services, account.id, "Family", "calendar.example.org", None)
    _busy_calendar(services, account.id, "Choir", "choir.example", ReadProblem.NOT_FOUND)
    webhook = _webhook(services, account.id, links["used"], ahead)
    for calendar_id, detail in ((None, FeedDetail.FULL), (calendars["intro"], FeedDetail.BUSY)):
        feed = services.calendar_feeds.create(
            owner_id=account.id, calendar_id=calendar_id, detail=detail, now=now
        )
    return Demo(
        owner=account.id,
        auditor=auditor.id,
        calendar=calendars["intro"],
        schedule=schedule,
        archived=calendars["old"],
        active=links["active"],
        batch=(links["batch-first"], links["batch-last"]),
        used=links["used"],
        revoked=links["revoked"],
        replaced=links["replaced"],
        booking=ahead,
        elsewhere=elsewhere,
        cancelled=off,
        day_of_cancelled=off_at.date(),
        forgotten=forgotten,
        busy_calendar=family,
        webhook=webhook,
        feed=feed.id,
        passkey=_add_passkey(services, account),
        api_key=key.split("_")[1],
        tokens=tokens,
    )


def _links(desk: Desk, intro: UUID, review: UUID, now: datetime) -> dict[str, UUID]:
    month_ago = now - timedelta(days=30)
    several = [NewLink(name) for name in ("Mina", "Noor", "Otto", "Pavel")]
    first, *_, last = (link.id for link in desk.issue(intro, *several).value)
    found = {
        "active": desk.new_link(
            intro, recipient="Katherine Johnson", note="Met at the conference in Lyon"
        ),
        "expired": desk.new_link(
            intro, recipient="Emmy Noether", now=month_ago, expires_at=now - timedelta(days=2)
        ),
        "revoked": desk.new_link(review, recipient=f"Ada <{'long' * 20}@example.org>"),
        "replaced": desk.new_link(intro, recipient=f"Grace <{'long' * 20}@example.org>"),
        "batch-first": first,
        "batch-last": last,
    }
    desk.revoke(found["revoked"], reason="Why " * 50)
    desk.replace(found["replaced"])
    desk.new_link(review, recipient=_INVITEES["long"].name, note="Asked twice already; be kind.")
    desk.new_link(review, note="For whoever answers the newsletter first")
    desk.new_link(intro)
    booking = desk.new_booking(
        intro, _at(now, 1, 3, "11:00"), _INVITEES["ada"], recipient="Ada's assistant"
    )
    return found | {"used": desk.booking(booking).link_id}


def _busy_calendar(
    services: Services, owner_id: UUID, name: str, host: str, problem: ReadProblem | None
) -> UUID:
    """Adds a calendar elsewhere that was read an hour ago and is not read again."""
    calendar_id, now = uuid4(), services.now()
    an_hour_ago = now - timedelta(hours=1)
    with services.database.connection() as conn:
        conn.execute(
            """INSERT INTO busy_calendars (id, owner_id, name, url, created_at, next_read_at,
                last_read_at, problem, problem_since)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)""",
            (
                *(calendar_id, owner_id, name, f"https://{host}/secret.ics"),
                *(an_hour_ago, now + timedelta(days=365), an_hour_ago),
                *(problem, an_hour_ago if problem else None),
            ),
        )
    return calendar_id


def _webhook(services: Services, owner_id: UUID, link_id: UUID, booking_id: UUID) -> UUID:
    """Adds a webhook that is paused, with a message that was sent and one that was given up."""
    now = services.now()
    webhook = services.webhooks.add(
        owner_id=owner_id,
        url="https://93.184.216.34/hooks/booking",
        events=tuple(WebhookEvent),
        personal_data=True,
        now=now,
    )
    services.webhooks.change(owner_id, webhook.id, is_active=False)
    with services.database.connection() as conn:
        for kind, about, state, answer in (
            ("link.issued", None, "sent", "HTTP 204"),
            ("booking.made", booking_id, "parked", "HTTP 503"),
        ):
            conn.execute(
                """INSERT INTO deliveries (id, channel, kind, audience, target, owner_id,
                    booking_id, link_id, due_at, state, attempts, next_attempt_at, answer, sent_at)
                VALUES (%s, 'webhook', %s, 'owner', %s, %s, %s, %s, %s, %s, 12, %s, %s, %s)""",
                (
                    *(uuid4(), kind, str(webhook.id), owner_id, about, link_id),
                    *(now, state, now, answer, now if state == "sent" else None),
                ),
            )
    return webhook.id


def _at(now: datetime, weeks: int, weekday: int, clock: str) -> datetime:
    hour, minute = map(int, clock.split(":"))
    today = now.astimezone(ZoneInfo(ZONE)).replace(
        hour=hour, minute=minute, second=0, microsecond=0
    )
    day = today + timedelta(weeks=weeks, days=weekday - today.weekday())
    return day.astimezone(UTC)


def _add_passkey(services: Services, account: Account) -> UUID:
    """Adds a passkey, as at an address for which browsers have some."""
    passkeys = Passkeys(services.database, RelyingParty("localhost", "http://localhost"))
    device = Authenticator(origin="http://localhost")
    made = device.make(passkeys.begin_to_add(account, now=services.now()))
    return passkeys.add(account, made, name="Work laptop", now=services.now()).id
