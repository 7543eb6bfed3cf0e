"""Each database role has the rights that it needs, and no others."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from psycopg.rows import dict_row

from application.audit import single_use_report
from application.eventstore.mapper import JSONMapper
from application.people import security_log
from application.people.actor_names import actor_names
from application.people.authentication import Proof, WrongPassword
from application.people.identities import Identity
from interface.bootstrap import Services, build, require_schema
from interface.settings import Settings
from projections.catalogue import CATALOGUE
from projections.engine.projection import Projection
from projections.evidence.erasure_list import ErasureList
from projections.rebuild import jobs
from projections.rebuild.jobs import RebuildJob
from projections.rebuild.rebuild import Rebuild
from projections.views import booking_calendar, link_list
from projections.views.calendar_list import CalendarList
from tests.application.schema.database_roles import (
    ALL,
    AUDITOR,
    MIGRATOR,
    PROJECTOR,
    SERVICE,
    acting_as,
    as_role,
    database_with_roles,
)
from tests.support.authenticator import Authenticator
from tests.support.command_line import Command
from tests.support.commitments import recomputed
from tests.support.desk import Desk
from tests.support.examples import ACTOR, ADA, NOW, OWNER, SECRET, TOMORROW_AT_TEN
from tests.support.projector import apply_log
from tests.support.webhook_receiver import new_webhook

VIEWS = [table.name for projection in CATALOGUE for table in projection.tables]
OPERATIONS = ("parked_events", "rebuilds", "lag_samples")
AUDIT = ("audit_accesses", "refused_attempts")
PROBES = ("write_probes",)
LOG = ("stored_events", "log")
SECRETS = (
    *("accounts", "api_keys", "sessions", "passkeys", "passkey_challenges", "identities"),
    *("agent_requests", "agent_links"),
    *("busy_calendars", "webhooks", "calendar_feeds", "service_keys", "link_requests"),
    *("answered_requests", "erasures"),
)
EVIDENCE = ("evidence_checks", "personal_data_commitments")
LIMITS = ("rate_limits",)
SECURITY = ("security_log", "security_addresses", "unrecorded_sign_ins")
DELIVERIES = ("deliveries",)
OURS = (
    *LOG,
    "personal_data",
    "projection_positions",
    "schema_steps",
    *SECRETS,
    *OPERATIONS,
    *AUDIT,
    *EVIDENCE,
    *LIMITS,
    *SECURITY,
    *DELIVERIES,
    *PROBES,
    *VIEWS,
)
PRIVILEGES = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")

# By role and relation what is granted; nothing, where nothing is said.
GRANTED: dict[str, dict[str, str]] = {
    SERVICE: dict.fromkeys([*LOG, "projection_positions", "schema_steps", *VIEWS], "SELECT")
    | dict.fromkeys(
        ["personal_data", "sessions", "calendar_feeds", "link_requests"], "SELECT INSERT DELETE"
    )
    | dict.fromkeys(["identities", "agent_requests", "agent_links"], "SELECT INSERT DELETE")
    | {"passkeys": "SELECT INSERT DELETE", "passkey_challenges": "SELECT INSERT UPDATE DELETE"}
    | dict.fromkeys(["accounts", "api_keys"], "SELECT INSERT UPDATE")
    | dict.fromkeys(OPERATIONS, "SELECT")
    | {
        "evidence_checks": "SELECT",
        "rebuilds": "SELECT INSERT UPDATE",
        "audit_accesses": "SELECT",
        "refused_attempts": "SELECT INSERT DELETE",
        "rate_limits": "SELECT INSERT UPDATE DELETE",
        "busy_calendars": "SELECT INSERT UPDATE DELETE",
        "webhooks": "SELECT INSERT UPDATE DELETE",
        "write_probes": "SELECT INSERT UPDATE",
        "answered_requests": "SELECT INSERT",
        "erasures": "SELECT INSERT",
        "deliveries": "SELECT INSERT UPDATE DELETE",
        # Some of their columns it may insert as well.
        "service_keys": "SELECT",
        "security_log": "SELECT",
        "security_addresses": "SELECT DELETE",
        "unrecorded_sign_ins": "SELECT INSERT UPDATE DELETE",
    },
    PROJECTOR: dict.fromkeys([*LOG, "schema_steps"], "SELECT")
    | dict.fromkeys(VIEWS, "SELECT INSERT UPDATE DELETE")
    | dict.fromkeys(["projection_positions", *OPERATIONS], "SELECT INSERT UPDATE DELETE")
    | {
        "deliveries": "SELECT INSERT UPDATE",
        "evidence_checks": "SELECT INSERT UPDATE",
        "erasures": "SELECT",
        "personal_data_commitments": "SELECT",
        "security_log": "SELECT",
        "service_keys": "SELECT",
    },
    AUDITOR: dict.fromkeys(
        [
            *LOG,
            "personal_data",
            "projection_positions",
            "schema_steps",
            "refused_attempts",
            "security_log",
            "security_addresses",
            *EVIDENCE,
            *OPERATIONS,
            *VIEWS,
        ],
        "SELECT",
    )
    | {"audit_accesses": "SELECT"},
}
# By relation the only columns that may be given a value. All others are the database's.
INSERTED = {
    "stored_events": {"originator_id", "originator_version", "topic", "state"},
    "audit_accesses": {"actor", "what"},
    "service_keys": {"kind", "fingerprint"},
}


@pytest.fixture(scope="module")
def database(server: str) -> Iterator[str]:
    """Tables of a migrator, and the roles."""
    with database_with_roles(server) as conninfo:
        yield conninfo


@pytest.fixture
def service(database: str, tmp_path: Path) -> Iterator[Services]:
    """Services with the rights of the service."""
    settings = Settings(data=tmp_path, secret_keys=(SECRET,), public_url="https://book.example.org")
    built = build(settings, as_role(database, SERVICE), now=lambda: NOW)
    yield built
    built.close()


def catch_up(database: str) -> None:
    """Apply the log to the views with the rights of the projector."""
    apply_log(as_role(database, PROJECTOR))


def test_each_role_is_granted_what_it_needs_and_no_more(database: str) -> None:
    with psycopg.connect(database, row_factory=dict_row) as conn:
        for role, granted in GRANTED.items():
            for relation in OURS:
                may = {
                    privilege
                    for privilege in PRIVILEGES
                    if conn.execute(
                        "SELECT has_table_privilege(%s, %s, %s) AS may",
                        (role, relation, privilege),
                    ).fetchone()
                    == {"may": True}
                }
                assert may == set(granted.get(relation, "").split()), (role, relation)
        for relation, inserted in INSERTED.items():
            columns = conn.execute(
                """SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0
                AND has_column_privilege(%s, attrelid, attnum, 'INSERT')""",
                (relation, SERVICE),
            ).fetchall()
            assert {row["attname"] for row in columns} == inserted, relation
        relations = conn.execute(
            """SELECT relname FROM pg_class
            WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v')"""
        ).fetchall()
        assert {row["relname"] for row in relations} == set(OURS)


