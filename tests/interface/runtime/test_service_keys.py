"""Keys of a running service are exchanged without a dead link, and their loss is noticed."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from application.proofs.verifier import ProofError, verify_checkpoint
from tests.application.proofs.merkle_vectors import GO_PRIVATE_KEY
from tests.support.restartable_service import RestartableService, restartable_service
from tests.support.service import Service, log_of, start_again, stop_service
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def restartable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RestartableService]:
    """A service that the tests stop and start again."""
    with restartable_service(tmp_path_factory.mktemp("keys")) as service:
        yield service


def fingerprints(service: Service) -> dict[str, list[str]]:
    """The keys by their kinds, as `secrets list` shows them, newest first."""
    found: dict[str, list[str]] = {"secret": [], "audit": []}
    for line in service.command("secrets", "list").stdout.splitlines():
        kind, fingerprint, *_ = line.split()
        found[kind].append(fingerprint)
    return found


def checkpoint_beyond(service: Service, size: int, key: str) -> str:
    """The newest checkpoint, once it is signed with `key` and of a larger tree."""
    note = ""

    def is_signed() -> bool:
        nonlocal note
        note = service.get("/audit/checkpoint").text
        with suppress(ProofError):
            return verify_checkpoint(note, key).size > size
        return False

    service.sign_checkpoint()
    wait_until(is_signed)
    return note


def test_after_a_rotation_everything_that_older_keys_signed_goes_on_working(
    restartable: RestartableService,
) -> None:
    service = restartable.running()
    unused, booking = service.new_link(), service.new_booking()
    feed = service.post("/feeds", {"detail": "busy"}).json["url"]
    sign_in = service.command("accounts", "sign-in-link", "owner@localhost").stdout.split()[-1]
    before = fingerprints(service)
    old_key = service.get("/audit/key").text.strip()
    old = verify_checkpoint(checkpoint_beyond(service, 0, old_key), old_key)
    stop_service(service)

    for kind in ("secret", "audit"):
        assert "Restart the service" in service.command("secrets", "rotate", kind).stdout
    service = restartable.running()
    after = fingerprints(service)
    assert {kind: keys[1:] for kind, keys in after.items()} == before
    opened = [unused["url"], booking["manage_url"], feed, sign_in]
    paths = [url.removeprefix(service.url) for url in opened]
    assert [service.call("GET", path).status_code for path in paths] == [200] * 4
    new = service.get(f"/links/{unused['id']}").json["url"]
    assert new != unused["url"]
    assert service.call("GET", new.removeprefix(service.url)).status_code == 200

    new_key = service.get("/audit/key").text.strip()
    assert new_key != old_key
    service.new_link()
    newest = checkpoint_beyond(service, old.size, new_key)
    assert verify_checkpoint(newest, new_key) == verify_checkpoint(newest, old_key)
    assert "The log is as it was recorded" in service.command("audit", "verify").stdout


def test_without_a_key_that_it_has_used_the_service_does_not_start_and_changes_nothing(
    restartable: RestartableService, tmp_path: Path
) -> None:
    service = restartable.running()
    fingerprint = fingerprints(service)["secret"][0]
    stop_service(service)
    for name, another in (("secret_keys", None), ("audit_key", GO_PRIVATE_KEY)):
        file, kept = restartable.data / name, tmp_path / name
        shutil.move(file, kept)
        if another is not None:
            file.write_text(another)
        refused = start_again(service)
        assert refused.process.wait(60) == 1
        assert f"is not in {file}. Nothing was changed. Put it back there" in log_of(refused)
        assert "admitone secrets drop" in log_of(refused)
        assert (file.read_text() if file.exists() else None) == another
        if another is None:
            with pytest.raises(subprocess.CalledProcessError) as command:
                service.command("accounts", "list")
            assert f"The secret key {fingerprint}, in use since" in command.value.stderr
            assert not file.exists()
        shutil.move(kept, file)


def test_a_key_that_is_dropped_is_accepted_and_missed_no_more(
    restartable: RestartableService,
) -> None:
    service = restartable.service
    newest, *older = fingerprints(service)["secret"]
    with pytest.raises(subprocess.CalledProcessError) as refused:
        service.command("secrets", "drop", newest, "--yes")
    assert "This is the newest key" in refused.value.stderr
    for dropped in older:
        assert f"Dropped {dropped}." in service.command("secrets", "drop", dropped, "--yes").stdout
    assert fingerprints(service)["secret"] == [newest]
