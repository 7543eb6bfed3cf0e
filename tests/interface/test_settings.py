"""Settings from the environment, and the sentences about wrong ones."""

import os
from functools import partial
from ipaddress import ip_network
from pathlib import Path

import pytest
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st

from interface.key_store import secret_keys
from interface.outgoing.outgoing_url import Proxy
from interface.settings import (
    PATHS_OF_THE_SERVICE,
    PREFIX,
    Settings,
    SettingsError,
    unused_settings,
    variables,
)
from interface.smtp_address import SmtpServer
from tests.support.certificates import certificate_for
from tests.support.waiting import at_once

READ = sorted(variables())


def read(**environment: str) -> Settings:
    return Settings.from_environment({PREFIX + name: value for name, value in environment.items()})


def refusals(**environment: str) -> list[str]:
    with pytest.raises(SettingsError) as refused:
        read(**environment)
    return str(refused.value).splitlines()


def test_without_any_setting_it_runs_on_this_machine_alone() -> None:
    assert read() == Settings(data=Path.cwd() / "var", public_url="http://127.0.0.1:8000")


def test_every_setting_is_read_from_the_environment(tmp_path: Path) -> None:
    certificates, _ = certificate_for("feeds.example", tmp_path)
    given = read(
        DATABASE_URL="postgresql://ada:pa%40ss@db.example.org/admitone?sslmode=require",
        LISTEN_URL="postgresql://db.example.org/admitone?sslmode=require",
        REPLICA_URL="postgresql://standby.example.org/admitone",
        PATRONI_URLS="http://10.0.0.1:8008, https://db2.example.org:8008/",
        POOL_SIZE="7",
        DATA=str(tmp_path),
        HOST="0.0.0.0",  # noqa: S104
        PORT="8080",
        WORKERS="3",
        SECRET_KEYS=f"{'n' * 32}, {'o' * 40}",
        PUBLIC_URL="https://book.example.org/",
        POSTGRES_BIN=str(tmp_path),
        LOG="json",
        AUDIT_KEY="PRIVATE+KEY+…",
        CHECKPOINTS=str(tmp_path),
        METRICS_TOKEN="m" * 32,
        ATTEMPTS_DAYS="7",
        DELIVERIES_DAYS="8",
        PATROL_HOURS="12",
        DATABASE_WAIT="0",
        FORGET_AFTER_DAYS="30",
        TRUSTED_PROXIES="10.0.0.0/8, 2001:db8::7,,",
        SMTP_URL="smtp://ada:pa%40ss@mail.example.org",
        MAIL_FROM="Book@BÜCHER.example",
        OUTGOING_NETWORKS="10.0.0.0/8,192.168.1.5",
        OUTGOING_PROXY="http://ada:p%40ss@Proxy.example.org:3128/",
        OUTGOING_CA_FILE=str(certificates),
        OIDC_ISSUER="https://id.example.org/realms/all/",
        OIDC_CLIENT_ID="admit-one",
        OIDC_CLIENT_SECRET="provided",  # noqa: S106
        OIDC_NAME="Example ID",
        OIDC_SCOPES="openid email groups",
        OIDC_DOMAINS="Example.org, example.com",
        OIDC_ROLE_CLAIM="groups",
        OIDC_ROLES="staff=owner, cn=audit=auditor",
        OIDC_ONLY="yes",
    )
    assert given == Settings(
        database_url="postgresql://ada:pa%40ss@db.example.org/admitone?sslmode=require",
        listen_url="postgresql://db.example.org/admitone?sslmode=require",
        replica_url="postgresql://standby.example.org/admitone",
        patroni_urls=("http://10.0.0.1:8008", "https://db2.example.org:8008/"),
        pool_size=7,
        data=tmp_path,
        host="0.0.0.0",  # noqa: S104
        port=8080,
        workers=3,
        secret_keys=("n" * 32, "o" * 40),
        public_url="https://book.example.org",
        public_url_is_set=True,
        postgres_bin=tmp_path,
        log="json",
        audit_key="PRIVATE+KEY+…",
        checkpoints=tmp_path,
        metrics_token="m" * 32,
        attempts_days=7,
        deliveries_days=8,
        patrol_hours=12,
        database_wait=0,
        forget_after_days=30,
        trusted_proxies=(ip_network("10.0.0.0/8"), ip_network("2001:db8::7")),
        smtp_url=SmtpServer("mail.example.org", 587, user="ada", password="pa@ss"),  # noqa: S106
        mail_from="Book@bücher.example",
        outgoing_networks=(ip_network("10.0.0.0/8"), ip_network("192.168.1.5")),
        outgoing_proxy=Proxy("proxy.example.org", 3128, "ada:p@ss"),
        outgoing_ca_file=certificates,
        oidc_issuer="https://id.example.org/realms/all/",
        oidc_client_id="admit-one",
        oidc_client_secret="provided",  # noqa: S106
        oidc_name="Example ID",
        oidc_scopes=("openid", "email", "groups"),
        oidc_domains=("example.org", "example.com"),
        oidc_role_claim="groups",
        oidc_roles=(("staff", "owner"), ("cn=audit", "auditor")),
        oidc_only=True,
    )


