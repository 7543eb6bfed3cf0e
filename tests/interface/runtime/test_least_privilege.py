"""A data folder from before there were roles is upgraded: nothing is lost, and each process has
only the rights and the secrets that it needs.

The folder is that of a service at step 0024, with its database as pg_dump wrote it.
"""

import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest
from psycopg.rows import dict_row

from interface.database_roles import DatabaseRole
from interface.runtime.embedded_postgres import EmbeddedPostgres
from tests.support.processes import family
from tests.support.service import Service, log_of, running_service
from tests.support.waiting import wait_until

FOLDER = Path(__file__).with_name("folder_of_step_0024")
HANDED_OUT = json.loads((FOLDER / "handed_out.json").read_text())
METRICS_TOKEN = "a-token-that-no-other-process-needs-to-see"  # noqa: S105 - of this test

needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture(scope="module")
def upgraded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service on the folder of an earlier version, whose sessions have not ended yet."""
    data = Path(shutil.copytree(FOLDER, tmp_path_factory.mktemp("earlier"), dirs_exist_ok=True))
    for file in ("secret_keys", "audit_key"):  # as they were written then
        (data / file).chmod(0o600)
    with (
        EmbeddedPostgres(data / "postgres") as server,
        psycopg.connect(server.conninfo, autocommit=True) as conn,
    ):
        conn.execute((data / "database.sql").read_bytes())
        conn.execute(
            """UPDATE public.sessions SET expires_at = now() + '1 day', last_used_at = now();
            UPDATE public.api_keys SET expires_at = now() + '1 day'"""
        )
    with (data / "postgres" / "cluster" / "pg_hba.conf").open("w") as rules:
        rules.write("local all all trust\n")  # as initdb was told to write it then
    settings = {"ADMITONE_METRICS_TOKEN": METRICS_TOKEN}
    with running_service(data, None, **settings) as running:
        yield running


def data_of(service: Service) -> Path:
    return Path(service.environment["ADMITONE_DATA"])


def as_superuser(service: Service) -> psycopg.Connection[dict[str, object]]:
    conninfo = EmbeddedPostgres(data_of(service) / "postgres").conninfo
    return psycopg.connect(conninfo, autocommit=True, row_factory=dict_row)


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def test_links_keys_and_sessions_from_before_the_upgrade_still_work(upgraded: Service) -> None:
    link, manage = HANDED_OUT["open_link"], HANDED_OUT["manage"]
    assert upgraded.call("GET", f"/b/{link}").status_code == 200
    assert upgraded.book({"token": link}, upgraded.slots({"token": link})[0])
    assert upgraded.call("GET", f"/m/{manage}").status_code == 200
    listed = upgraded.call("GET", "/api/v1/calendars", **bearer(HANDED_OUT["api_key"]))
    assert [each["id"] for each in listed.json["items"]] == [HANDED_OUT["calendar_id"]]
    assert upgraded.call("GET", "/settings/access", Cookie=HANDED_OUT["cookie"]).status_code == 200


def test_the_log_is_as_it_was_signed_before_the_upgrade_and_the_views_match_it(
    upgraded: Service,
) -> None:
    assert "The log is as it was recorded" in upgraded.command("audit", "verify").stdout
    verified = upgraded.command("projections", "verify", "--all").stdout
    assert all("matches the log" in line for line in verified.splitlines()), verified
    upgraded.command("projections", "prune")


def test_no_role_of_the_service_is_a_superuser_and_the_superuser_owns_nothing_of_ours(
    upgraded: Service,
) -> None:
    with as_superuser(upgraded) as conn:
        roles = conn.execute(
            """SELECT rolname AS name FROM pg_roles WHERE rolname = ANY(%s) AND NOT (rolsuper
            OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls)""",
            (list(DatabaseRole),),
        ).fetchall()
        assert {role["name"] for role in roles} == set(DatabaseRole)
        owners = conn.execute(
            """SELECT DISTINCT relowner::regrole::text AS name FROM pg_class
            JOIN pg_namespace ON pg_namespace.oid = relnamespace
            WHERE nspname !~ '^(pg_|information_schema)'
            UNION SELECT proowner::regrole::text FROM pg_proc
            WHERE pronamespace = 'public'::regnamespace AND proname ~ '^(replace_|refuse_|search_)'
            UNION SELECT datdba::regrole::text FROM pg_database WHERE datname = 'admitone'"""
        ).fetchall()
        assert owners == [{"name": DatabaseRole.OWNER}]


def test_each_process_connects_with_a_role_of_its_own(upgraded: Service) -> None:
    expected = {
        ("admitone", DatabaseRole.SERVICE),
        ("admitone senders", DatabaseRole.SERVICE),
        ("admitone projector", DatabaseRole.PROJECTOR),
    }
    with as_superuser(upgraded) as conn:

        def is_as_expected() -> bool:
            found = {
                (row["part"], row["role"])
                for row in conn.execute(
                    """SELECT application_name AS part, usename AS role FROM pg_stat_activity
                    WHERE datname = 'admitone' AND pid <> pg_backend_pid()"""
                )
            }
            roles = {role for _, role in found}
            return expected <= found and roles == {DatabaseRole.SERVICE, DatabaseRole.PROJECTOR}

        wait_until(is_as_expected)  # connections of other tests may still be ending


def test_a_rebuild_that_was_requested_over_http_is_run_by_the_projector(upgraded: Service) -> None:
    path, headers = "/api/v1/projections/calendar_list_v2", bearer(HANDED_OUT["api_key"])
    with as_superuser(upgraded) as conn:
        conn.execute("UPDATE accounts SET roles = '{owner,admin,operator}'")
        conn.execute("UPDATE api_keys SET scopes = scopes || '{projections}'")
    assert upgraded.call("POST", f"{path}/rebuilds", {}, **headers).status_code == 202

    def is_done() -> bool:
        with as_superuser(upgraded) as conn:
            return bool(
                conn.execute(
                    "SELECT FROM rebuilds WHERE name = 'calendar_list_v2' AND by_projector"
                    " AND state = 'done' AND differing = 0"
                ).fetchall()
            )

    wait_until(is_done)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE stored_events SET topic = topic",
        "DELETE FROM stored_events",
        "INSERT INTO stored_events (originator_id, originator_version, topic, state, recorded_at)"
        " VALUES (gen_random_uuid(), 1, 'x', '{}', '2001-01-01')",
        "INSERT INTO stored_events (originator_id, originator_version, topic, state,"
        " notification_id) VALUES (gen_random_uuid(), 1, 'x', '{}', -5)",
        "DROP TRIGGER append_only ON stored_events",
        "SET session_replication_role = replica",
        "CREATE FUNCTION public.concat_ws(text, text, text) RETURNS text RETURN ''",
        "DELETE FROM audit_accesses",
        "UPDATE audit_accesses SET actor = 'somebody else'",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "SELECT pg_read_file('PG_VERSION')",
        "SET ROLE admitone_owner",
    ],
)
def test_with_the_role_of_the_service_an_intruder_changes_no_evidence(
    upgraded: Service, statement: str
) -> None:
    server = EmbeddedPostgres(data_of(upgraded) / "postgres")
    with (
        psycopg.connect(server.conninfo_of(DatabaseRole.SERVICE), autocommit=True) as conn,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        conn.execute(statement.encode())


@needs_proc
def test_no_process_shows_a_secret_in_its_environment(upgraded: Service) -> None:
    shown: dict[str, bytes] = {}
    for process in family(upgraded.process.pid):
        with suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
            environment = Path(f"/proc/{process.pid}/environ").read_bytes()
            shown[process.name] = shown.get(process.name, b"") + environment
    assert {"projector", "sender", "web server", "web worker", "postgres"} <= shown.keys()
    assert b"ADMITONE_PORT" in shown["web worker"]
    assert not [name for name, seen in shown.items() if METRICS_TOKEN.encode() in seen]
    assert upgraded.call("GET", "/metrics", **bearer(METRICS_TOKEN)).status_code == 200


@needs_proc
def test_a_wrong_user_of_the_machine_is_refused(upgraded: Service) -> None:
    rules = data_of(upgraded) / "postgres" / "cluster" / "admitone_hba.conf"
    assert rules.read_text() == "local all all peer map=admitone\n"
    with pytest.raises(psycopg.OperationalError, match="authentication failed"):
        psycopg.connect(
            EmbeddedPostgres(data_of(upgraded) / "postgres").conninfo, user="pg_monitor"
        )


def test_the_data_folder_is_closed_to_others(upgraded: Service) -> None:
    data = data_of(upgraded)
    assert data.stat().st_mode & 0o066 == 0
    assert (data / "secret_keys").stat().st_mode & 0o077 == 0
    said_at_root = "runs as root, so whoever breaks into it" in log_of(upgraded)
    assert said_at_root == (os.geteuid() == 0)
