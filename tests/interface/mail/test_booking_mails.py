"""The mails about a booking, as a real mail server gets them and a calendar reads them."""

from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from threading import Event
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from icalendar import Calendar

from application.deliveries.sender import Sender
from application.people.accounts import Account
from application.people.personal_data import Invitee
from interface.bootstrap import Services
from tests.interface.mail.conftest import Send
from tests.support.clock import Clock
from tests.support.desk import ALWAYS_OPEN, Desk
from tests.support.examples import GRACE, NOW, TOMORROW_AT_NINE
from tests.support.mail_server import MailServer

NEXT_WEEK = TOMORROW_AT_NINE + timedelta(days=7)
AN_HOUR = timedelta(hours=1)


def calendar_part(mail: EmailMessage) -> tuple[str, Any]:
    """Returns the method of a mail's calendar part, by header and content alike, and its event."""
    (part,) = (part for part in mail.walk() if part.get_content_type() == "text/calendar")
    calendar = Calendar.from_ical(part.get_content())
    (event,) = calendar.walk("VEVENT")
    assert part["Content-Type"].params["method"] == calendar["METHOD"]
    return str(calendar["METHOD"]), event


def text_of(mail: EmailMessage, subtype: str = "plain") -> str:
    part = mail.get_body((subtype,))
    assert part is not None
    content: str = part.get_content()
    return content.replace("\r\n", "\n")


def is_between(mail: EmailMessage, sender: str, recipient: str, reply_to: str) -> bool:
    return (str(mail["From"]), str(mail["To"]), str(mail["Reply-To"])) == (
        sender,
        recipient,
        reply_to,
    )


def test_both_get_a_confirmation_in_their_own_language_and_zone(
    host_desk: Desk, send: Send, mail_server: MailServer
) -> None:
    calendar_id = host_desk.new_calendar(time_zone="Europe/Paris", name="Intro call")
    booking_id = host_desk.new_booking(calendar_id, NEXT_WEEK, notes="Allergic to <nuts>")
    assert send() == ["sent", "sent", "due", "due"]
    to_ada, to_olivia = mail_server.mails
    ours = "admit-one@book.example.org"
    ada, olivia = "Ada Lovelace <ada@example.org>", "Olivia Owner <olivia@example.org>"
    assert is_between(to_ada, f"Olivia Owner <{ours}>", ada, olivia)
    assert is_between(to_olivia, f"Admit One <{ours}>", olivia, ada)
    assert mail_server.envelopes == [(ours, ["ada@example.org"]), (ours, ["olivia@example.org"])]

    assert to_ada["Subject"] == (
        "Confirmed: Intro call with Olivia Owner, Tue, Dec 1, 2026, 9:00 AM"
    )
    text = text_of(to_ada)
    for words in (
        "Tuesday, December 1, 2026, 9:00\u202fAM–9:30\u202fAM (United Kingdom Time\u00a0– London)",
        "Location: Room 1",
        "Host: Olivia Owner",
        "Description: Hello.",
    ):
        assert words in text
    manage_url = "https://book.example.org/m/" + host_desk.services.tokens.for_managing(booking_id)
    assert calendar_part(to_ada)[1]["DESCRIPTION"] == f"Hello.\n\nYour booking: {manage_url}"
    assert manage_url in text
    assert manage_url in text_of(to_ada, "html")

    assert (
        to_olivia["Subject"]
        == "Neue Buchung: Intro call mit Ada Lovelace, Di., 1. Dez. 2026, 10:00"
    )
    text = text_of(to_olivia)
    for words in (
        "Dienstag, 1. Dezember 2026, 10:00–10:30 (Mitteleuropäische Zeit\u00a0– Berlin)",
        "ada@example.org",
        "Allergic to <nuts>",
        f"https://book.example.org/bookings/{booking_id}",
    ):
        assert words in text
    assert "Allergic to &lt;nuts&gt;" in text_of(to_olivia, "html")
    assert "(Mitteleurop&#228;ische Zeit&#160;&#8211; Berlin)" in text_of(to_olivia, "html")
    assert manage_url not in to_olivia.as_string()
    for mail in mail_server.mails:
        assert mail["Date"].datetime == NEXT_WEEK - timedelta(days=10)
        assert mail["Auto-Submitted"] == "auto-generated"