def test_only_proxies_on_this_machine_are_trusted_unless_others_or_none_are_named() -> None:
    assert read().trusted_proxies == (ip_network("127.0.0.0/8"), ip_network("::1"))
    assert read(TRUSTED_PROXIES="none").trusted_proxies == ()
    assert read(TRUSTED_PROXIES="192.0.2.1").trusted_proxies == (ip_network("192.0.2.1"),)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("0.0.0.0", "http://127.0.0.1:8000"),  # noqa: S104
        ("::", "http://[::1]:8000"),
        ("::1", "http://[::1]:8000"),
        ("localhost", "http://127.0.0.1:8000"),
        ("192.0.2.7", "http://192.0.2.7:8000"),
    ],
)
def test_the_default_public_url_follows_from_host_and_port(host: str, url: str) -> None:
    assert read(HOST=host).local_url == url
    assert read(HOST=host).public_url == url
    assert not read(HOST=host).public_url_is_set


def test_a_public_address_has_one_spelling_and_may_have_a_path() -> None:
    given = read(PUBLIC_URL="HTTPS://BÜCHER.example:443/book/")
    assert given.public_url == "https://xn--bcher-kva.example/book"
    assert given.public_url_is_set


def test_a_public_address_must_not_have_a_path_of_the_service_itself(app: Flask) -> None:
    rules = {rule.rule.split("/")[1].partition("<")[0] for rule in app.url_map.iter_rules()}
    assert set(PATHS_OF_THE_SERVICE) == rules - {""}
    assert refusals(PUBLIC_URL="https://example.org/b/x") == [
        "ADMITONE_PUBLIC_URL must not have a path that begins with /b: the service uses it."
    ]


