"""`admitone doctor` names what is wrong with an installation, and what to do."""

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg.rows import dict_row

from application import key_fingerprints, schema
from application.eventstore.connection import connect
from application.key_fingerprints import KeyKind
from application.people import security_log
from interface.bootstrap import Services
from interface.runtime import command_database, doctor
from interface.runtime.postgres_locks import LauncherLock
from projections.evidence import evidence_checks
from projections.evidence.evidence_checks import Finding
from tests.support.command_line import Command, Outcome
from tests.support.examples import SECRET
from tests.support.service import Service, free_port

HASTE = "PostgreSQL runs with fsync = off"  # that is how the tests' server runs
IGNORED = (HASTE, "People can't book here", "No projector is running")


def found(done: Outcome, kind: str) -> list[str]:
    """What was found, but for how the server is set up, and service and projector not running."""
    return [
        line.removeprefix(f"{kind}: ")
        for line in done.out.splitlines()
        if line.startswith(f"{kind}: ") and not line.startswith(IGNORED, len(kind) + 2)
    ]


@pytest.fixture(autouse=True)
def _private_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)


def test_nothing_is_wrong_with_a_service_that_runs_as_it_should(service: Service) -> None:
    with pytest.raises(subprocess.CalledProcessError) as ended:  # because of the tests' server
        service.command("doctor", "--json")
    findings = json.loads(ended.value.stdout)
    wrong = [finding["what"] for finding in findings if finding["is_wrong"]]
    assert [what.partition(":")[0] for what in wrong] == [HASTE]
    assert any("No mail goes out" in finding["what"] for finding in findings)


def test_advice_is_no_reason_to_fail(admitone: Command, services: Services) -> None:
    services.security_log.record(security_log.BACKED_UP)
    done = admitone("doctor")
    assert found(done, "WRONG") == []
    assert [re.split("[:,]", line)[0] for line in found(done, "Advice")] == [
        "No mail goes out",
        "No auditor has fetched a checkpoint in the last month",
    ]


def test_a_service_that_does_not_answer_is_named(admitone: Command) -> None:
    done = admitone("doctor")
    assert done.status == 1
    assert "WRONG: People can't book here: http://127.0.0.1:8000 does not answer" in done.out
    assert "  Start it with `admitone serve`. If it already runs, solve the problem" in done.out


def test_a_server_that_can_lose_what_was_confirmed_is_named(admitone: Command) -> None:
    assert f"WRONG: {HASTE}: a power failure can destroy" in admitone("doctor").out


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"ADMITONE_PUBLIK_URL": "x"}, "ADMITONE_PUBLIK_URL is no setting."),
        ({"ADMITONE_HOST": "::"}, "Links are made for an address that other machines"),
        (
            {"ADMITONE_HOST": "::", "ADMITONE_PUBLIC_URL": "http://a.example"},
            "People reach the service without encryption.",
        ),
        ({"ADMITONE_AUDIT_KEY": "nonsense"}, "ADMITONE_AUDIT_KEY can't be used"),
        ({"ADMITONE_WORKERS": "64"}, "PostgreSQL allows"),
    ],
)
def test_settings_that_do_harm_are_named(
    admitone: Command, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], what: str
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    (finding,) = found(admitone("doctor"), "WRONG")
    assert finding.startswith(what)


