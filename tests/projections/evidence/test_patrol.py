"""The service finds out by itself that somebody changed its database."""

import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from threading import Event
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from application.eventstore.mapper import JSONMapper
from application.people import security_log
from application.people.personal_data import commitment
from interface.runtime import checkpoint_loop, patrol_loop
from interface.runtime.checkpoint_loop import sign_periodically
from interface.runtime.patrol_loop import patrol_periodically
from projections.catalogue import CATALOGUE
from projections.evidence import evidence_checks, patrol
from projections.evidence.checkpoint_signing import sign_all_due
from projections.evidence.checkpoint_store import CheckpointStore
from projections.evidence.evidence_checks import (
    LOG,
    PERSONAL_DATA,
    SECURITY_LOG,
    SIGNATURE,
    VIEWS,
    Finding,
)
from projections.evidence.security_log_proofs import SecurityLogSigner
from tests.projections.evidence.tampering import SIGNER
from tests.support.desk import Desk
from tests.support.every_event import everything_happens
from tests.support.examples import NOW
from tests.support.log_trigger import writable_log
from tests.support.unappliable_event import unappliable_expiry
from tests.support.waiting import wait_until


@pytest.fixture
def store(
    desk: Desk, conn: Connection[DictRow], catch_up: Callable[[], None], tmp_path: Path
) -> CheckpointStore:
    """The checkpoints of a log with every kind of event, somebody forgotten among them."""
    store = CheckpointStore(tmp_path / "checkpoints", SIGNER.verifier_key())
    everything_happens(desk)
    catch_up()
    sign_all_due(conn, SIGNER, store, now=NOW)
    security_log.record(conn, security_log.DATA_EXPORTED)
    SecurityLogSigner(SIGNER, store).sign_due(conn, now=NOW)
    return store


def findings(conn: Connection[DictRow], store: CheckpointStore) -> dict[str, Finding]:
    return dict(patrol.patrol(conn, store, CATALOGUE, JSONMapper(), rest=lambda _: None))


def test_what_a_view_lacks_because_it_is_parked_is_no_fault(
    desk: Desk, conn: Connection[DictRow], store: CheckpointStore, catch_up: Callable[[], None]
) -> None:
    expiry = NOW + timedelta(days=77)
    with unappliable_expiry(desk.services.database, expiry):
        for _ in range(3):
            desk.new_link(expires_at=expiry)
        catch_up()
        assert findings(conn, store)[VIEWS].fault is None


def test_nothing_is_found_wrong_with_what_nobody_changed(
    desk: Desk,
    conn: Connection[DictRow],
    store: CheckpointStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(patrol, "BATCH", 7)
    found = findings(conn, store)
    assert [(finding.fault, finding.position) for finding in found.values()] == [(None, None)] * 4
    assert found[LOG].checked == len(desk.log())
    assert found[SECURITY_LOG].checked == len(security_log.read(conn)) > 0
    assert found[PERSONAL_DATA].checked > 5
    assert found[VIEWS].checked > 5


def test_a_patrol_before_the_first_checkpoint_finds_nothing(
    conn: Connection[DictRow], tmp_path: Path
) -> None:
    store = CheckpointStore(tmp_path / "none", SIGNER.verifier_key())
    assert findings(conn, store) == dict.fromkeys(
        (LOG, SECURITY_LOG, PERSONAL_DATA, VIEWS), Finding(0)
    )


def test_a_signed_entry_of_the_security_log_that_was_changed_is_named(
    conn: Connection[DictRow], store: CheckpointStore
) -> None:
    with writable_log(conn):
        conn.execute("UPDATE security_log SET actor = 'account:x'")
    found = findings(conn, store)[SECURITY_LOG]
    assert found.position == 1
    assert found.fault == "the event at this position is not what was recorded"


def test_a_signed_event_that_was_changed_is_named(
    conn: Connection[DictRow], store: CheckpointStore
) -> None:
    with writable_log(conn):
        conn.execute("UPDATE stored_events SET state = state || ' ' WHERE notification_id = 5")
    found = findings(conn, store)[LOG]
    assert found.fault == "the event at this position is not what was recorded"
    assert found.position == 5


def test_an_event_that_is_no_json_any_more_does_not_stop_the_patrol(
    conn: Connection[DictRow], store: CheckpointStore
) -> None:
    with writable_log(conn):
        conn.execute("UPDATE stored_events SET state = '\\xff' WHERE notification_id = 5")
    assert findings(conn, store)[LOG].position == 5


def test_an_exchanged_invitee_is_named_by_the_position_of_the_booking(
    desk: Desk, conn: Connection[DictRow], store: CheckpointStore
) -> None:
    link_id = desk.new_link()
    booking_id = desk.book(link_id)
    conn.execute(
        """UPDATE personal_data SET data = data || '{"name": "Eve"}' WHERE originator_id = %s""",
        (booking_id,),
    )
    (made,) = [event for event in desk.log() if event["id"] == booking_id]
    assert findings(conn, store)[PERSONAL_DATA].position == made["position"]


def test_a_list_that_was_changed_by_hand_is_found(
    conn: Connection[DictRow], store: CheckpointStore
) -> None:
    conn.execute("UPDATE link_list_v3 SET issued_at = issued_at + interval '1 hour'")
    fault = findings(conn, store)[VIEWS].fault
    assert fault == "link_list_v3: rows in a sample are not what the log makes"


def test_a_damaged_checkpoint_is_a_finding(
    conn: Connection[DictRow], store: CheckpointStore
) -> None:
    (file,) = store.files()
    file.write_text(file.read_text().replace("position ", "position 1"))
    assert findings(conn, store)[LOG].fault == "a stored checkpoint is not as it was signed"


@settings(
    deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    data=st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=9),
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=9),
    )
)
def test_the_database_computes_the_same_commitments(
    conn: Connection[DictRow], data: dict[str, str]
) -> None:
    salt = bytes(range(32))
    with conn.transaction(force_rollback=True):
        conn.execute(
            """INSERT INTO personal_data (originator_id, originator_version, salt, data)
            VALUES (%s, 1, %s, %s)""",
            (UUID(int=1), salt, Jsonb(data)),
        )
        row = conn.execute("SELECT commitment FROM personal_data_commitments").fetchone()
    assert row == {"commitment": commitment(salt, data)}


