"""The languages in which invitees and accounts will read mail."""

from collections.abc import Callable

from application.people import personal_data
from interface.bootstrap import Services
from tests.support.desk import Desk
from tests.support.examples import NINE, redeem_json
from tests.support.invitee_browser import InviteeBrowser
from tests.support.owner import Owner
from tests.support.signed_in_browser import SignedIn


def languages(services: Services) -> list[str | None]:
    rows = services.database.fetch_all(
        "SELECT language FROM personal_data WHERE data ? 'email' ORDER BY language"
    )
    return [row["language"] for row in rows]


def test_a_booking_has_the_language_of_the_request_outside_its_commitment(
    owner: Owner, services: Services
) -> None:
    path = f"/booking-links/{owner.new_link()['token']}/redeem"
    german = {"Accept-Language": "fr;q=0.5, de-CH;q=0.4"}
    booked = owner.post(path, redeem_json(NINE), **german)
    assert booked.status_code == 201
    assert languages(services) == ["de-CH"]
    (made,) = (line for line in Desk(services).log() if line["topic"] == "booking.made")
    row = personal_data.find(services.database, made["id"])
    assert row is not None
    assert made["data"]["personal_data"] == personal_data.commitment(row.salt, row.data)
    assert "language" not in row.data
    assert owner.post(f"/bookings/{made['id']}/forget-invitee").status_code == 200
    assert languages(services) == []


def test_the_booking_page_stores_the_language_in_which_it_was_read(
    new_invitee_browser: Callable[..., InviteeBrowser], services: Services
) -> None:
    invitee = new_invitee_browser()
    invitee.browser.environ_base["HTTP_ACCEPT_LANGUAGE"] = "de-AT"
    assert invitee.post(invitee.form()).status_code in (204, 303)
    assert languages(services) == ["de-AT"]


def test_an_account_has_the_language_in_which_it_signed_in_last(
    person: SignedIn, services: Services
) -> None:
    token = services.accounts.sign_in_token(person.account)
    page = person.client.get(f"/sign-in/{token}").get_data(as_text=True)
    form_token = page.partition('name="form_token" value="')[2].partition('"')[0]
    person.client.post(
        f"/sign-in/{token}", data={"form_token": form_token}, headers={"Accept-Language": "de"}
    )
    assert services.accounts.by_id(person.account.id).language == "de"
