"""A witness cosigns one history of a log, and nothing that contradicts it."""

from base64 import b64decode
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from application.proofs.checkpoint_signer import CheckpointSigner
from application.proofs.merkle import Growth, consistency_proof
from application.proofs.verifier import (
    ProofError,
    parse_key,
    verify_checkpoint,
    verify_cosignature,
)
from application.proofs.witness import Cosigner, Witness, parse_request, witness_request
from tests.support.examples import NOW

SIGNER = CheckpointSigner("book.example.org", bytes(32))
COSIGNER = Cosigner("witness.example.org/w1", bytes(range(32)))
KEY = COSIGNER.verifier_key()


class Log:
    """A log in memory, whose events say what they are given as."""

    def __init__(self, *events: str) -> None:
        self._tiles: dict[tuple[int, int], bytes] = {}
        self._tree = Growth(0, [])
        self.append(*events)

    def append(self, *events: str) -> None:
        self._tiles |= self._tree.append([sha256(event.encode()).digest() for event in events])

    def request(self, old_size: int) -> str:
        note = SIGNER.sign(self._tree.size, self._tree.root(), self._tree.size, NOW)
        proof = consistency_proof(
            old_size, self._tree.size, lambda level, index: self._tiles[level, index]
        )
        return witness_request(old_size, proof, note)


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    return Witness(tmp_path / "last.checkpoint", COSIGNER, SIGNER.verifier_key())


def test_a_checkpoint_that_extends_the_last_one_is_cosigned(witness: Witness) -> None:
    log = Log("one", "two", "three")
    assert witness.last() is None
    witness.cosign(log.request(0), now=NOW)
    log.append("four", "five")
    later = NOW + timedelta(hours=1)
    cosigned = witness.cosign(log.request(3), now=later)
    assert verify_checkpoint(cosigned, SIGNER.verifier_key()) == witness.last()
    assert verify_cosignature(cosigned, KEY) == later
    assert witness.last().size == 5  # type: ignore[union-attr]


def test_the_same_checkpoint_is_cosigned_again(witness: Witness) -> None:
    log = Log("one", "two")
    witness.cosign(log.request(0), now=NOW)
    assert verify_cosignature(witness.cosign(log.request(2), now=NOW), KEY) == NOW


def test_another_history_is_never_cosigned(witness: Witness) -> None:
    witness.cosign(Log("one", "two", "three").request(0), now=NOW)
    other = Log("one", "TWO", "three", "four")
    for request in (other.request(3), Log("one", "two", "THREE").request(3)):
        with pytest.raises(ProofError, match="not consistent"):
            witness.cosign(request, now=NOW)
    assert witness.last().size == 3  # type: ignore[union-attr]


def test_a_witness_that_has_seen_something_does_not_begin_again(witness: Witness) -> None:
    witness.cosign(Log("one", "two", "three").request(0), now=NOW)
    for request in (Log("ONE", "two").request(0), Log("one", "two", "three", "four").request(2)):
        with pytest.raises(ProofError, match="the last checkpoint cosigned is 3"):
            witness.cosign(request, now=NOW)


def test_a_shorter_log_is_not_cosigned(witness: Witness) -> None:
    witness.cosign(Log("one", "two", "three").request(0), now=NOW)
    shorter = Log("one", "two").request(2).replace("old 2", "old 3")
    with pytest.raises(ProofError, match="a tree of 3 cannot begin one of 2"):
        witness.cosign(shorter, now=NOW)


def test_a_checkpoint_of_another_key_is_not_cosigned(tmp_path: Path) -> None:
    other = CheckpointSigner("book.example.org", bytes(range(32)))
    witness = Witness(tmp_path / "last", COSIGNER, other.verifier_key())
    with pytest.raises(ProofError, match="not signed with this key"):
        witness.cosign(Log("one").request(0), now=NOW)
    assert witness.last() is None


def test_a_request_has_one_spelling() -> None:
    request = Log("one", "two", "three").request(2)
    old_size, proof, note = parse_request(request)
    assert (old_size, witness_request(old_size, proof, note)) == (2, request)
    for damaged in (
        "",
        "old",
        request.replace("old 2", "old  2"),
        request.replace("old 2", "old -2"),
        request.replace("old 2\n", "old 2\nAAAA\n"),
        request.replace("\n\n", "\n", 1),
        "old 2\n" + "A" * 43 + "=\n" * 1 + request.partition("\n")[2].replace("=\n\n", "\n\n", 1),
    ):
        with pytest.raises(ProofError, match="not a request"):
            parse_request(damaged)


def test_a_cosignature_with_any_bit_changed_is_refused() -> None:
    note = COSIGNER.cosign(parse_request(Log("one").request(0))[2], now=NOW)
    for place in range(len(note.rpartition("\n— ")[0]) + 1, len(note) - 1):
        changed = note[:place] + chr(ord(note[place]) ^ 1) + note[place + 1 :]
        with pytest.raises(ProofError):
            verify_cosignature(changed, KEY)


def test_a_cosignature_is_not_moved_to_another_checkpoint() -> None:
    one = COSIGNER.cosign(parse_request(Log("one").request(0))[2], now=NOW)
    other = parse_request(Log("two").request(0))[2]
    with pytest.raises(ProofError, match="false or malformed"):
        verify_cosignature(other + one.splitlines(keepends=True)[-1], KEY)
    with pytest.raises(ProofError, match=r"not cosigned by witness.example.org/w1"):
        verify_cosignature(other, KEY)


def test_the_example_of_the_specification_has_the_form_of_ours() -> None:
    """From c2sp.org/tlog-cosignature, whose key is not published: form and time only."""
    line = (
        "jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZ"
        "qhf5nNo0xUe+mbIUBkBIfZ+qnA=="
    )
    ours = COSIGNER.cosign(parse_request(Log("one").request(0))[2], now=NOW)
    assert len(ours.splitlines()[-1].rpartition(" ")[2]) == len(line)
    stamp = int.from_bytes(b64decode(line)[4:12])
    assert datetime.fromtimestamp(stamp, UTC) == datetime(2023, 3, 20, 12, 25, 47, tzinfo=UTC)


def test_keys_of_logs_and_of_witnesses_are_told_apart() -> None:
    assert Cosigner.parse(COSIGNER.private_key()).verifier_key() == KEY
    for refused in (lambda: parse_key(KEY), lambda: verify_cosignature("", SIGNER.verifier_key())):
        with pytest.raises(ProofError):
            refused()
    with pytest.raises(ProofError) as refusal:
        Cosigner.parse(SIGNER.private_key())
    assert SIGNER.private_key()[-20:] not in str(refusal.value)