def test_the_service_does_all_its_work(service: Services, database: str) -> None:
    desk = Desk(service)
    require_schema(as_role(database, SERVICE))
    account = service.accounts.create(email="olivia@example.org", name="Olivia", roles=("owner",))
    account = service.accounts.sign_in(service.accounts.sign_in_token(account), now=NOW)
    service.sessions.set_password(account, "a long enough password", now=NOW)
    signed_in = service.sessions.start(account, now=NOW)
    service.sessions.confirm(signed_in, by=Proof.PASSWORD, now=NOW)
    service.sessions.end(signed_in)
    device = Authenticator()
    made = device.make(service.passkeys.begin_to_add(account, now=NOW))
    passkey = service.passkeys.add(account, made, name="Phone", now=NOW)
    signed = device.sign(service.passkeys.begin_to_use(now=NOW))
    assert service.passkeys.use(signed, now=NOW).id == account.id
    service.passkeys.rename(account, passkey.id, "Old phone")
    service.passkeys.remove(account, passkey.id)
    service.identities.connect(account, issuer="https://id.example", subject="olivia", now=NOW)
    olivia = Identity("https://id.example", "olivia", None, None, {})
    assert service.identities.sign_in(olivia, now=NOW).id == account.id
    service.identities.disconnect(account, issuer="https://id.example")
    key = service.api_keys.create(account, name="tests", now=NOW)
    assert service.api_keys.caller(key, now=NOW)
    calendar_id = desk.new_calendar()
    link_id = desk.new_link(calendar_id, recipient="Countess")
    first = desk.redeem(link_id, notes="By phone", key="k-1")
    assert desk.redeem(link_id, notes="By phone", key="k-1") == first
    desk.revoke(desk.replace(desk.new_link(calendar_id, note="VIP")).value.id, reason="Wrong")
    catch_up(database)
    booking_id = first.value.booking.id
    assert booking_calendar.booking(service.database, booking_id).invitee == ADA
    assert link_list.link(service.database, link_id, now=NOW).recipient == "Countess"
    desk.forget(booking_id)
    assert booking_calendar.booking(service.database, booking_id).invitee is None
    assert service.erasure.reapply() == 0
    service.refused_attempts.record(link_id, reason="link-redeemed", address="", now=NOW)
    assert service.refused_attempts.counts(link_id)[0].times == 1
    assert service.refused_attempts.sweep(before=NOW + timedelta(days=1)) == 1
    limits, at_home = service.rate_limits, "192.0.2.7"
    for _ in range(2):
        limits.check_password_attempt(client=at_home, email=account.email, now=NOW)
        limits.count_wrong_password(client=at_home, email=account.email, now=NOW)
    assert limits.sweep(now=NOW + timedelta(days=1)) == 2
    with pytest.raises(WrongPassword):
        service.sessions.with_password(account.email, "a wrong password")
    assert service.security_log.newest(limit=1)[0].kind == "sign-in.failed"
    assert service.security_log.tell_unrecorded() == 0
    assert service.security_log.forget_addresses(before=NOW - timedelta(days=9999)) == 0
    assert service.deliveries.sweep(before=NOW - timedelta(days=1)) == 0


