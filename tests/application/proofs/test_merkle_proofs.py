"""Merkle proofs are accepted for what they prove and refused for anything else."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from application.proofs.verifier import (
    EMPTY_ROOT,
    ProofError,
    leaf_bytes,
    leaf_hash,
    verify_consistency,
    verify_inclusion,
)
from tests.application.proofs.merkle_by_definition import (
    consistency_by_definition,
    leaves,
    path_by_definition,
    root_by_definition,
)
from tests.application.proofs.merkle_vectors import CONSISTENCY, INCLUSION, INPUTS, ROOTS
from tests.support.examples import LINK

SMALL = 70
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def test_a_leaf_is_encoded_as_documented() -> None:
    recorded_at = datetime(2026, 11, 23, 8, 0, 0, 1, tzinfo=UTC)
    assert leaf_bytes(258, LINK, 3, "lïnk", recorded_at, b'{"a":1}') == (
        b"\x00\x00\x00\x00\x00\x00\x01\x02"
        b"\x11\x11\x00\x00\x00\x00\x40\x00\x80\x00\x00\x00\x00\x00\x00\x04"
        b"\x00\x00\x00\x00\x00\x00\x00\x03"
        + (1_795_420_800_000_001).to_bytes(8)
        + b"\x00\x05l\xc3\xafnk"
        b'{"a":1}'
    )


def test_times_are_exact_to_the_microsecond_however_late() -> None:
    latest = datetime.max.replace(tzinfo=UTC)
    data = leaf_bytes(1, LINK, 1, "", latest, b"")
    assert int.from_bytes(data[32:40]) == 253_402_300_799_999_999


a_bigint = st.integers(0, 2**63 - 1)


@settings(deadline=None)
@given(
    a_bigint,
    st.uuids(),
    a_bigint,
    st.text(max_size=5),
    st.datetimes(EPOCH.replace(tzinfo=None), timezones=st.just(UTC)),
    st.binary(max_size=5),
)
def test_the_encoding_of_a_leaf_is_unambiguous(
    position: int, id_: UUID, version: int, topic: str, recorded_at: datetime, state: bytes
) -> None:
    data = leaf_bytes(position, id_, version, topic, recorded_at, state)
    end = 42 + int.from_bytes(data[40:42])
    since_1970 = timedelta(microseconds=int.from_bytes(data[32:40]))
    assert int.from_bytes(data[:8]) == position
    assert UUID(bytes=data[8:24]) == id_
    assert int.from_bytes(data[24:32]) == version
    assert EPOCH + since_1970 == recorded_at
    assert data[42:end].decode() == topic
    assert data[end:] == state


@pytest.mark.parametrize(("index", "size"), INCLUSION)
def test_published_proofs_of_inclusion_are_accepted(index: int, size: int) -> None:
    proof = [bytes.fromhex(sibling) for sibling in INCLUSION[index, size]]
    root = bytes.fromhex(ROOTS[size])
    verify_inclusion(leaf_hash(INPUTS[index]), index, size, proof, root)


@pytest.mark.parametrize(("old", "size"), CONSISTENCY)
def test_published_proofs_of_consistency_are_accepted(old: int, size: int) -> None:
    proof = [bytes.fromhex(sibling) for sibling in CONSISTENCY[old, size]]
    roots = bytes.fromhex(ROOTS[old]), bytes.fromhex(ROOTS[size])
    verify_consistency(old, roots[0], size, roots[1], proof)


def damaged(proof: list[bytes]) -> Iterator[list[bytes]]:
    """The proof with each hash changed, without each, and with one more at each place."""
    for place in range(len(proof)):
        yield [*proof[:place], bytes([proof[place][0] ^ 1]) + proof[place][1:], *proof[place + 1 :]]
        yield proof[:place] + proof[place + 1 :]
    for place in range(len(proof) + 1):
        yield [*proof[:place], EMPTY_ROOT, *proof[place:]]


@pytest.mark.parametrize("size", range(1, SMALL + 1))
def test_an_inclusion_proof_holds_only_unchanged_and_only_for_its_leaf(size: int) -> None:
    tree = leaves(size)
    root = root_by_definition(tree)
    for index in range(size):
        proof = path_by_definition(index, tree)
        verify_inclusion(tree[index], index, size, proof, root)
        for other in {index ^ 1, index - 1, index + 1, 0, size - 1, size, -1} - {index}:
            with pytest.raises(ProofError):
                verify_inclusion(tree[index], other, size, proof, root)
        with pytest.raises(ProofError, match="does not lead"):
            verify_inclusion(EMPTY_ROOT, index, size, proof, root)
        for changed in damaged(proof):
            with pytest.raises(ProofError):
                verify_inclusion(tree[index], index, size, changed, root)


@pytest.mark.parametrize("size", range(1, SMALL + 1))
def test_a_consistency_proof_holds_only_unchanged_and_only_for_its_two_trees(size: int) -> None:
    tree = leaves(size)
    root = root_by_definition(tree)
    for old in range(1, size + 1):
        old_root, proof = root_by_definition(tree[:old]), consistency_by_definition(old, tree)
        verify_consistency(old, old_root, size, root, proof)
        for wrong in ((EMPTY_ROOT, root), (old_root, EMPTY_ROOT)):
            with pytest.raises(ProofError):
                verify_consistency(old, wrong[0], size, wrong[1], proof)
        for changed in damaged(proof):
            with pytest.raises(ProofError):
                verify_consistency(old, old_root, size, root, changed)


def test_a_proof_for_a_larger_tree_is_too_long() -> None:
    left, right = leaves(2)
    with pytest.raises(ProofError, match="too long"):
        verify_inclusion(right, 0, 1, [left], root_by_definition(leaves(2)))


def test_an_empty_consistency_proof_is_refused() -> None:
    with pytest.raises(ProofError, match="too short"):
        verify_consistency(3, root_by_definition(leaves(3)), 4, root_by_definition(leaves(4)), [])


def test_the_empty_tree_is_consistent_with_every_tree_without_proof() -> None:
    root = root_by_definition(leaves(3))
    verify_consistency(0, EMPTY_ROOT, 3, root, [])
    verify_consistency(0, EMPTY_ROOT, 0, EMPTY_ROOT, [])
    for old_root, proof in ((root, []), (EMPTY_ROOT, [root])):
        with pytest.raises(ProofError, match="not consistent"):
            verify_consistency(0, old_root, 3, root, proof)
    with pytest.raises(ProofError, match="not consistent"):
        verify_consistency(0, root, 0, EMPTY_ROOT, [])


@pytest.mark.parametrize("old", [-1, 4])
def test_a_smaller_tree_is_never_consistent_with_a_larger_one(old: int) -> None:
    with pytest.raises(ProofError, match="cannot begin"):
        verify_consistency(old, EMPTY_ROOT, 3, EMPTY_ROOT, [])