def test_calendars_follow_a_booking_that_is_moved_twice_and_cancelled(
    host_desk: Desk, send: Send, mail_server: MailServer
) -> None:
    booking_id = host_desk.new_booking(host_desk.new_calendar(), NEXT_WEEK)
    host_desk.reschedule(booking_id, NEXT_WEEK + AN_HOUR)
    host_desk.reschedule(booking_id, NEXT_WEEK + 2 * AN_HOUR)
    host_desk.cancel(booking_id, reason="Caught a cold\nand a cough")
    send()
    for mails in (mail_server.mails[::2], mail_server.mails[1::2]):
        parts = [calendar_part(mail) for mail in mails]
        assert [method for method, _ in parts] == ["REQUEST", "REQUEST", "REQUEST", "CANCEL"]
        assert [event["SEQUENCE"] for _, event in parts] == [0, 1, 2, 3]
        assert {event["UID"] for _, event in parts} == {f"{booking_id}@book.example.org"}
        starts = [event["DTSTART"].dt - NEXT_WEEK for _, event in parts]
        assert starts == [0 * AN_HOUR, AN_HOUR, 2 * AN_HOUR, 2 * AN_HOUR]
        assert {event["DTSTART"].dt.tzinfo for _, event in parts} <= {UTC, ZoneInfo("UTC")}
        for _, event in parts:
            assert event["ORGANIZER"] == "mailto:olivia@example.org"
            assert event["ATTENDEE"] == "mailto:ada@example.org"
            assert event["ATTENDEE"].params["CN"] == "Ada Lovelace"
        assert [event["STATUS"] for _, event in parts][-1] == "CANCELLED"
    moved, cancelled = mail_server.mails[2], mail_server.mails[-2]
    assert "9:00\u202fAM–9:30\u202fAM" in text_of(moved)  # where it was
    assert "10:00\u202fAM–10:30\u202fAM" in text_of(moved)  # where it is, whatever came after
    assert "> Caught a cold\n> and a cough" in text_of(cancelled)
    assert "/m/" not in text_of(cancelled)


def test_a_changed_place_and_a_request_are_told_with_the_owners_words(
    host_desk: Desk, send: Send, mail_server: MailServer
) -> None:
    booking_id = host_desk.new_booking(host_desk.new_calendar(), NEXT_WEEK)
    host_desk.change_place(booking_id, "Room 2")
    host_desk.ask_to_reschedule(booking_id, "I am away.\nSorry!")
    host_desk.change_place(booking_id, "Room 3")
    send()
    confirmed, _, moved_in, to_host, asked, again, _ = mail_server.mails
    places = ["Room 1", "Room 2", "Room 2", "Room 3"]
    for mail, place in zip((confirmed, moved_in, to_host, again), places, strict=True):
        method, event = calendar_part(mail)
        assert (method, event["LOCATION"]) == ("REQUEST", place)
        assert place in text_of(mail)
    assert moved_in["Subject"].startswith("New location: Intro call with Olivia Owner")
    assert asked["Subject"] == "Please pick another time: Intro call with Olivia Owner"
    assert "Message:\n> I am away.\n> Sorry!" in text_of(asked)
    assert [part.get_content_type() for part in asked.iter_parts()] == ["text/plain", "text/html"]