def test_the_projector_lists_erasures_with_all_links_that_the_service_forgot(
    service: Services, database: str, tmp_path: Path
) -> None:
    owner = service.accounts.create(email="ottilie@example.org", name="Ottilie", roles=("owner",))
    desk, requests = Desk(service, owner.id), service.link_requests
    calendar_id = desk.new_calendar()
    replaced_id = desk.new_link(calendar_id, recipient="Countess")
    link_id = desk.replace(replaced_id).value.id
    booking_id = desk.book(link_id)
    # The same person asked for another link, and has booked with that as well.
    requests.ask(
        desk.link(link_id), name=ADA.name, email=ADA.email, message=None, language="en", now=NOW
    )
    request = requests.one(owner.id, link_id)
    new_id = service.request_answers.answer(request, actor=ACTOR, now=NOW).value.id
    desk.book(new_id, TOMORROW_AT_TEN)
    desk.forget(booking_id)
    with acting_as(database, PROJECTOR) as conn:
        ErasureList(tmp_path).add_new(conn)
    listed = {erasure.booking_id: set(erasure.link_ids) for erasure in ErasureList(tmp_path).all()}
    assert listed[booking_id] == {replaced_id, link_id, new_id}

    # Of an erasure by an earlier version, which did not store them, the log knows some.
    with acting_as(database, MIGRATOR) as conn:
        conn.execute("DELETE FROM erasures")
    with acting_as(database, PROJECTOR) as conn:
        ErasureList(tmp_path / "later").add_new(conn)
    listed = {each.booking_id: set(each.link_ids) for each in ErasureList(tmp_path / "later").all()}
    assert listed[booking_id] == {replaced_id, link_id}


def test_the_service_keeps_webhooks_and_the_projector_tells_them_without_their_secrets(
    service: Services, database: str
) -> None:
    owner = service.accounts.create(email="olga@example.org", name="Olga", roles=("owner",))
    webhook = new_webhook(service, owner.id, "https://93.184.216.34/hook")
    Desk(service, owner_id=owner.id).new_link()
    catch_up(database)
    (delivery,) = service.deliveries.newest(limit=9, target=str(webhook.id))
    assert delivery.kind == "link.issued"
    service.webhooks.renew_encryption()
    service.webhooks.remove(owner.id, webhook.id)


def rebuild(database: str, *projections: Projection) -> list[RebuildJob]:
    """Rebuilds views with the rights of the projector."""
    return Rebuild(as_role(database, PROJECTOR), projections, JSONMapper()).run()


