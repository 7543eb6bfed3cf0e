"""Checkpoints and inclusion proofs are verified with the API alone."""

from pathlib import Path

import pytest

from application.audit.single_use_report import report
from application.people import access_log
from application.proofs.verifier import (
    parse_key,
    verify_checkpoint,
    verify_cosignature,
    verify_inclusion,
)
from application.proofs.witness import Cosigner, Witness
from interface.bootstrap import Services
from interface.web import audit_queries
from tests.support.audit_trail import (
    BookedLink,
    accesses_cannot_be_recorded,
    recorded_accesses,
    sign_checkpoint,
)
from tests.support.examples import NOW
from tests.support.http_desk import refusal
from tests.support.owner import Owner


def test_without_a_checkpoint_there_is_no_proof(auditor: Owner, booked: BookedLink) -> None:
    assert refusal(auditor.get("/audit/checkpoint")) == (404, "no-checkpoint")
    assert refusal(auditor.get("/audit/events/1/proof")) == (404, "no-checkpoint")


def test_every_event_under_a_checkpoint_is_proved_with_the_api_alone(
    auditor: Owner, booked: BookedLink, services: Services, conninfo: str
) -> None:
    auditor.catch_up()
    sign_checkpoint(services, conninfo)
    key = auditor.get("/audit/key").get_data(as_text=True).strip()
    text = auditor.get("/audit/checkpoint")
    assert text.content_type == "text/plain; charset=utf-8"
    assert parse_key(key)
    checkpoint = verify_checkpoint(text.get_data(as_text=True), key)
    events = auditor.get("/audit/events").json["items"]
    assert checkpoint.size == len(events) == 6
    for index, event in enumerate(events):
        proof = auditor.get(f"/audit/events/{event['position']}/proof").json
        assert (proof["index"], proof["size"]) == (index, checkpoint.size)
        assert (proof["leaf_hash"], proof["checkpoint"]) == (event["leaf_hash"], text.text)
        leaf, path = bytes.fromhex(event["leaf_hash"]), [bytes.fromhex(n) for n in proof["proof"]]
        verify_inclusion(leaf, proof["index"], proof["size"], path, checkpoint.root)


def test_events_after_the_checkpoint_have_no_proof_yet(
    auditor: Owner, owner: Owner, booked: BookedLink, services: Services, conninfo: str
) -> None:
    auditor.catch_up()
    sign_checkpoint(services, conninfo)
    owner.new_link(booked.calendar)
    for position in (7, 0, 8, 2**63, 10**30):
        answer = auditor.get(f"/audit/events/{position}/proof")
        assert refusal(answer) == (404, "not-found"), position


def test_a_checkpoint_that_was_changed_is_not_served(
    auditor: Owner, booked: BookedLink, services: Services, conninfo: str
) -> None:
    auditor.catch_up()
    sign_checkpoint(services, conninfo)
    (file,) = services.settings.checkpoints_folder.glob("*/*.checkpoint")
    file.write_text(file.read_text().replace("\n6\n", "\n5\n"))
    for path in ("/audit/checkpoint", "/audit/events/1/proof"):
        assert refusal(auditor.get(path)) == (503, "checkpoint-damaged")


def test_single_use_is_reported_with_the_counts_of_the_days_asked_for(
    auditor: Owner,
    booked: BookedLink,
    services: Services,
    conninfo: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    auditor.catch_up()
    sign_checkpoint(services, conninfo)
    path = "/audit/reports/single-use"
    reported = auditor.get(f"{path}?from=2026-11-23&to=2026-11-23").json
    with services.database.connection() as conn:
        wanted = report(
            conn, since=NOW.replace(hour=0, minute=0), until=None, now=NOW, checkpoint=None
        )
    assert reported["holds"]
    assert reported["statements"] == wanted["statements"]
    assert reported["counts"] == wanted["counts"]
    assert reported["counts"]["links"]["redeemed"] == 1
    assert reported["checkpoint"] == auditor.get("/audit/checkpoint").text
    assert auditor.get(f"{path}?to=2026-11-22").json["counts"]["links"]["redeemed"] == 0
    monkeypatch.setattr(audit_queries, "LONGEST_LOG", 5)
    assert refusal(auditor.get(path)) == (409, "log-too-long")


def test_a_witness_elsewhere_cosigns_what_the_service_asks_it_to(
    auditor: Owner,
    owner: Owner,
    booked: BookedLink,
    services: Services,
    conninfo: str,
    tmp_path: Path,
) -> None:
    log_key = auditor.get("/audit/key").get_data(as_text=True).strip()
    cosigner = Cosigner("witness.example.org", bytes(32))
    witness = Witness(tmp_path / "last", cosigner, log_key)
    assert refusal(auditor.get("/audit/witness-request")) == (404, "no-checkpoint")
    for old in (0, 6):
        auditor.catch_up()
        signed = sign_checkpoint(services, conninfo)
        answer = auditor.get(f"/audit/witness-request?old={old}")
        assert answer.content_type == "text/plain; charset=utf-8"
        cosigned = witness.cosign(answer.get_data(as_text=True), now=NOW)
        assert verify_checkpoint(cosigned, log_key) == signed
        assert verify_cosignature(cosigned, cosigner.verifier_key()) == NOW
        owner.new_link(booked.calendar)
    for wrong in ("9", "-1", str(10**30), "x"):
        answer = auditor.get(f"/audit/witness-request?old={wrong}")
        assert refusal(answer) == (422, "validation"), wrong


def test_a_checkpoint_counts_as_fetched_only_by_whoever_was_given_it(
    auditor: Owner, booked: BookedLink, services: Services, conninfo: str
) -> None:
    auditor.catch_up()
    sign_checkpoint(services, conninfo)
    assert auditor.get("/audit/witness-request?old=99999").status_code == 422
    headers = {"Authorization": f"Bearer {auditor.key}"}
    assert auditor.call("HEAD", "/api/v1/audit/checkpoint", **headers).status_code == 200
    with accesses_cannot_be_recorded(services):
        assert refusal(auditor.get("/audit/checkpoint")) == (503, "unavailable")
    assert access_log.checkpoints_taken(services.database) == []
    auditor.get("/audit/checkpoint")
    (taken,) = access_log.checkpoints_taken(services.database)
    assert taken.was_fetched
    path = "GET /api/v1/audit/checkpoint"
    assert [what for _, what in recorded_accesses(services)] == [
        "GET /api/v1/audit/witness-request?old=99999",
        path,
        f"{path}, answered with the checkpoint of 6 events",
    ]
