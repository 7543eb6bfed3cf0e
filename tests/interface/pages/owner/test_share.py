"""Sharing a calendar: one link, or several."""

import csv
import html
import io
import re
from typing import Any
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interface.bootstrap import Services
from interface.pages.owner.csv_files import spreadsheet_cell
from tests.support.clock import Clock
from tests.support.owner import Owner
from tests.support.signed_in_browser import SignedIn

HX = {"HX-Request": "true"}
FORM = {"form_id": "a-form", "expires_in_days": "90"}


def share(person: SignedIn, calendar_id: str, **form: str) -> Any:
    return person.post(f"/settings/calendars/{calendar_id}/share", FORM | form, headers=HX)


def show_several(person: SignedIn, calendar_id: str, recipients: str, **form: str) -> Any:
    address = f"/settings/calendars/{calendar_id}/share/several"
    return person.post(address, FORM | {"recipients": recipients} | form)


def share_several(person: SignedIn, calendar_id: str, recipients: str, **form: str) -> Any:
    """Sends the form, and, once its list is shown, sends it again."""
    answer = show_several(person, calendar_id, recipients, **form)
    shown = re.search('name="shown" value="([0-9a-f]+)"', text(answer))
    if shown is None:
        return answer
    return show_several(person, calendar_id, recipients, shown=shown[1], **form)


def links(owner: Owner) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = owner.get("/links").json["items"]
    return items


def text(answer: Any) -> str:
    return html.unescape(answer.get_data(as_text=True))


def test_one_press_issues_the_link_and_shows_it_ready_to_copy(
    person: SignedIn, owner: Owner, calendar_id: str
) -> None:
    answer = share(person, calendar_id, recipient="Ada", note="From Lyon", expires_in_days="7")
    (link,) = links(owner)
    assert (link["recipient"], link["note"]) == ("Ada", "From Lyon")
    assert link["expires_at"] == "2026-11-30T08:00:00Z"
    assert answer.status_code == 200
    assert "<html" not in text(answer)
    assert re.search(rf'readonly value="{re.escape(link["url"])}"[^>]*data-copy-now', text(answer))
    assert 'data-copied="Link copied. It works for one booking."' in text(answer)


def test_without_javascript_a_page_with_the_link_follows(
    person: SignedIn, owner: Owner, calendar_id: str
) -> None:
    answer = person.post(f"/settings/calendars/{calendar_id}/share", FORM)
    assert answer.status_code == 303
    page = person.get(answer.headers["Location"])
    (link,) = links(owner)
    assert "<html" in text(page)
    assert f'readonly value="{link["url"]}"' in text(page)


def test_a_form_that_is_sent_twice_issues_one_link(
    person: SignedIn, owner: Owner, calendar_id: str, clock: Clock
) -> None:
    first = share(person, calendar_id, recipient="Ada")
    clock.advance(seconds=1)
    again = share(person, calendar_id, recipient="Ada")
    (link,) = links(owner)
    assert link["url"] in text(first)
    assert link["url"] in text(again)


@pytest.mark.parametrize(
    "change", [{"form_id": "another-form"}, {"recipient": "Grace"}, {"expires_in_days": "7"}]
)
def test_a_different_form_or_different_fields_issue_another_link(
    person: SignedIn, owner: Owner, calendar_id: str, change: dict[str, str]
) -> None:
    share(person, calendar_id, recipient="Ada")
    share(person, calendar_id, **{"recipient": "Ada"} | change)
    assert len(links(owner)) == 2


def test_forms_without_an_id_issue_a_link_each(
    person: SignedIn, owner: Owner, calendar_id: str
) -> None:
    for _ in range(2):
        share(person, calendar_id, form_id="")
    assert len(links(owner)) == 2