def test_a_setting_that_is_empty_or_blank_is_not_set() -> None:
    assert Settings.from_environment(dict.fromkeys(READ, " ")) == read()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "db.example.org"),
        ("DATABASE_URL", "mysql://db.example.org/admitone"),
        ("DATABASE_URL", "postgresql://db.example.org/admitone?no_such_option=1"),
        ("DATABASE_URL", "postgresql://ada:p@ss@db.example.org/admitone"),
        ("REPLICA_URL", "standby.example.org"),
        ("PATRONI_URLS", "10.0.0.1:8008"),
        ("PATRONI_URLS", "http://10.0.0.1:8008/primary"),
        ("POOL_SIZE", "0"),
        ("DATA", __file__),
        ("HOST", "book.example.org"),
        ("HOST", "[::1]"),
        ("HOST", "fe80::1%eth0"),
        ("PORT", "0"),
        ("PORT", "65536"),
        ("PORT", "80a"),
        ("OIDC_ISSUER", "http://id.example.org"),
        ("OIDC_ISSUER", "https://id.example.org/?a=b"),
        ("OIDC_ISSUER", "id.example.org"),
        ("OIDC_SCOPES", "email"),
        ("OIDC_ROLES", "staff"),
        ("OIDC_ROLES", "staff=boss"),
        ("OIDC_ROLES", "=owner"),
        ("OIDC_ONLY", "maybe"),
        ("ATTEMPTS_DAYS", "0"),
        ("DELIVERIES_DAYS", "0"),
        ("PATROL_HOURS", "0"),
        ("DATABASE_WAIT", "3601"),
        ("FORGET_AFTER_DAYS", "0"),
        ("FORGET_AFTER_DAYS", "never"),
        ("PORT", "²"),
        ("PORT", "9" * 5000),
        ("WORKERS", "0"),
        ("WORKERS", "65"),
        ("WORKERS", "-1"),
        ("SECRET_KEYS", f"{'n' * 32},{'o' * 31}"),
        ("METRICS_TOKEN", "m" * 31),
        ("PUBLIC_URL", "book.example.org"),
        ("PUBLIC_URL", "ftp://book.example.org"),
        ("PUBLIC_URL", "https://"),
        ("PUBLIC_URL", "https://[book"),
        ("PUBLIC_URL", "https://book.example.org:99999"),
        ("PUBLIC_URL", "https://book.example.org/?a=b"),
        ("TRUSTED_PROXIES", "proxy.example.org"),
        ("TRUSTED_PROXIES", "10.0.0.1/8"),
        ("TRUSTED_PROXIES", "10.0.0.1,*"),
        ("TRUSTED_PROXIES", "0.0.0.0/0"),
        ("TRUSTED_PROXIES", "::/0"),
        ("TRUSTED_PROXIES", "fe80::1%eth0"),
        ("PUBLIC_URL", "https://ada@book.example.org"),
        ("PUBLIC_URL", "https://book.example.org/a/../b"),
        ("PUBLIC_URL", "https://127.1"),
        ("POSTGRES_BIN", "/no/such/folder"),
        ("SMTP_URL", "mail.example.org"),
        ("SMTP_URL", "http://mail.example.org"),
        ("SMTP_URL", "smtp://ada@mail.example.org"),
        ("SMTP_URL", "smtp://ada:pa@ss@mail.example.org"),
        ("SMTP_URL", "smtp://mail.example.org:0"),
        ("SMTP_URL", "smtp://mail.example.org:65536"),
        ("SMTP_URL", "smtp://mail.example.org/path"),
        ("MAIL_FROM", "Ada <ada@example.org>"),
        ("MAIL_FROM", "book.example.org"),
        ("OUTGOING_NETWORKS", "10.0.0.1/8"),
        ("OUTGOING_PROXY", "proxy.example.org:3128"),
        ("OUTGOING_PROXY", "https://proxy.example.org:3128"),
        ("OUTGOING_PROXY", "http://proxy.example.org/path"),
        ("OUTGOING_CA_FILE", "/no/such/file"),
        ("OUTGOING_CA_FILE", __file__),
        ("LOG", "xml"),
        ("DATA", os.fsdecode(b"/tmp/\xff")),
    ],
)
def test_a_wrong_setting_is_refused_by_name(name: str, value: str) -> None:
    (refusal,) = refusals(**{name: value})
    assert refusal.startswith(f"{PREFIX}{name} must ")
    assert refusal.endswith(".")


@given(st.dictionaries(st.sampled_from(READ), st.text(), max_size=len(READ)))
@settings(deadline=None, max_examples=60)
def test_any_environment_is_read_or_refused_with_every_wrong_setting_named(
    environment: dict[str, str],
) -> None:
    def wrong(given: dict[str, str]) -> list[str]:
        try:
            Settings.from_environment(given)
        except SettingsError as refusal:
            return str(refusal).splitlines()
        return []

    alone = [line for name, value in environment.items() for line in wrong({name: value})]
    assert sorted(wrong(environment)) == sorted(alone)
    assert all(line.startswith(PREFIX) for line in alone)


def test_what_is_said_of_an_identity_provider_must_be_enough() -> None:
    assert refusals(OIDC_ONLY="yes") == ["ADMITONE_OIDC_ONLY needs ADMITONE_OIDC_ISSUER."]
    issuer = {"OIDC_ISSUER": "https://id.example.org"}
    assert refusals(**issuer, OIDC_ROLE_CLAIM="groups") == [
        "ADMITONE_OIDC_ISSUER needs ADMITONE_OIDC_CLIENT_ID.",
        "ADMITONE_OIDC_ROLE_CLAIM needs ADMITONE_OIDC_ROLES.",
    ]
    assert read(**issuer, OIDC_CLIENT_ID="admit-one").oidc_provider_name == "id.example.org"


