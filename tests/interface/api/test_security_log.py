"""The security log by the API, and what programs do that is recorded in it."""

from collections.abc import Callable
from uuid import UUID

from application.people import security_log
from application.proofs.verifier import verify_checkpoint
from interface.bootstrap import Services
from projections.evidence.security_log_proofs import SecurityLogSigner
from projections.views import link_list
from tests.support.examples import NOW
from tests.support.http_desk import refusal
from tests.support.owner import Owner


def test_the_log_is_listed_newest_first_page_by_page_and_followed(
    auditor: Owner, services: Services
) -> None:
    services.security_log.record(security_log.DATA_EXPORTED, addresses={"email": "a@example.org"})
    first = auditor.get("/audit/security?limit=1").json
    (entry,) = first["items"]
    assert (entry["kind"], entry["addresses"]) == (
        "personal-data.exported",
        {"email": "a@example.org"},
    )
    assert (entry["actor"], entry["account_id"], entry["details"]) == ("service", None, {})
    before = auditor.get(f"/audit/security?before={first['next_before']}").json
    assert [each["kind"] for each in before["items"]] == ["key.created", "account.created"]
    assert before["next_before"] is None
    followed = auditor.get(f"/audit/security?after={entry['position'] - 1}").json
    assert followed["items"] == [entry]


def test_the_log_is_narrowed(auditor: Owner, services: Services) -> None:
    services.security_log.record(security_log.DATA_EXPORTED)
    for query, number in (
        (f"account_id={auditor.account.id}", 2),
        ("kind=key.created", 1),
        ("since=2099-01-01T00:00:00Z", 0),
        ("until=2099-01-01T00:00:00Z", 3),
    ):
        assert len(auditor.get(f"/audit/security?{query}").json["items"]) == number, query
    assert refusal(auditor.get("/audit/security?kind=x"))[0] == 422


def test_its_checkpoint_is_signed_with_the_key_of_the_log_under_a_name_of_its_own(
    auditor: Owner, services: Services
) -> None:
    assert refusal(auditor.get("/audit/security/checkpoint"))[0] == 404
    signer = services.checkpoint_signer()
    with services.database.connection() as conn:
        SecurityLogSigner(signer, services.checkpoint_store()).sign_due(conn, now=NOW)
    text = auditor.get("/audit/security/checkpoint").text
    key = signer.of_security_log().verifier_key()
    assert verify_checkpoint(text, key).size == len(services.security_log.newest(limit=9)) == 2


def test_a_rebuild_that_a_program_requests_is_recorded_with_its_key(
    new_owner: Callable[..., Owner], services: Services
) -> None:
    operator = new_owner("Otto Operator", roles=("operator",))
    assert operator.post(f"/projections/{link_list.NAME}/rebuilds").status_code == 202
    entry = services.security_log.newest(limit=1)[0]
    assert (entry.kind, entry.details) == ("view.rebuild-requested", {"view": link_list.NAME})
    assert entry.actor == f"key:{operator.key.split('_')[1]}"


def test_an_owner_who_forgets_an_invitee_is_recorded(owner: Owner, services: Services) -> None:
    booking = owner.book(owner.new_link())["booking_id"]
    for _ in range(2):
        assert owner.post(f"/bookings/{booking}/forget-invitee").status_code == 200
    erased = services.security_log.newest(limit=9, kind=security_log.DATA_ERASED)
    actor = f"key:{owner.key.split('_')[1]}"
    assert [(entry.actor, entry.details) for entry in erased] == [
        (actor, {"booking": booking, "by": actor})
    ]


def test_an_invitee_who_erases_their_own_data_leaves_no_address(
    owner: Owner, services: Services
) -> None:
    services.erasure.forget(
        booking_id=UUID(owner.book(owner.new_link())["booking_id"]),
        owner_id=None,
        actor="invitee",
        now=NOW,
    )
    entry = services.security_log.newest(limit=1)[0]
    assert (entry.kind, entry.actor, entry.addresses) == ("personal-data.erased", "invitee", None)