def test_addresses_of_a_cluster_that_lead_nowhere_are_named(
    admitone: Command, conninfo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setenv("ADMITONE_LISTEN_URL", f"{conninfo} dbname=no_such_database")
    monkeypatch.setenv("ADMITONE_REPLICA_URL", conninfo)
    monkeypatch.setenv("ADMITONE_PATRONI_URLS", nowhere)
    standby, listening, patroni = found(admitone("doctor"), "WRONG")
    assert standby == "The standby of ADMITONE_REPLICA_URL is passed over: It is not a standby."
    assert listening.startswith("Senders can't keep a session at ADMITONE_LISTEN_URL: ")
    assert patroni == f"Patroni does not answer at {nowhere}."


def test_files_that_others_may_read_and_a_full_disk_are_named(
    admitone: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret_keys").write_text("x" * 48)
    (tmp_path / "secret_keys").chmod(0o644)
    tmp_path.chmod(0o755)
    monkeypatch.setattr(doctor, "LEAST_FREE_BYTES", 1 << 60)
    monkeypatch.setattr(doctor, "LEAST_FREE_SHARE", 1.0)

    readable, listed, full = found(admitone("doctor"), "WRONG")

    assert readable == f"Other users of this machine may read {tmp_path / 'secret_keys'}."
    assert listed == f"Other users of this machine may list {tmp_path}."
    assert full.startswith(f"The disk of {tmp_path} is nearly full")


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        (
            "INSERT INTO parked_events (generation, position, correlation_id, error)"
            " VALUES ('mail_v1', 1, gen_random_uuid(), 'broken')",
            "mail_v1 could not apply 1 events, and 0 more wait.",
        ),
        (
            "INSERT INTO deliveries (id, channel, kind, audience, owner_id, due_at, state,"
            " next_attempt_at) VALUES (gen_random_uuid(), 'mail', 'test', 'owner',"
            " gen_random_uuid(), now(), 'parked', now())",
            "1 deliveries by mail were given up.",
        ),
        (
            "INSERT INTO deliveries (id, channel, kind, audience, owner_id, due_at,"
            " next_attempt_at) VALUES (gen_random_uuid(), 'mail', 'test', 'owner',"
            " gen_random_uuid(), now() - interval '1 hour', now())",
            "Deliveries by mail are 60 minutes late.",
        ),
    ],
)
def test_what_is_wrong_in_the_database_is_named(
    admitone: Command, conninfo: str, statement: str, what: str
) -> None:
    with psycopg.connect(conninfo, autocommit=True) as conn:
        conn.execute(statement.encode())
    assert found(admitone("doctor"), "WRONG") == [what]


def test_keys_that_are_not_there_are_named_and_none_is_made(
    admitone: Command, conninfo: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ADMITONE_SECRET_KEYS")
    never_started = f"There are no secret keys in {tmp_path}: the service was never started."
    assert found(admitone("doctor"), "WRONG") == [never_started]
    with connect(conninfo, application_name="test") as conn:
        key_fingerprints.record(conn, {KeyKind.SECRET: [SECRET]})
    (lost,) = found(admitone("doctor"), "WRONG")
    assert lost.startswith(f"The secret key {key_fingerprints.fingerprint(SECRET)}, in use since")
    assert list(tmp_path.iterdir()) == []


def test_evidence_that_is_not_as_recorded_is_named(admitone: Command, services: Services) -> None:
    with services.database.connection() as conn:
        evidence_checks.record(conn, evidence_checks.LOG, Finding(9, "it was changed", 7))
    (finding,) = found(admitone("doctor"), "WRONG")
    assert finding == "The evidence is not as it was recorded: position 7: it was changed."


def test_a_database_of_an_earlier_version_is_left_as_it_is(
    admitone: Command, new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    conninfo, newest = new_database(), schema.all_steps()[-1]
    monkeypatch.setenv("ADMITONE_DATABASE_URL", conninfo)
    with psycopg.connect(conninfo, autocommit=True, row_factory=dict_row) as conn:
        conn.execute("DELETE FROM schema_steps WHERE name = %s", (newest,))
        done = admitone("doctor")
        assert schema.missing_steps(conn) == [newest]
    assert found(done, "WRONG") == [f"The database lacks {newest}."]


def test_a_database_that_does_not_answer_is_named(
    admitone: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADMITONE_DATABASE_URL", f"host=/nowhere dbname=x{uuid4().hex}")
    (finding,) = found(admitone("doctor"), "WRONG")
    assert finding.startswith("The database can't be used")


def test_where_the_database_of_a_running_service_does_not_answer_the_reason_is_named(
    admitone: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ADMITONE_DATABASE_URL")
    monkeypatch.setattr(command_database, "START_SECONDS", 0.0)
    (tmp_path / "postgres").mkdir()
    lock = LauncherLock(tmp_path / "postgres")
    lock.acquire()
    try:
        (finding,) = found(admitone("doctor"), "WRONG")
    finally:
        lock.release()
    assert finding.startswith("The database can't be used: ")
    assert "No such file or directory" in finding