def test_a_last_day_ends_with_midnight_where_the_owner_lives(
    person: SignedIn, owner: Owner, calendar_id: str, services: Services
) -> None:
    with services.database.connection() as conn:
        conn.execute("UPDATE accounts SET time_zone = 'Europe/Paris'")
    answer = share(person, calendar_id, expires_on="2026-12-24")
    assert links(owner)[0]["expires_at"] == "2026-12-24T23:00:00Z"
    assert "until 25 Dec 2026, 00:00." in text(answer) or "Dec 25, 2026" in text(answer)


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("recipient", "x" * 201, "Must not be longer than 200 characters."),
        ("expires_in_days", "0", "Enter a number from 1 to 365."),
        ("expires_in_days", "many", "Enter a number from 1 to 365."),
        ("expires_on", "2026-11-22", "Choose a date from Nov 23, 2026 to Nov 22, 2027."),
        ("expires_on", "2027-11-23", "Choose a date from Nov 23, 2026 to Nov 22, 2027."),
        ("expires_on", "soon", "Must be a date such as 2026-12-24"),
    ],
)
@pytest.mark.parametrize("headers", [HX, {}])
def test_a_refused_form_keeps_what_was_typed_and_says_why_beside_the_field(
    person: SignedIn,
    owner: Owner,
    calendar_id: str,
    headers: dict[str, str],
    field: str,
    value: str,
    sentence: str,
) -> None:
    address = f"/settings/calendars/{calendar_id}/share"
    answer = person.post(address, FORM | {"note": "Kept <b>", field: value}, headers=headers)
    assert answer.status_code == 422
    assert ("<html" in text(answer)) is not bool(headers)
    assert "Kept &lt;b&gt;</textarea>" in answer.get_data(as_text=True)
    (shown,) = re.findall(rf'id="{field}-help" class="error">([^<]*)<', text(answer))
    assert sentence in shown
    assert f'value="{value}"' in text(answer)
    assert links(owner) == []


def test_the_dialog_is_a_fragment_and_the_page_is_complete(
    person: SignedIn, calendar_id: str
) -> None:
    address = f"/settings/calendars/{calendar_id}/share"
    part = text(person.get(address, headers=HX))
    page = text(person.get(address))
    assert part.lstrip().startswith("<article>")
    assert "data-close" in part
    assert "data-close" not in page
    for shown in (part, page):
        assert "Share Intro call" in shown
        assert "Single-Use Link" in shown


def test_another_link_starts_as_the_one_that_ended(
    person: SignedIn, owner: Owner, calendar_id: str
) -> None:
    issued = owner.new_link(calendar_id, recipient="Ada", note="From Lyon")
    page = text(person.get(f"/links/{issued['id']}/again"))
    assert 'value="Ada"' in page
    assert ">From Lyon</textarea>" in page


@pytest.mark.parametrize("path", ["", "/several"])
@pytest.mark.parametrize("headers", [HX, {}])
def test_an_archived_calendar_says_so_instead_of_the_form(
    person: SignedIn, owner: Owner, calendar_id: str, path: str, headers: dict[str, str]
) -> None:
    owner.post(f"/calendars/{calendar_id}/archive")
    address = f"/settings/calendars/{calendar_id}/share{path}"
    for answer in (
        person.get(address, headers=headers),
        person.post(address, FORM | {"recipients": "Ada"}, headers=headers),
    ):
        assert answer.status_code == 409
        assert "This calendar is archived, so you can't create new links for it." in text(answer)
        assert "<textarea" not in text(answer)
    assert links(owner) == []


@pytest.mark.parametrize("path", ["", "/several"])
def test_a_calendar_archived_a_moment_ago_takes_no_links(
    person: SignedIn, owner: Owner, calendar_id: str, path: str
) -> None:
    person.catch_up()
    shown = re.search('name="shown" value="(.+?)"', text(show_several(person, calendar_id, "Ada")))
    assert shown
    owner.post(f"/calendars/{calendar_id}/archive")
    form = FORM | {"recipients": "Ada", "shown": shown[1], "form_token": person.form_token}
    answer = person.client.post(f"/settings/calendars/{calendar_id}/share{path}", data=form)
    assert answer.status_code == 409
    assert "This calendar is archived" in text(answer)


