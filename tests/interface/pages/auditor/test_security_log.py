"""The page of the security log: what people do at the pages is on it, with their address."""

from collections.abc import Callable

import pytest
from flask import Flask

from application.people import security_log
from application.people.security_log import KINDS, Entry
from interface.bootstrap import Services
from interface.pages.auditor.security_log import TITLES
from interface.web.audit_queries import LONGEST_QUERY
from tests.interface.pages.page_text import text, words
from tests.support.audit_trail import recorded_accesses
from tests.support.examples import NOW
from tests.support.owner import Owner
from tests.support.signed_in_browser import SignedIn

PASSWORD = "correct horse battery"  # noqa: S105


def newest(services: Services) -> Entry:
    return services.security_log.newest(limit=1)[0]


@pytest.mark.parametrize("page", ["", "/security", "/single-use", "/checkpoint", "/accesses"])
def test_the_menu_shows_that_each_page_of_the_audit_belongs_to_it(
    auditor: SignedIn, page: str
) -> None:
    shown = text(auditor.get(f"/audit{page}"))
    assert '<a href="/audit" aria-current="page">' in shown


def test_every_kind_of_entry_has_a_title() -> None:
    assert set(TITLES) == set(KINDS)


def test_who_signs_in_is_recorded_with_the_address_of_the_client(
    app: Flask, owner: Owner, services: Services
) -> None:
    services.sessions.set_password(owner.account, PASSWORD, now=NOW)
    form = {"email": owner.account.email, "password": "a wrong password"}
    browser = {"environ_base": {"REMOTE_ADDR": "192.0.2.7"}}
    assert app.test_client().post("/", data=form, **browser).status_code == 422
    failed = newest(services)
    assert (
        app.test_client().post("/", data=form | {"password": PASSWORD}, **browser).status_code
        == 303
    )
    signed_in = newest(services)
    assert (failed.kind, failed.actor) == ("sign-in.failed", "stranger")
    assert (signed_in.kind, signed_in.actor) == (
        "session.started",
        f"account:{owner.account.id}",
    )
    assert signed_in.details["how"] == "password"
    assert failed.addresses == signed_in.addresses == {"address": "192.0.2.7"}


def test_who_signs_in_by_a_link_is_recorded_so(
    sign_in_as: Callable[..., SignedIn], services: Services
) -> None:
    person = sign_in_as("owner")
    entry = newest(services)
    assert (entry.kind, entry.details["how"]) == ("session.started", "link")
    person.post("/sign-out")
    ended = newest(services)
    assert (ended.kind, ended.actor) == ("session.ended", f"account:{person.account.id}")


def test_an_admin_is_the_actor_of_what_they_do_to_somebody_else(
    sign_in_as: Callable[..., SignedIn], owner: Owner, services: Services
) -> None:
    admin = sign_in_as("admin")
    admin.post(f"/accounts/{owner.account.id}/disable")
    entry = newest(services)
    assert (entry.kind, entry.account_id) == ("account.disabled", owner.account.id)
    assert entry.actor == f"account:{admin.account.id}"
    assert entry.addresses == {"address": "127.0.0.1"}


def test_the_page_shows_who_did_what_to_whom_from_where(
    sign_in_as: Callable[..., SignedIn], owner: Owner
) -> None:
    admin = sign_in_as("admin")
    admin.post(f"/accounts/{owner.account.id}/sign-out")
    page = words(admin.get("/audit/security"))
    assert "Signed out everywhere" in page
    assert admin.account.email in page
    assert owner.account.email in page
    assert "address 127.0.0.1" in page


def test_the_page_is_narrowed_to_an_account_a_kind_and_a_time(
    sign_in_as: Callable[..., SignedIn], owner: Owner, services: Services
) -> None:
    auditor = sign_in_as("auditor")

    def shown(query: str) -> int:
        return text(auditor.get(f"/audit/security?{query}")).count('<th scope="row">')

    whole = len(services.security_log.newest(limit=100))
    assert shown("") == whole
    about_owner = len(services.security_log.newest(limit=100, account_id=owner.account.id))
    for account in (owner.account.email, owner.account.id):
        assert shown(f"account={account}") == about_owner < whole
    assert shown("kind=session.started") == 1
    assert shown("since=2099-01-01T00:00") == shown("until=2001-01-01T00:00") == 0
    assert shown("before=2") == 1
    refused = auditor.get("/audit/security?account=nobody@example.org")
    assert refused.status_code == 422
    assert "There is no account with this address." in text(refused)
    for wrong in ("since=yesterday", "since=2026-02-28T10:00&until=2026-02-28T09:00"):
        assert auditor.get(f"/audit/security?{wrong}").status_code == 422


def test_the_page_has_fifty_entries_and_leads_to_those_before(
    sign_in_as: Callable[..., SignedIn], services: Services
) -> None:
    auditor = sign_in_as("auditor")
    with services.database.connection() as conn:
        for _ in range(50):
            security_log.record(conn, security_log.DATA_EXPORTED)
    page = text(auditor.get("/audit/security?kind=&account="))
    position = newest(services).position - 49
    assert f'href="/audit/security?before={position}" rel="next"' in page
    before = text(auditor.get(f"/audit/security?before={position}"))
    assert "Newest entries" in before
    assert "Personal data exported</th>" not in before


def test_what_was_looked_for_is_never_cut_from_the_record_of_an_access(
    sign_in_as: Callable[..., SignedIn], services: Services
) -> None:
    auditor = sign_in_as("auditor")
    longest = "A" * (LONGEST_QUERY - len("z=&actor=x"))
    assert auditor.get(f"/audit?z={longest}&actor=x").status_code == 200
    assert recorded_accesses(services)[-1][1].endswith("&actor=x")
    before = recorded_accesses(services)
    refused = auditor.get(f"/audit?z={longest}A&actor=x")
    assert refused.status_code == 422
    assert recorded_accesses(services) == before


def test_an_address_that_was_looked_for_would_survive_erasure_and_is_not_recorded(
    sign_in_as: Callable[..., SignedIn], services: Services
) -> None:
    auditor = sign_in_as("auditor")
    auditor.get("/audit/security?account=ada@example.org&kind=key.created")
    assert recorded_accesses(services)[-1][1] == (
        "GET /audit/security?account=an+address&kind=key.created"
    )


@pytest.mark.parametrize("path", ["/audit/security", "/audit?q=x"])
def test_every_access_is_recorded(
    sign_in_as: Callable[..., SignedIn], services: Services, path: str
) -> None:
    auditor = sign_in_as("auditor")
    auditor.get(path)
    assert [who for who, _ in recorded_accesses(services)] == [f"account:{auditor.account.id}"]
