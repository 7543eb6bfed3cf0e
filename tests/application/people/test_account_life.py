"""The end of access: disabled accounts, changed roles, expired keys, ended sessions."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest
from argon2 import PasswordHasher

from application.calendar_feeds import FeedDetail, FeedNotFound
from application.people import authentication
from application.people.accounts import (
    Account,
    AccountDisabled,
    Accounts,
    LastAdmin,
)
from application.people.api_keys import KEY_LIFETIME, ApiKeys
from application.people.authentication import (
    SESSION_LIFETIME,
    UNUSED_SESSION_LIFETIME,
    Proof,
    SessionNotFound,
    Sessions,
    WrongPassword,
)
from application.people.tokens import InvalidToken
from domain.errors import Invalid
from interface.bootstrap import Services
from tests.application.conftest import rows_of
from tests.support.examples import NOW
from tests.support.waiting import at_once

PASSWORD = "correct horse battery"  # noqa: S105
SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def sessions(services: Services) -> Sessions:
    return services.sessions


@pytest.fixture
def key(api_keys: ApiKeys, olivia: Account) -> str:
    """A key with all scopes of an owner."""
    return api_keys.create(olivia, name="laptop", now=NOW)


def scopes(api_keys: ApiKeys, key: str) -> set[str] | None:
    """What the key may do; None if it is refused."""
    caller = api_keys.caller(key, now=NOW)
    return None if caller is None else set(caller.scopes)


# Disabling


def test_while_an_account_is_disabled_nothing_opens_it(
    accounts: Accounts,
    api_keys: ApiKeys,
    sessions: Sessions,
    services: Services,
    olivia: Account,
    key: str,
) -> None:
    sessions.set_password(olivia, PASSWORD, now=NOW)
    session, link = sessions.start(olivia, now=NOW), accounts.sign_in_token(olivia)
    feeds = services.calendar_feeds
    feed = feeds.create(owner_id=olivia.id, calendar_id=None, detail=FeedDetail("busy"), now=NOW)
    disabled = accounts.disable(olivia, now=NOW)
    assert disabled.disabled_at == NOW
    assert scopes(api_keys, key) is None
    assert sessions.find(session.token, now=NOW) is None
    with pytest.raises(WrongPassword):
        sessions.with_password(olivia.email, PASSWORD)
    for use in (accounts.account_behind, partial(accounts.sign_in, now=NOW)):
        with pytest.raises(InvalidToken):
            use(link)
    with pytest.raises(AccountDisabled):
        accounts.sign_in_token(disabled)
    with pytest.raises(FeedNotFound):
        feeds.subscribed(feeds.token_of(feed))

    enabled = accounts.enable(disabled)
    assert enabled.disabled_at is None
    assert scopes(api_keys, key) == {"calendars", "links", "bookings"}
    assert sessions.with_password(olivia.email, PASSWORD).id == olivia.id
    assert sessions.find(session.token, now=NOW) is None
    with pytest.raises(InvalidToken):
        accounts.account_behind(link)


def test_a_session_that_began_while_its_account_was_being_disabled_opens_nothing(
    accounts: Accounts, sessions: Sessions, olivia: Account
) -> None:
    accounts.disable(olivia, now=NOW)
    late = sessions.start(olivia, now=NOW)
    assert sessions.find(late.token, now=NOW) is None


def test_disabling_again_changes_nothing(accounts: Accounts, olivia: Account) -> None:
    accounts.disable(olivia, now=NOW)
    assert accounts.disable(olivia, now=NOW + DAY).disabled_at == NOW


# Roles


def test_a_key_does_only_what_the_roles_of_its_account_allow_now(
    accounts: Accounts, api_keys: ApiKeys, olivia: Account, key: str
) -> None:
    audit = accounts.change_roles(olivia, ["auditor"])
    assert (audit.roles, scopes(api_keys, key)) == (("auditor",), set())
    accounts.change_roles(olivia, ["auditor", "owner"])
    assert scopes(api_keys, key) == {"calendars", "links", "bookings"}


def test_a_role_that_does_not_exist_is_refused(accounts: Accounts, olivia: Account) -> None:
    with pytest.raises(Invalid):
        accounts.change_roles(olivia, ["emperor"])
    assert accounts.by_id(olivia.id).roles == ("owner",)


@pytest.mark.parametrize(
    "end",
    [
        lambda accounts, admin: accounts.disable(admin, now=NOW),
        lambda accounts, admin: accounts.change_roles(admin, ["owner"]),
    ],
    ids=["disabled", "another role"],
)
def test_the_last_admin_stays(
    accounts: Accounts, olivia: Account, end: Callable[[Accounts, Account], object]
) -> None:
    admin = accounts.create(email="ada@example.org", name=None, roles=("admin",))
    with pytest.raises(LastAdmin):
        end(accounts, admin)
    assert accounts.by_id(admin.id) == admin
    accounts.change_roles(olivia, ["admin", "owner"])
    end(accounts, admin)
    with pytest.raises(LastAdmin):
        end(accounts, olivia)


def test_of_admins_who_remove_each_other_at_once_one_stays(accounts: Accounts) -> None:
    admins = [
        accounts.create(email=f"{number}@example.org", name=None, roles=("admin",))
        for number in range(4)
    ]

    def disable(admin: Account) -> bool:
        try:
            accounts.disable(admin, now=NOW)
        except LastAdmin:
            return False
        return True

    assert sorted(at_once([partial(disable, admin) for admin in admins])) == [False] + 3 * [True]


# Addresses


def test_an_address_is_changed_unless_somebody_has_it(accounts: Accounts, olivia: Account) -> None:
    accounts.create(email="ada@example.org", name=None, roles=("owner",))
    assert accounts.change_email(olivia, "liv@example.org").email == "liv@example.org"
    assert accounts.by_email("LIV@example.org").id == olivia.id
    for taken in ("Ada@example.org", "nonsense"):
        with pytest.raises(Invalid):
            accounts.change_email(olivia, taken)
    assert accounts.by_id(olivia.id).email == "liv@example.org"


# Sessions


def test_a_session_ends_after_a_month_or_after_a_week_without_use(
    sessions: Sessions, olivia: Account
) -> None:
    used, unused = sessions.start(olivia, now=NOW), sessions.start(olivia, now=NOW)
    moment = NOW
    while moment + 3 * DAY < NOW + SESSION_LIFETIME:
        moment += 3 * DAY
        assert sessions.find(used.token, now=moment)
    assert sessions.find(used.token, now=NOW + SESSION_LIFETIME) is None
    assert sessions.find(unused.token, now=NOW + UNUSED_SESSION_LIFETIME) is None


def test_sessions_are_listed_with_their_browser_and_last_use_and_ended_one_by_one(
    accounts: Accounts, sessions: Sessions, olivia: Account
) -> None:
    phone = sessions.start(olivia, now=NOW, browser="Safari, iPhone")
    desk = sessions.start(olivia, now=NOW, browser="Firefox, Linux")
    other = accounts.create(email="other@example.org", name=None, roles=("owner",))
    sessions.find(phone.token, now=NOW + HOUR)
    assert [
        (each.id, each.browser, each.last_used_at) for each in sessions.all(olivia, now=NOW + HOUR)
    ] == [(phone.id, "Safari, iPhone", NOW + HOUR), (desk.id, "Firefox, Linux", NOW)]
    with pytest.raises(SessionNotFound):
        sessions.end_one(other, phone.id)
    sessions.end_one(olivia, phone.id)
    assert sessions.find(phone.token, now=NOW) is None
    assert sessions.find(desk.token, now=NOW)
    with pytest.raises(SessionNotFound):
        sessions.end_one(olivia, phone.id)


@pytest.mark.parametrize(
    "end",
    [
        lambda services, account: services.accounts.sign_out(account),
        lambda services, account: services.sessions.set_password(account, PASSWORD, now=NOW),
    ],
    ids=["signing out everywhere", "a new password"],
)
def test_a_sign_in_link_ends_with_all_sessions(
    services: Services, olivia: Account, end: Callable[[Services, Account], None]
) -> None:
    link = services.accounts.sign_in_token(olivia)
    session = services.sessions.start(olivia, now=NOW)
    end(services, olivia)
    assert services.sessions.find(session.token, now=NOW) is None
    with pytest.raises(InvalidToken):
        services.accounts.sign_in(link, now=NOW)


def test_a_sign_in_link_stands_for_the_password_for_an_hour(
    sessions: Sessions, olivia: Account
) -> None:
    session = sessions.start(olivia, now=NOW, by=Proof.LINK)

    def stands_for_it(after: timedelta) -> bool:
        found = sessions.find(session.token, now=NOW + after)
        assert found
        return found.can_set_password(now=NOW + after)

    assert [stands_for_it(after) for after in (HOUR - SECOND, HOUR)] == [True, False]


# Keys


def test_a_key_expires_after_a_year_or_when_it_was_asked_to(
    api_keys: ApiKeys, olivia: Account, key: str
) -> None:
    short = api_keys.create(olivia, name="trial", now=NOW, lifetime=DAY)
    # A process remembers for some seconds that a key is good.
    assert api_keys.caller(short, now=NOW + DAY - 5 * SECOND)
    assert api_keys.caller(short, now=NOW + DAY) is None
    assert api_keys.caller(key, now=NOW + KEY_LIFETIME - 5 * SECOND)
    assert api_keys.caller(key, now=NOW + KEY_LIFETIME) is None
    expiries = {each.name: each.expires_at for each in api_keys.of(olivia)}
    assert expiries == {"trial": NOW + DAY, "laptop": NOW + KEY_LIFETIME}


# Passwords


@pytest.mark.parametrize(
    "password",
    [
        *("password1234", "123456789012", "aaaaaaaaaaaa", "qwertyuiop12", "iloveyou1234"),
        *("olivia@example.org", "olivia owner", "OliviaOwner1", "example.org1"),
        *("short", "elevenchars", "x" * 257),
    ],
)
def test_a_password_that_is_easy_to_guess_is_refused(
    sessions: Sessions, olivia: Account, password: str
) -> None:
    with pytest.raises(Invalid) as refusal:
        sessions.set_password(olivia, password, now=NOW)
    assert list(refusal.value.errors) == ["password"]
    with pytest.raises(WrongPassword):
        sessions.with_password(olivia.email, password)


@pytest.mark.parametrize("password", [PASSWORD, "jfk-dsl29-dk2x", "wüste kamel 17 birnen"])
def test_a_password_that_is_hard_to_guess_is_accepted(
    sessions: Sessions, olivia: Account, password: str
) -> None:
    sessions.set_password(olivia, password, now=NOW)
    assert sessions.with_password(olivia.email, password).id == olivia.id


def test_a_password_that_is_replaced_while_it_is_checked_signs_nobody_in(
    sessions: Sessions, olivia: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions.set_password(olivia, PASSWORD, now=NOW)
    verify = PasswordHasher.verify

    def verify_too_late(hasher: PasswordHasher, *hash_and_password: str) -> bool:
        is_right = verify(hasher, *hash_and_password)
        sessions.set_password(olivia, "another camel 17", now=NOW)
        return is_right

    monkeypatch.setattr(PasswordHasher, "verify", verify_too_late)
    with pytest.raises(WrongPassword):
        sessions.with_password(olivia.email, PASSWORD)


def test_a_password_is_stored_as_a_hash_that_takes_much_memory(
    services: Services, monkeypatch: pytest.MonkeyPatch, conninfo: str
) -> None:
    monkeypatch.setattr(authentication, "PasswordHasher", PasswordHasher)  # the tests' is cheap
    account = services.accounts.create(email="olivia@example.org", name=None, roles=("owner",))
    sessions = Sessions(services.database, services.accounts)
    sessions.set_password(account, "correct horse battery", now=NOW)
    stored = rows_of(conninfo, "accounts")
    assert "$argon2id$v=19$m=65536,t=3,p=4$" in stored
    assert "correct horse" not in stored