@pytest.mark.parametrize(
    "url",
    ["postgresql://ada:s3cret@w0rd@db/x", "s3cret", "postgresql://ada:s3cret@db:port/x?y"],
)
def test_a_refusal_never_repeats_a_password_or_a_key(url: str) -> None:
    given = {
        "DATABASE_URL": url,
        "OUTGOING_PROXY": url,
        "SECRET_KEYS": "s3cret",
        "SMTP_URL": url,
    }
    assert "s3cret" not in str(refusals(**given))


@pytest.mark.parametrize("variable", ["PUBLIC_URL", "OIDC_ISSUER", "PATRONI_URLS"])
@pytest.mark.parametrize("url", ["ftp://ada:s3cret@h", "https://ada:s3cret@h/x?y"])
def test_a_refused_address_is_quoted_only_without_a_password(variable: str, url: str) -> None:
    assert "s3cret" not in str(refusals(**{variable: url}))
    assert repr(bad := url.replace("ada:s3cret@", "")) in str(refusals(**{variable: bad}))


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "smtp"
    file.write_text("smtps://ada:s3cret@mail.example.org\n")
    given = read(SMTP_URL_FILE=str(file))
    assert given.smtp_url == SmtpServer("mail.example.org", 465, True, "ada", "s3cret")
    assert "s3cret" not in repr(given)
    assert read(SMTP_URL_FILE=str(file), SMTP_URL="smtp://localhost").smtp_url == SmtpServer(
        "localhost", 25
    )
    file.write_text("s3cret")
    (refusal,) = refusals(SMTP_URL_FILE=str(file))
    assert refusal.startswith("ADMITONE_SMTP_URL must be smtp://")
    assert refusals(SMTP_URL_FILE="/no/such/file") == [
        "ADMITONE_SMTP_URL must be in the file that ADMITONE_SMTP_URL_FILE names."
    ]
    assert unused_settings({"ADMITONE_SMTP_URL_FILE": "x", "ADMITONE_PORT_FILE": "x"}) == [
        "ADMITONE_PORT_FILE"
    ]


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://book.example.org:8443/book", "admit-one@book.example.org"),
        ("http://127.0.0.1:8000", "admit-one@localhost"),
        ("http://[::1]:8000", "admit-one@localhost"),
    ],
)
def test_mail_comes_from_the_public_host_unless_an_address_is_set(url: str, address: str) -> None:
    assert read(PUBLIC_URL=url).sender_address == address
    assert read(PUBLIC_URL=url, MAIL_FROM="a@b.example").sender_address == "a@b.example"


def test_unknown_settings_with_our_prefix_are_found() -> None:
    environment = {"ADMITONE_PROT": "80", "ADMITONE_PORT": "80", "PATH": "/bin"}
    assert unused_settings(environment) == ["ADMITONE_PROT"]
    assert unused_settings(dict.fromkeys(READ, "")) == []


def test_a_secret_key_is_made_once_and_readable_only_by_its_user(
    tmp_path: Path,
) -> None:
    ours = Settings(data=tmp_path / "new")
    made = set(at_once([partial(secret_keys, ours)] * 16))
    assert made == {secret_keys(ours)}
    (key,) = made.pop()
    assert len(key) >= 32
    (file,) = (tmp_path / "new").iterdir()
    assert file.read_text() == f"{key}\n"
    assert file.stat().st_mode & 0o777 == 0o600


def test_keys_that_are_set_are_used_and_none_is_written(tmp_path: Path) -> None:
    assert secret_keys(Settings(data=tmp_path, secret_keys=("a", "b"))) == ("a", "b")
    assert list(tmp_path.iterdir()) == []


def test_a_data_folder_that_can_not_keep_keys_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match=r"^The secret keys can't be stored in .*: \w.*\.$"):
        secret_keys(Settings(data=tmp_path / "file" / "folder"))
    (tmp_path / "secret_keys").touch()
    with pytest.raises(SettingsError, match="There is no secret key in"):
        secret_keys(Settings(data=tmp_path))