@pytest.mark.parametrize(
    ("zone", "start"),
    [
        ("Europe/Paris", datetime(2027, 10, 31, 0, 30, tzinfo=UTC)),  # 02:30, the first time
        ("Europe/Paris", datetime(2027, 10, 31, 1, 30, tzinfo=UTC)),  # 02:30, the second time
        ("Africa/Casablanca", datetime(2027, 2, 7, 9, 0, tzinfo=UTC)),
        ("Australia/Lord_Howe", datetime(2027, 4, 3, 15, 0, tzinfo=UTC)),
    ],
)
def test_calendars_read_the_right_instants_whatever_the_clocks_do(
    host_desk: Desk,
    send: Send,
    mail_server: MailServer,
    clock: Clock,
    zone: str,
    start: datetime,
) -> None:
    clock.time = start - timedelta(days=9)
    calendar_id = host_desk.new_calendar(time_zone=zone, **ALWAYS_OPEN)
    host_desk.new_booking(calendar_id, start)
    send()
    assert len(mail_server.mails) == 2
    for mail in mail_server.mails:
        _, event = calendar_part(mail)
        assert (event["DTSTART"].dt, event["DTEND"].dt) == (start, start + AN_HOUR / 2)


def test_a_mail_names_the_offset_of_a_time_that_occurs_twice(
    host_desk: Desk, send: Send, mail_server: MailServer, clock: Clock
) -> None:
    start = datetime(2027, 10, 31, 0, 30, tzinfo=UTC)
    clock.time = start - timedelta(days=9)
    calendar_id = host_desk.new_calendar(time_zone="Europe/London", **ALWAYS_OPEN)
    host_desk.new_booking(calendar_id, start)
    send()
    assert "1:30\u202fAM (GMT+01:00)–1:00\u202fAM (GMT+00:00)" in text_of(mail_server.mails[0])
    assert str(mail_server.mails[0]["Subject"]).endswith("1:30 AM (GMT+01:00)")


def test_both_are_reminded_a_day_before(
    host_desk: Desk, send: Send, mail_server: MailServer, clock: Clock
) -> None:
    host_desk.new_booking(host_desk.new_calendar(), NEXT_WEEK)
    send()
    clock.time = NEXT_WEEK - timedelta(days=1)
    assert send() == ["sent"] * 4
    reminders = mail_server.mails[2:]
    assert [mail["Subject"].partition(":")[0] for mail in reminders] == ["Reminder", "Erinnerung"]
    assert {part.get_content_type() for mail in reminders for part in mail.walk()} == {
        "multipart/alternative",
        "text/plain",
        "text/html",
    }
    assert len(mail_server.by_id()) == 4


@pytest.mark.parametrize(
    ("agreed", "words"),
    [
        ({}, "Show, move or cancel the booking"),
        ({"reschedule_limit": 0}, "Show or cancel the booking"),
        ({"cancel_notice_minutes": 20_000}, "Show or move the booking"),
    ],
)
def test_a_mail_to_an_invitee_leads_to_what_they_can_still_do(
    host_desk: Desk,
    send: Send,
    mail_server: MailServer,
    agreed: dict[str, Any],
    words: str,
) -> None:
    calendar_id = host_desk.new_calendar(**agreed)
    host_desk.book(host_desk.new_link(calendar_id), NEXT_WEEK)
    send()
    assert words in text_of(mail_server.mails[0])


def test_nobody_is_reminded_of_what_was_moved_or_has_begun(
    host_desk: Desk, send: Send, sender: Sender, mail_server: MailServer, clock: Clock
) -> None:
    moved, _ = (
        host_desk.new_booking(host_desk.new_calendar(), NEXT_WEEK + n * AN_HOUR) for n in (1, 0)
    )
    send()
    before = len(mail_server.mails)
    clock.time = NEXT_WEEK + AN_HOUR / 4
    host_desk.reschedule(moved, NEXT_WEEK + 3 * AN_HOUR)
    sender.send_due(Event())  # before the reaction has seen it
    assert mail_server.mails[before:] == []
    send()
    assert [mail["Subject"][:8] for mail in mail_server.mails[before:]] == ["New time", "Neue Zei"]