def test_several_recipients_get_a_link_each_and_a_file_of_them(
    person: SignedIn, owner: Owner, calendar_id: str, services: Services
) -> None:
    answer = share_several(
        person,
        calendar_id,
        "Ada\r\n\r\n  Zoë\tHopper \n=1+1\nMax <max@example.org>\n",
        note="Spring",
    )
    assert answer.status_code == 303
    newest_first = links(owner)
    assert [link["recipient"] for link in newest_first] == ["Max", "=1+1", "Zoë Hopper", "Ada"]
    assert [link["prefill"] for link in newest_first] == [
        {"name": "Max", "email": "max@example.org"},
        None,
        None,
        None,
    ]
    assert {link["note"] for link in newest_first} == {"Spring"}

    page = text(person.get(answer.headers["Location"]))
    assert "4 new links" in page
    assert all(f'readonly value="{link["url"]}"' in page for link in newest_first)

    file = person.get(f"{answer.headers['Location']}/links.csv")
    assert file.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert file.headers["Content-Disposition"] == 'attachment; filename="links.csv"'
    assert file.data.startswith(b'\xef\xbb\xbf"recipient","email","url"')
    entry = services.security_log.newest(limit=1)[0]
    assert (entry.kind, entry.actor) == ("links.exported", f"account:{person.account.id}")
    assert entry.details == {"calendar": calendar_id, "links": "4"}
    rows = list(csv.reader(io.StringIO(file.data.decode("utf-8-sig"))))
    assert rows == [["recipient", "email", "url", "expires_at"]] + [
        [recipient, email, link["url"], "2027-02-21T08:00:00Z"]
        for recipient, email, link in zip(
            ("Ada", "Zoë Hopper", "'=1+1", "Max"),
            ("", "", "", "max@example.org"),
            reversed(newest_first),
            strict=True,
        )
    ]


def numbered(count: int) -> str:
    return "\n".join(f"x{number}" for number in range(count))


def test_no_link_is_issued_before_its_recipients_were_shown(
    person: SignedIn, owner: Owner, calendar_id: str
) -> None:
    pasted = "Name;E-Mail\nAda;ada@example.org\nAda;ADA@example.org\nGrace;"
    page = text(show_several(person, calendar_id, pasted))
    assert re.search(
        r"2 links</strong>; skipped:\s+the header row,"
        r"\s+1 repeated recipient\.",
        page,
    )
    assert "Ada <ada@example.org>\nGrace</textarea>" in page
    assert "Create 2 links" in page
    preview = person.post(
        f"/settings/calendars/{calendar_id}/share/several/preview", {"recipients": pasted}
    )
    shown = re.search('name="shown" value="([0-9a-f]+)"', text(preview))
    assert shown
    assert shown[0] in page
    assert links(owner) == []
    other = show_several(person, calendar_id, "Ada\nGrace", shown=shown[1])
    assert other.status_code == 200
    assert links(owner) == []
    assert show_several(person, calendar_id, pasted, shown=shown[1]).status_code == 303
    assert [link["recipient"] for link in links(owner)] == ["Grace", "Ada"]


def test_a_preview_says_what_can_t_be_used_and_nothing_of_an_empty_list(
    person: SignedIn, calendar_id: str
) -> None:
    address = f"/settings/calendars/{calendar_id}/share/several/preview"
    assert "Line 2: Enter one" in text(person.post(address, {"recipients": "Ada\nada@"}))
    assert 'role="alert"' not in text(person.post(address, {"recipients": " \n"}))