def test_views_that_the_projector_has_rebuilt_are_read_and_written_as_before(
    service: Services, database: str
) -> None:
    Desk(service).new_link()
    catch_up(database)
    rows = "SELECT * FROM calendar_list_v2 ORDER BY calendar_id"
    rights = """SELECT relowner, ARRAY(SELECT each::text FROM unnest(relacl) AS each ORDER BY 1)
        FROM pg_class WHERE oid = 'public.calendar_list_v2'::regclass"""
    with acting_as(database, PROJECTOR) as conn:
        before = conn.execute(rows).fetchall()
        rights_before = conn.execute(rights).fetchall()
        (job,) = rebuild(database, CalendarList())
        assert before
        assert job.differing == 0
        assert conn.execute(rights).fetchall() == rights_before
        assert jobs.prune(conn, CATALOGUE)
        assert not conn.execute(
            "SELECT FROM pg_namespace WHERE nspname ~ '^(rebuild|retired)_'"
        ).fetchall()
    Desk(service).new_link()
    catch_up(database)
    for role in (SERVICE, AUDITOR):
        with acting_as(database, role) as conn:
            assert len(conn.execute(rows).fetchall()) == len(before) + 1


BUILT = "rebuild_0123456789abcdef"
REPLACE = f"SELECT replace_view('calendar_list_v2', '{BUILT}', 'retired_0123456789abcdef')"
LIKE_LIVE = f"CREATE TABLE {BUILT}.calendar_list_v2 (LIKE public.calendar_list_v2)"


@pytest.mark.parametrize(
    "planted",
    [
        f"CREATE VIEW {BUILT}.calendar_list_v2 AS TABLE public.calendar_list_v2",
        f"{LIKE_LIVE}; CREATE POLICY more ON {BUILT}.calendar_list_v2 USING ({BUILT}.mine(1))",
        f"{LIKE_LIVE}; CREATE INDEX ON {BUILT}.calendar_list_v2 ({BUILT}.mine(position))",
        f"{LIKE_LIVE}; ALTER TABLE {BUILT}.calendar_list_v2 ADD CHECK ({BUILT}.mine(position))",
        f"{LIKE_LIVE}; ALTER TABLE {BUILT}.calendar_list_v2"
        f" ALTER is_archived SET DEFAULT {BUILT}.mine(1)",
        f"{LIKE_LIVE}; CREATE STATISTICS {BUILT}.more ON ({BUILT}.mine(position))"
        f" FROM {BUILT}.calendar_list_v2",
        f"{LIKE_LIVE}; CREATE RULE more AS ON INSERT TO {BUILT}.calendar_list_v2 DO ALSO SELECT 1",
        f"{LIKE_LIVE}; CREATE TRIGGER more BEFORE INSERT ON {BUILT}.calendar_list_v2"
        f" EXECUTE FUNCTION {BUILT}.fires()",
        f"{LIKE_LIVE}; ALTER TABLE {BUILT}.calendar_list_v2 ADD more int",
        f"{LIKE_LIVE}; CREATE TABLE {BUILT}.child () INHERITS ({BUILT}.calendar_list_v2)",
        f"{LIKE_LIVE}; GRANT UPDATE (version) ON {BUILT}.calendar_list_v2 TO PUBLIC",
    ],
)
def test_the_projector_can_plant_nothing_in_a_view_that_others_read(
    database: str, planted: str
) -> None:
    with acting_as(database, PROJECTOR) as conn:
        conn.execute(f"CREATE SCHEMA {BUILT}")
        try:
            conn.execute(
                f"""CREATE FUNCTION {BUILT}.mine(n bigint) RETURNS boolean IMMUTABLE
                RETURN n > 0;
                CREATE FUNCTION {BUILT}.fires() RETURNS trigger LANGUAGE plpgsql
                AS $$ BEGIN RETURN NEW; END $$"""
            )
            conn.execute(planted.encode())
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="is not made like"):
                conn.execute(REPLACE)
        finally:
            conn.execute(f"DROP SCHEMA {BUILT} CASCADE")