def test_a_forgotten_invitee_gets_nothing_and_their_owner_no_name(
    host_desk: Desk, send: Send, mail_server: MailServer
) -> None:
    booking_id = host_desk.new_booking(host_desk.new_calendar(), NEXT_WEEK)
    host_desk.cancel(booking_id, reason="Ada is ill")
    host_desk.forget(booking_id)
    send()
    assert [mail["To"] for mail in mail_server.mails] == ["Olivia Owner <olivia@example.org>"] * 2
    for mail in mail_server.mails:
        assert "[gelöscht]" in text_of(mail)
        assert "Ada" not in mail.as_string()
        assert "ATTENDEE" not in calendar_part(mail)[1]


def test_names_of_any_kind_stay_what_they_are_in_headers_and_calendars(
    host_desk: Desk, send: Send, mail_server: MailServer
) -> None:
    names = {
        'Zoë "Z" Müller, PhD; <z@evil.example>': "zoe@example.org",
        "Ann\r\nBcc: eve@example.org": "ann@example.org",
    }
    calendar_id = host_desk.new_calendar(name="Call\r\nX-Evil: yes\r\n\r\nbody")
    for n, (name, email) in enumerate(names.items()):
        host_desk.new_booking(calendar_id, NEXT_WEEK + n * AN_HOUR, Invitee(name, email))
    assert send().count("sent") == 4
    assert [recipients for _, recipients in mail_server.envelopes] == [
        ["zoe@example.org"],
        ["olivia@example.org"],
        ["ann@example.org"],
        ["olivia@example.org"],
    ]
    for mail in mail_server.mails:
        assert "Bcc" not in mail
        assert "X-Evil" not in mail
        _, event = calendar_part(mail)
        assert set(event) >= {"UID", "ORGANIZER", "ATTENDEE"}
        assert len(mail["To"].addresses) == len(mail["From"].addresses) == 1
    assert mail_server.mails[0]["To"].addresses[0].display_name == next(iter(names))


def test_a_domain_beyond_ascii_is_written_as_mail_servers_know_it(
    host_desk: Desk, send: Send, mail_server: MailServer
) -> None:
    host_desk.new_booking(host_desk.new_calendar(), NEXT_WEEK, Invitee("Ada", "ada@bücher.example"))
    assert send().count("sent") == 2
    assert mail_server.envelopes[0][1] == ["ada@xn--bcher-kva.example"]


def test_an_address_that_the_server_can_not_take_is_given_up_at_once(
    host_desk: Desk, send: Send, mail_server: MailServer
) -> None:
    host_desk.new_booking(host_desk.new_calendar(), NEXT_WEEK, Invitee("Zoë", "zoë@example.org"))
    assert send() == ["parked", "sent", "due", "due"]


def test_the_mail_says_what_was_agreed_whatever_the_calendar_says_now(
    host_desk: Desk, send: Send, mail_server: MailServer
) -> None:
    calendar_id = host_desk.new_calendar()
    host_desk.new_booking(calendar_id, NEXT_WEEK, GRACE)
    host_desk.change(calendar_id, name="Another name", location="Elsewhere")
    send()
    for mail in mail_server.mails:
        assert "Intro call" in mail["Subject"]
        assert "Elsewhere" not in text_of(mail)


def test_an_owner_gets_no_mails_of_kinds_that_were_muted(
    services: Services, host: Account, host_desk: Desk, send: Send, mail_server: MailServer
) -> None:
    services.accounts.mute_mails(host, ["confirmation"])
    host_desk.new_booking(host_desk.new_calendar(), NEXT_WEEK)
    assert send() == ["sent", "ended", "due", "due"]
    (mail,) = mail_server.mails
    assert mail["To"] == "Ada Lovelace <ada@example.org>"


def test_of_a_disabled_account_only_its_invitees_get_mails(
    services: Services, host: Account, host_desk: Desk, send: Send, mail_server: MailServer
) -> None:
    services.accounts.disable(host, now=NOW)
    host_desk.new_booking(host_desk.new_calendar(), NEXT_WEEK)
    assert send() == ["sent", "ended", "due", "due"]
    (mail,) = mail_server.mails
    assert mail["To"] == "Ada Lovelace <ada@example.org>"