def test_a_recipient_with_an_address_finds_the_booking_form_filled_in(
    person: SignedIn, owner: Owner, calendar_id: str
) -> None:
    share(person, calendar_id, recipient="Ada King <ada@example.org>")
    (link,) = links(owner)
    assert link["recipient"] == "Ada King"
    assert link["prefill"] == {"name": "Ada King", "email": "ada@example.org"}
    again = text(person.get(f"/links/{link['id']}/again"))
    assert 'value="Ada King <ada@example.org>"' in again
    share(person, calendar_id, recipient="the plumber")
    assert links(owner)[0]["prefill"] is None


def test_several_sent_twice_are_issued_once(
    person: SignedIn, owner: Owner, calendar_id: str
) -> None:
    first = share_several(person, calendar_id, "Ada\nGrace")
    again = share_several(person, calendar_id, "Ada\nGrace")
    assert first.headers["Location"] == again.headers["Location"]
    assert len(links(owner)) == 2


def test_a_batch_shows_only_its_own_links_that_can_still_be_booked_with(
    person: SignedIn, owner: Owner, calendar_id: str
) -> None:
    share(person, calendar_id, recipient="Before")
    address = share_several(person, calendar_id, "Ada\nGrace\nAlan").headers["Location"]
    share(person, calendar_id, recipient="After")
    by_name = {link["recipient"]: link for link in links(owner)}
    owner.post(f"/links/{by_name['Grace']['id']}/revoke")
    file = person.get(f"{address}/links.csv").data.decode()
    for name, is_listed in {
        "Before": False, "Ada": True, "Grace": False, "Alan": True, "After": False
    }.items():  # fmt: skip
        assert (by_name[name]["url"] in file) is is_listed


def test_no_more_than_500_recipients_and_not_less_than_one(
    person: SignedIn, owner: Owner, calendar_id: str
) -> None:
    for recipients, sentence in {
        "\n \n": "Enter at least one recipient.",
        "": "Enter at least one recipient.",
        numbered(501): "Enter at most 500 recipients.",
        f"Ada\n\n{'x' * 201}": "Line 3: Must not be longer than 200 characters.",
    }.items():
        answer = share_several(person, calendar_id, recipients)
        assert answer.status_code == 422
        assert sentence in text(answer)
    assert links(owner) == []
    assert share_several(person, calendar_id, numbered(500)).status_code == 303
    assert owner.get("/links?limit=200&q=x").json["next_cursor"] is not None


def test_calendars_of_another_owner_cannot_be_shared(
    person: SignedIn, owner: Owner, new_owner: Any
) -> None:
    other: Owner = new_owner("Ivy Intruder")
    calendar_id = other.new_calendar()
    link_id = other.new_link(calendar_id, recipient="Secret")["id"]
    share_page = f"/settings/calendars/{calendar_id}/share"
    batch = f"{share_page}/several/{link_id}/{link_id}"
    for path in (
        share_page,
        f"{share_page}/{link_id}",
        f"{share_page}/several",
        batch,
        f"{batch}/links.csv",
        f"/links/{link_id}/again",
    ):
        answer = person.get(path)
        assert answer.status_code == 404, path
        assert "Secret" not in text(answer)
    for path in (share_page, f"{share_page}/several"):
        assert person.post(path, FORM | {"recipients": "Ada"}).status_code == 404
    assert len(links(other)) == 1


def test_the_address_of_a_link_that_has_ended_leads_to_its_page(
    person: SignedIn, owner: Owner, calendar_id: str
) -> None:
    link = owner.new_link(calendar_id)
    owner.revoke(link)
    answer = person.get(f"/settings/calendars/{calendar_id}/share/{link['id']}")
    assert (answer.status_code, answer.headers["Location"]) == (302, f"/links/{link['id']}")


def test_a_fragment_that_requires_signing_in_redirects_the_whole_page(
    app: Any, person: SignedIn, calendar_id: str
) -> None:
    path = f"/settings/calendars/{calendar_id}/share"
    answer = app.test_client().get(path, headers=HX)
    assert answer.status_code == 204
    assert answer.headers["HX-Redirect"] == f"/?next={path}"


