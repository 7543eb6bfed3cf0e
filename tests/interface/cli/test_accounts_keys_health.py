"""`admitone accounts`, `keys` and `health`: what they do, print and refuse."""

import json
import os
import re
from uuid import UUID

import pytest

from application.people.roles import ALL_SCOPES
from application.people.tokens import InvalidToken
from interface.bootstrap import Services
from tests.support.authenticator import Authenticator
from tests.support.clock import Clock
from tests.support.command_line import Command, refusal
from tests.support.owner import Owner
from tests.support.service import Service, free_port

SIGN_IN_LINK = re.compile(r"http://127\.0\.0\.1:8000/sign-in/(\S+)\n")
KEY = re.compile(r"ao_([0-9a-f]{8})_\S{43}\n")


def test_a_new_account_is_an_owners_and_signs_in_with_the_link(
    admitone: Command, services: Services
) -> None:
    done = admitone("accounts", "create", "ada@example.org")
    link = SIGN_IN_LINK.fullmatch(done.out)
    assert link, done
    account = services.accounts.account_behind(link[1])
    assert (account.email, account.name, account.roles) == ("ada@example.org", "ada", ("owner",))


def test_a_new_account_has_the_name_and_the_roles_that_were_asked_for(
    admitone: Command, services: Services
) -> None:
    roles = ("--role", "auditor", "--role", "operator")
    assert admitone("accounts", "create", "a@example.org", "--name", "Ann Other", *roles)[0] == 0
    account = services.accounts.by_email("a@example.org")
    assert (account.name, account.roles) == ("Ann Other", ("auditor", "operator"))


def test_a_new_sign_in_link_ends_the_one_before(admitone: Command, services: Services) -> None:
    first = SIGN_IN_LINK.fullmatch(admitone("accounts", "create", "ada@example.org").out)
    second = SIGN_IN_LINK.fullmatch(admitone("accounts", "sign-in-link", "ADA@example.org").out)
    assert first
    assert second
    assert services.accounts.account_behind(second[1]).email == "ada@example.org"
    with pytest.raises(InvalidToken):
        services.accounts.account_behind(first[1])