def test_rights_that_the_projector_gave_away_beforehand_do_not_come_with_the_view(
    database: str,
) -> None:
    with acting_as(database, PROJECTOR) as conn, conn.transaction(force_rollback=True):
        conn.execute(f"CREATE SCHEMA {BUILT}")
        conn.execute(LIKE_LIVE)
        conn.execute(f"GRANT ALL ON {BUILT}.calendar_list_v2 TO PUBLIC, {SERVICE}")
        conn.execute(REPLACE)
        rights = conn.execute(
            """SELECT grantee::regrole::text AS role, count(*) AS n
            FROM pg_class, aclexplode(relacl)
            WHERE pg_class.oid = 'public.calendar_list_v2'::regclass
                AND grantee <> relowner GROUP BY 1"""
        ).fetchall()
        assert {row["role"]: row["n"] for row in rights} == {PROJECTOR: 4, SERVICE: 1, AUDITOR: 1}


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT replace_view('accounts', 'rebuild_0123456789abcdef', 'retired_0123456789abcdef')",
        "SELECT replace_view('link_list_v3', 'public', 'retired_0123456789abcdef')",
        "SELECT replace_view('link_list_v3', 'rebuild_0123456789abcdef', 'public')",
        "SELECT drop_retired('public')",
        "SELECT drop_retired('retired_0123456789abcdef; DROP TABLE accounts')",
        "SELECT drop_earlier_view('link_list_v3', 'link_list_v3')",
        "SELECT drop_earlier_view('link_list_v3', 'link_list_v4')",
        "SELECT drop_earlier_view('accounts', 'link_list_v3')",
    ],
)
def test_the_projector_replaces_and_drops_nothing_but_views(database: str, statement: str) -> None:
    with (
        acting_as(database, PROJECTOR) as conn,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        conn.execute(statement.encode())


def test_the_auditor_reads_the_log_and_checks_commitments_against_it(
    service: Services, database: str
) -> None:
    Desk(service).new_link(recipient="For the auditor")
    with acting_as(database, AUDITOR) as conn:
        (row,) = conn.execute(
            "SELECT * FROM personal_data WHERE data->>'recipient' = 'For the auditor'"
        ).fetchall()
        line = conn.execute(
            "SELECT * FROM log WHERE id = %s AND version = 1", (row["originator_id"],)
        ).fetchone()
        assert line is not None
        assert line["data"]["personal_data"] == recomputed(row)
        assert line["data"]["actor"] == ACTOR
        assert conn.execute("SELECT count(*) AS n FROM stored_events").fetchone() != {"n": 0}
        account = service.accounts.create(email="oona@example.org", name="Oona", roles=())
        actor = security_log.account_actor(account.id)
        assert actor_names(conn, [actor])[actor].person == "Oona"
        proof = single_use_report.report(conn, since=None, until=None, now=NOW)
        assert proof["holds"]
        assert proof["head"]["size"] > 0


@pytest.mark.parametrize("role", ALL)
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE stored_events SET topic = topic",
        "DELETE FROM stored_events",
        "TRUNCATE stored_events",
    ],
)
def test_nobody_changes_the_log(database: str, role: str, statement: str) -> None:
    with acting_as(database, role) as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
        conn.execute(statement.encode())