@pytest.fixture
def on_duty(
    conninfo: str, store: CheckpointStore, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Signs and patrols as the projector does, with only short pauses."""
    monkeypatch.setattr(checkpoint_loop, "FIRST_SECONDS", 0.02)
    monkeypatch.setattr(checkpoint_loop, "EVERY_SECONDS", 0.02)
    monkeypatch.setattr(patrol_loop, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(patrol_loop, "SHORTEST_SECONDS", 0.0)
    monkeypatch.setattr(patrol_loop, "PAUSE_PER_WORK", 0.0)
    at_work, stop = Event(), Event()
    at_work.set()
    with (
        sign_periodically(conninfo, SIGNER, store, at_work, stop, now=lambda: NOW),
        patrol_periodically(conninfo, store, 24, at_work, stop),
    ):
        yield


@pytest.mark.usefixtures("on_duty")
def test_the_service_reports_a_change_of_a_signed_event_by_itself_until_it_is_undone(
    desk: Desk, conn: Connection[DictRow], caplog: pytest.LogCaptureFixture
) -> None:
    def faults() -> dict[str, int | None]:
        found = evidence_checks.faults(desk.services.database)
        return {check.name: check.position for check in found}

    def patrols() -> set[str]:
        return {check.name for check in evidence_checks.all_checks(desk.services.database)}

    wait_until(lambda: patrols() == set(evidence_checks.NAMES))
    assert faults() == {}
    with writable_log(conn):
        conn.execute("UPDATE stored_events SET state = state || ' ' WHERE notification_id = 5")
    wait_until(lambda: faults() == {LOG: 5})
    told = "NOT AS RECORDED (log): position 5: the event at this position is not what was recorded"
    # It is stored before it is logged.
    wait_until(lambda: told in [record.message for record in caplog.records])
    errors = {record.message for record in caplog.records if record.levelno == logging.ERROR}
    assert errors == {told}
    with writable_log(conn):
        conn.execute(
            """UPDATE stored_events SET state = substring(state FOR octet_length(state) - 1)
            WHERE notification_id = 5"""
        )
    wait_until(lambda: faults() == {})


def test_the_patrol_has_no_session_while_it_waits(
    conninfo: str,
    store: CheckpointStore,
    desk: Desk,
    conn: Connection[DictRow],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(patrol_loop, "LOOK_SECONDS", 0.3)
    at_work, stop = Event(), Event()
    at_work.set()

    def sessions() -> int:
        query = "SELECT FROM pg_stat_activity WHERE application_name = 'admitone patrol'"
        return len(conn.execute(query).fetchall())

    with patrol_periodically(conninfo, store, 24, at_work, stop):
        wait_until(lambda: len(evidence_checks.all_checks(desk.services.database)) > 0)
        wait_until(lambda: sessions() == 0)


@pytest.mark.usefixtures("on_duty")
def test_a_change_before_the_signature_is_reported_and_not_signed(
    desk: Desk, conn: Connection[DictRow], store: CheckpointStore, catch_up: Callable[[], None]
) -> None:
    with store.signing():  # so that the change is earlier than the signature
        desk.new_link()
        head = desk.log()[-1]["position"]
        catch_up()
        with writable_log(conn):
            conn.execute(
                "UPDATE stored_events SET state = state || ' ' WHERE notification_id = %s", (head,)
            )

    def reported() -> list[tuple[str, int | None]]:
        return [(x.name, x.position) for x in evidence_checks.faults(desk.services.database)]

    wait_until(lambda: (SIGNATURE, head) in reported())
    assert store.require_newest().signed.position < head


@pytest.mark.usefixtures("store")
def test_rows_of_the_log_that_were_changed_are_counted(conn: Connection[DictRow]) -> None:
    before = patrol.rows_changed(conn)
    with writable_log(conn):
        conn.execute("UPDATE stored_events SET state = state || ' ' WHERE notification_id = 5")
    conn.execute("SELECT pg_stat_force_next_flush()")
    conn.execute("SELECT pg_stat_clear_snapshot()")
    assert patrol.rows_changed(conn) > before