def test_where_people_sign_in_by_a_provider_only_a_link_has_to_break_the_glass(
    admitone: Command, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    issuer = "https://id.example.org"
    assert admitone("accounts", "connect", "a@example.org", "ada").err == (
        "There is no such account.\n"
    )
    for name, value in {"ISSUER": issuer, "CLIENT_ID": "admit-one", "ONLY": "yes"}.items():
        monkeypatch.setenv(f"ADMITONE_OIDC_{name}", value)
    created = admitone("accounts", "create", "ada@example.org")
    assert created.out == "ada@example.org signs in with id.example.org at http://127.0.0.1:8000\n"
    refused = admitone("accounts", "sign-in-link", "ada@example.org")
    assert refused[:] == (1, "", "People sign in only through the sign-in service here.\n")
    assert SIGN_IN_LINK.fullmatch(
        admitone("accounts", "sign-in-link", "ada@example.org", "--break-glass").out
    )
    account = services.accounts.by_email("ada@example.org")
    connected = admitone("accounts", "connect", "ada@example.org", "subject-7")
    assert connected.out == f"ada@example.org signs in by {issuer} now.\n"
    assert services.identities.is_connected(account, issuer)
    assert admitone("accounts", "connect", "ada@example.org", "subject-8").status == 1
    assert admitone("accounts", "disconnect", "ada@example.org").status == 0
    assert not services.identities.is_connected(account, issuer)


def test_the_life_of_an_account_is_told_line_by_line(admitone: Command, owner: Owner) -> None:
    ada = ("accounts", "create", "ada@example.org", "--name", "Ada", "--role", "admin")
    assert admitone(*ada).status == 0
    changed = admitone(
        "accounts", "roles", "ADA@example.org", "--role", "admin", "--role", "auditor"
    )
    assert changed[:2] == (0, "ada@example.org  Ada  admin,auditor\n")
    assert admitone("accounts", "disable", owner.account.email).out == (
        "olivia@example.org  Olivia Owner  owner  disabled\n"
    )
    assert owner.get("/calendars").status_code == 401
    listed = admitone("accounts", "list").out.splitlines()
    assert listed == [
        "olivia@example.org  Olivia Owner  owner  disabled",
        "ada@example.org  Ada  admin,auditor",
    ]
    first, second = map(json.loads, admitone("accounts", "list", "--json").out.splitlines())
    assert (first["email"], first["roles"]) == ("olivia@example.org", ["owner"])
    assert first["disabled_at"]
    assert second["disabled_at"] is None
    assert admitone("accounts", "enable", owner.account.email).status == 0
    assert owner.get("/calendars").status_code == 200
    moved = admitone("accounts", "email", owner.account.email, "liv@example.org")
    assert moved.out == "liv@example.org  Olivia Owner  owner\n"
    assert admitone("accounts", "sign-out", "liv@example.org").status == 0
    assert refusal(admitone("accounts", "disable", "ada@example.org")) == (
        "This is the only admin left. Make somebody else an admin first."
    )


def test_the_passkey_of_a_lost_device_is_listed_and_removed(
    admitone: Command, services: Services, owner: Owner, clock: Clock
) -> None:
    device = Authenticator()
    made = device.make(services.passkeys.begin_to_add(owner.account, now=clock()))
    passkey = services.passkeys.add(owner.account, made, name="Phone", now=clock())
    listed = admitone("accounts", "passkeys", "OLIVIA@example.org")
    assert listed.out == f"{passkey.id}  Phone  added: 2026-11-23  last used: never\n"
    (as_json,) = admitone("accounts", "passkeys", "olivia@example.org", "--json").out.splitlines()
    assert json.loads(as_json) == {
        "id": str(passkey.id),
        "name": "Phone",
        "created_at": "2026-11-23T08:00:00+00:00",
        "last_used_at": None,
    }
    removed = admitone("accounts", "remove-passkey", "olivia@example.org", str(passkey.id))
    assert removed.out == "Removed Phone.\n"
    assert services.passkeys.all(owner.account) == []


def test_a_key_stands_alone_on_standard_output_and_works_until_it_is_revoked(
    admitone: Command, owner: Owner, clock: Clock
) -> None:
    done = admitone("keys", "create", "--account", "olivia@example.org", "--name", "calendar sync")
    key = KEY.fullmatch(done.out)
    assert key, done
    owner.key = key[0].strip()
    assert owner.get("/calendars").status_code == 200
    listed = admitone("keys", "list").out
    assert len(listed.splitlines()) == 2
    (line,) = [line for line in listed.splitlines() if line.startswith(key[1])]
    assert "olivia@example.org  calendar sync  calendars,links,bookings" in line
    assert "revoked" not in line
    assert key[0].strip() not in listed
    for _ in range(2):
        assert admitone("keys", "revoke", key[1])[:2] == (0, f"Revoked {key[1]}.\n")
    clock.advance(seconds=5)
    assert owner.get("/calendars").status_code == 401
    assert sum("revoked" in line for line in admitone("keys", "list").out.splitlines()) == 1


def test_a_key_has_only_the_scopes_that_were_asked_for(admitone: Command, owner: Owner) -> None:
    scopes = ("--scope", "links", "--scope", "bookings")
    done = admitone("keys", "create", "--account", "olivia@example.org", *scopes)
    owner.key = done.out.strip()
    assert owner.get("/links").status_code == 200
    assert owner.get("/calendars").status_code == 403


def test_an_admins_key_may_do_everything(admitone: Command) -> None:
    admitone("accounts", "create", "root@example.org", "--role", "admin")
    assert admitone("keys", "create", "--account", "root@example.org").status == 0
    assert ",".join(ALL_SCOPES) in admitone("keys", "list").out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ("accounts", "create", "not an address"),
            "email: Enter one e-mail address, such as name@example.org.",
        ),
        (
            ("accounts", "create", "OLIVIA@example.org"),
            "email: An account with this address already exists.",
        ),
        (("accounts", "sign-in-link", "nobody@example.org"), "There is no such account."),
        (("keys", "create", "--account", "nobody@example.org"), "There is no such account."),
        (
            ("keys", "create", "--account", "olivia@example.org", "--scope", "audit"),
            "scope: This account may not have audit. It may have: calendars, links, bookings.",
        ),
        (("keys", "revoke", "01234567"), "There is no such API key."),
        (
            ("accounts", "remove-passkey", "olivia@example.org", str(UUID(int=0))),
            "There is no such passkey.",
        ),
        (("accounts", "disable", "nobody@example.org"), "There is no such account."),
    ],
)
def test_a_refused_command_prints_one_sentence(
    admitone: Command, owner: Owner, arguments: tuple[str, ...], sentence: str
) -> None:
    assert refusal(admitone(*arguments)) == sentence


@pytest.mark.parametrize(
    "arguments",
    [
        ("no-such-command",),
        ("accounts", "create"),
        ("accounts", "create", "ada@example.org", "--role", "king"),
        ("keys", "create"),
        ("keys", "create", "--account", "olivia@example.org", "--scope", "everything"),
        ("projections", "status", "--yaml"),
        ("accounts", "create", os.fsdecode(b"\xff@example.org")),
    ],
)
def test_a_command_that_is_not_understood_ends_with_status_2(
    admitone: Command, arguments: tuple[str, ...]
) -> None:
    done = admitone(*arguments)
    assert (done.status, done.out) == (2, "")
    assert done.err


def test_health_reports_whether_the_service_answers(
    run: Command, monkeypatch: pytest.MonkeyPatch, service: Service
) -> None:
    monkeypatch.setenv("ADMITONE_PORT", str(service.port))
    assert run("health") == (0, "ready\n", "")
    monkeypatch.setenv("ADMITONE_PORT", str(free_port()))
    assert "does not answer" in refusal(run("health"))


def test_a_key_for_an_assistant_says_so(admitone: Command, owner: Owner) -> None:
    created = admitone(
        *("keys", "create", "--account", owner.account.email, "--agent", "--links-a-day", "3")
    )
    prefix = created.out.split("_")[1]
    lines = admitone("keys", "list").out.splitlines()
    (line,) = (line for line in lines if line.startswith(prefix))
    assert line.endswith("last used: never  agent  links a day: 3")