@given(st.text())
def test_no_cell_can_be_taken_for_a_formula(recipient: str) -> None:
    cell = spreadsheet_cell(recipient)
    assert not cell.startswith(
        ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
    )
    assert cell.removeprefix("'") == recipient.removeprefix("'")


def test_a_link_can_be_sent_as_a_message_or_scanned(
    person: SignedIn, owner: Owner, calendar_id: str
) -> None:
    shown = text(share(person, calendar_id, recipient="Ann Alder <ann+x@example.org>"))
    (link,) = links(owner)
    message = re.search(r'<textarea id="message"[^>]*>(.*?)</textarea>', shown, re.DOTALL)
    assert message is not None
    assert message[1].startswith("Hi Ann Alder,\n\nPlease choose a time that suits you")
    assert f"\n\n{link['url']}\n\n" in message[1]
    (mailto,) = re.findall(r'href="(mailto:[^"]*)"', shown)
    address, _, query = mailto.partition("?")
    assert address == "mailto:ann+x@example.org"
    body = parse_qs(query)["body"][0]
    assert body.replace("\r\n", "\n") == message[1]
    code = person.get(f"/links/{link['id']}/qr.svg")
    assert code.content_type == "image/svg+xml; charset=utf-8"
    owner.revoke(link)
    assert person.get(f"/links/{link['id']}/qr.svg").status_code == 404


def test_a_link_can_offer_only_some_times_with_a_duration_and_a_reference(
    person: SignedIn, owner: Owner, calendar_id: str
) -> None:
    page = text(person.get(f"/settings/calendars/{calendar_id}/share/times"))
    slots = re.findall(r'name="slots" value="([^"]*)"', page)
    assert len(slots) > 100
    form: dict[str, Any] = {"slots": slots[2:4], "duration_minutes": "60", "reference": "CRM 7"}
    form |= {"first_day": "2026-11-23", "last_day": "2026-12-24"}
    share(person, calendar_id, **form)
    (link,) = links(owner)
    assert link["reference"] == "CRM 7"
    assert link["offer"] == {
        "from": "2026-11-23",
        "to": "2026-12-24",
        "slots": slots[2:4],
        "duration_minutes": 60,
    }


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({"duration_minutes": "x"}, "Enter a number of minutes."),
        ({"duration_minutes": "0"}, "Must be between 1 and 1440."),
        ({"first_day": "2026-12-02", "last_day": "2026-12-01"}, "before the first day"),
        ({"slots": "2026-11-24T03:00:00Z"}, "The calendar does not offer this slot."),
        ({"slots": "soon"}, "Choose from these times."),
    ],
)
def test_an_offer_that_is_not_possible_is_refused_at_its_field(
    person: SignedIn, owner: Owner, calendar_id: str, form: dict[str, str], sentence: str
) -> None:
    answer = share(person, calendar_id, **form)
    assert answer.status_code == 422
    assert sentence in text(answer)
    assert "<details open>" in text(answer)
    assert links(owner) == []


def test_a_calendar_is_previewed_as_invitees_see_it(
    person: SignedIn, owner: Owner, calendar_id: str
) -> None:
    address = f"/settings/calendars/{calendar_id}/as-invitee"
    page = text(person.get(f"{address}?tz=Asia/Tokyo"))
    assert "Preview: this is what an invitee sees." in page
    assert "Times shown in <strong>Japan Time\u00a0– Tokyo</strong>" in page
    assert "start=" not in page
    link = owner.new_link(calendar_id, offer={"duration_minutes": 45, "to": "2026-11-24"})
    limited = text(person.get(f"{address}?link={link['id']}"))
    assert "45 minutes" in limited
    assert "November 25, 2026, " not in limited
    assert f"link={link['id']}" in limited
    assert person.get(f"{address}?link=nonsense").status_code == 200
    assert [each["status"] for each in links(owner)] == ["active"]