@pytest.mark.parametrize("role", [SERVICE, PROJECTOR, AUDITOR])
@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE stored_events DISABLE TRIGGER append_only",
        "DROP TRIGGER append_only ON stored_events",
        "SET session_replication_role = replica",
        "CREATE OR REPLACE FUNCTION refuse_to_change_the_log() RETURNS trigger"
        " LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$",
        "ALTER TABLE stored_events ADD COLUMN more text",
        "CREATE TRIGGER more BEFORE INSERT ON stored_events EXECUTE FUNCTION"
        " refuse_to_change_the_log()",
        "SELECT setval('stored_events_notification_id_seq', 1)",
        "UPDATE personal_data SET data = '{}'",
        "TRUNCATE personal_data",
        "DROP TABLE personal_data",
        "UPDATE schema_steps SET name = name",
        "CREATE ROLE more",
        "CREATE FUNCTION public.format(text, text) RETURNS text RETURN ''",
        "CREATE TYPE public.more AS (x int)",
        "CREATE TABLE public.more (x int)",
        "ALTER TABLE calendar_list_v2 ENABLE ROW LEVEL SECURITY",
        "CREATE TRIGGER more BEFORE INSERT ON calendar_list_v2 EXECUTE FUNCTION"
        " refuse_to_change_the_log()",
        "DROP TABLE calendar_list_v2",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "SELECT pg_read_file('PG_VERSION')",
        "ALTER ROLE admitone_service SUPERUSER",
        "ALTER DATABASE admitone_test_roles SET search_path = mine",
        "UPDATE audit_accesses SET what = ''",
        "DELETE FROM audit_accesses",
    ],
)
def test_no_role_can_give_itself_more_rights(database: str, role: str, statement: str) -> None:
    with (
        acting_as(database, role) as conn,
        pytest.raises(psycopg.errors.InsufficientPrivilege, match=r"permission denied|must be"),
    ):
        conn.execute(statement.encode())


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        (
            SERVICE,
            "INSERT INTO stored_events (originator_id, originator_version, topic, state,"
            " notification_id) VALUES (gen_random_uuid(), 1, 'x', '{}', 1000000)",
        ),
        (
            SERVICE,
            "INSERT INTO stored_events (originator_id, originator_version, topic, state,"
            " recorded_at) VALUES (gen_random_uuid(), 1, 'x', '{}', '2001-01-01')",
        ),
        (SERVICE, "INSERT INTO audit_accesses (actor, what, at) VALUES ('x', 'y', '2001-01-01')"),
        (SERVICE, "INSERT INTO audit_accesses (actor, what, id) VALUES ('x', 'y', -5)"),
        (AUDITOR, "INSERT INTO audit_accesses (actor, what, at) VALUES ('x', 'y', '2001-01-01')"),
        (SERVICE, "SELECT replace_view('link_list_v3', 'x', 'y')"),
        (PROJECTOR, "INSERT INTO stored_events VALUES (gen_random_uuid(), 1, 'x', '{}')"),
        (PROJECTOR, "SELECT * FROM personal_data"),
        (PROJECTOR, "SELECT * FROM accounts"),
        (PROJECTOR, "SELECT secret FROM webhooks"),
        (PROJECTOR, "SELECT url FROM webhooks"),
        (AUDITOR, "INSERT INTO stored_events VALUES (gen_random_uuid(), 1, 'x', '{}')"),
        (AUDITOR, "SELECT nextval('stored_events_notification_id_seq')"),
        (PROJECTOR, "SELECT erase_invitees(ARRAY[gen_random_uuid()])"),
        (AUDITOR, "SELECT erase_invitees(ARRAY[gen_random_uuid()])"),
        (AUDITOR, "DELETE FROM personal_data"),
        (AUDITOR, "SELECT * FROM accounts"),
        (AUDITOR, "SELECT * FROM deliveries"),
        (AUDITOR, "SELECT * FROM sessions"),
        (AUDITOR, "SELECT * FROM api_keys"),
        (AUDITOR, "UPDATE projection_positions SET position = 0"),
        (AUDITOR, "DELETE FROM calendar_list_v2"),
        (AUDITOR, "CREATE TABLE mine (x int)"),
        (AUDITOR, "CREATE SCHEMA mine"),
        (SERVICE, "UPDATE projection_positions SET position = 0"),
        (SERVICE, "DELETE FROM calendar_list_v2"),
        (SERVICE, "DELETE FROM accounts"),
        (SERVICE, "CREATE TABLE mine (x int)"),
        (SERVICE, "CREATE SCHEMA mine"),
    ],
)
def test_each_role_is_refused_the_work_of_the_others(
    database: str, role: str, statement: str
) -> None:
    with (
        acting_as(database, role) as conn,
        pytest.raises(psycopg.errors.InsufficientPrivilege, match="permission denied"),
    ):
        conn.execute(statement.encode())


def test_the_auditor_cannot_append_events(database: str, tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, secret_keys=(SECRET,), public_url="https://book.example.org")
    built = build(settings, as_role(database, AUDITOR), now=lambda: NOW)
    try:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            Desk(built).new_calendar(owner_id=OWNER)
    finally:
        built.close()


def test_the_command_grants_roles_and_accesses_can_only_be_added(
    database: str, run: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADMITONE_DATABASE_URL", as_role(database, MIGRATOR))
    assert run("schema", "roles").status == 0
    for role in (SERVICE, AUDITOR):
        with acting_as(database, role) as other:
            other.execute("INSERT INTO audit_accesses (actor, what) VALUES ('Ann', 'all')")
            assert other.execute("SELECT * FROM audit_accesses").fetchall()
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                other.execute("DELETE FROM audit_accesses")
    monkeypatch.setenv("ADMITONE_DATABASE_URL", as_role(database, SERVICE))
    done = run("schema", "roles")
    assert (done.status, done.out) == (1, "")
    assert "The database can't be used" in done.err


@pytest.mark.parametrize("column", ["position", "at"])
def test_position_and_time_in_the_security_log_are_the_databases_to_choose(
    service: Services, database: str, column: str
) -> None:
    service.security_log.record(security_log.DATA_EXPORTED)
    with (
        acting_as(database, SERVICE) as conn,
        pytest.raises(psycopg.errors.InsufficientPrivilege, match="permission denied"),
    ):
        conn.execute(
            f"""INSERT INTO security_log (kind, actor, details, {column})
            SELECT kind, actor, details, {column} FROM security_log LIMIT 1""".encode()  # noqa: S608
        )
