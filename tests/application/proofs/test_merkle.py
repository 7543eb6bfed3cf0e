"""Merkle trees and proofs agree with published ones and with the definition."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymerkle import InmemoryTree
from pymerkle import verify_consistency as verify_with_pymerkle
from pymerkle.proof import ConsistencyProof

from application.proofs.merkle import (
    Growth,
    consistency_proof,
    inclusion_proof,
    inclusion_proofs,
    root_of,
)
from application.proofs.verifier import EMPTY_ROOT, leaf_hash, verify_consistency, verify_inclusion
from tests.application.proofs.merkle_by_definition import (
    Tiles,
    consistency_by_definition,
    grown,
    leaves,
    path_by_definition,
    reader,
    root_by_definition,
)
from tests.application.proofs.merkle_vectors import CONSISTENCY, INCLUSION, INPUTS, ROOTS

SMALL = 70
AT_TILES = [255, 256, 257, 511, 512, 513, 65535, 65536, 65537, 65793]
LARGE = max(AT_TILES)

sizes = st.sampled_from(AT_TILES) | st.integers(1, LARGE)


def published(size: int) -> Tiles:
    return Growth(0, []).append([leaf_hash(data) for data in INPUTS[:size]])


@pytest.mark.parametrize("size", range(9))
def test_roots_are_the_published_ones(size: int) -> None:
    assert root_of(size, reader(published(size))).hex() == ROOTS[size]
    assert root_of(size, reader(published(8))).hex() == ROOTS[size]


@pytest.mark.parametrize(("index", "size"), INCLUSION)
def test_inclusion_proofs_are_the_published_ones(index: int, size: int) -> None:
    proof = inclusion_proof(index, size, reader(published(8)))
    assert [sibling.hex() for sibling in proof] == INCLUSION[index, size]


@pytest.mark.parametrize(("old", "size"), CONSISTENCY)
def test_consistency_proofs_are_the_published_ones(old: int, size: int) -> None:
    proof = consistency_proof(old, size, reader(published(8)))
    assert [sibling.hex() for sibling in proof] == CONSISTENCY[old, size]


@pytest.mark.parametrize("size", range(1, SMALL + 1))
def test_every_small_tree_and_proof_is_that_of_the_definition(size: int) -> None:
    tree, exact, larger = leaves(size), reader(grown(size)), reader(grown(LARGE))
    assert root_of(size, exact) == root_of(size, larger) == root_by_definition(tree)
    for index, proof in enumerate(inclusion_proofs(range(size), size, larger)):
        assert proof == path_by_definition(index, tree)
        assert proof == inclusion_proof(index, size, exact)
    for old in range(1, size + 1):
        proof = consistency_proof(old, size, exact)
        assert proof == consistency_by_definition(old, tree)
        assert proof == consistency_proof(old, size, larger)


@pytest.mark.parametrize("size", AT_TILES)
def test_trees_around_whole_tiles_have_the_root_of_the_definition(size: int) -> None:
    assert root_of(size, reader(grown(size))) == root_by_definition(leaves(size))


@settings(deadline=None, max_examples=50)
@given(sizes, st.data())
def test_every_proof_of_a_large_tree_is_accepted(size: int, data: st.DataObject) -> None:
    tiles = reader(grown(LARGE))
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(0, size))
    proof = inclusion_proof(index, size, tiles)
    verify_inclusion(leaves(LARGE)[index], index, size, proof, root_of(size, tiles))
    proof = consistency_proof(old, size, tiles)
    verify_consistency(old, root_of(old, tiles), size, root_of(size, tiles), proof)


@settings(deadline=None, max_examples=50)
@given(sizes, st.lists(sizes, max_size=5))
def test_a_tree_grown_in_parts_has_the_tiles_and_root_of_one_grown_at_once(
    size: int, stops: list[int]
) -> None:
    growth = Growth(0, [])
    tiles: Tiles = {}
    for stop in sorted(stop for stop in [*stops, size] if stop <= size):
        tiles |= growth.append(leaves(LARGE)[growth.size : stop])
        assert growth.root() == root_of(stop, reader(grown(LARGE)))
        growth = Growth.of(stop, reader(tiles))
    assert tiles == Growth(0, []).append(leaves(LARGE)[:size])
    assert growth.size == size


@settings(deadline=None, max_examples=50)
@given(sizes)
def test_a_tree_can_be_continued_from_any_size(size: int) -> None:
    growth = Growth.of(size, reader(grown(LARGE)))
    growth.append(leaves(LARGE)[size:])
    assert growth.root() == root_of(LARGE, reader(grown(LARGE)))


def test_only_changed_tiles_are_returned() -> None:
    growth = Growth(0, [])
    assert growth.append([]) == {}
    growth.append(leaves(257))
    assert growth.append(leaves(258)[257:]) == {(0, 1): b"".join(leaves(258)[256:])}
    changed = growth.append(leaves(512)[258:])
    assert list(changed) == [(0, 1), (1, 0)]
    assert changed[1, 0] == b"".join(root_by_definition(leaves(512)[i : i + 256]) for i in (0, 256))


def test_the_empty_tree_has_the_hash_of_nothing_and_begins_every_tree() -> None:
    assert Growth(0, []).root() == root_of(0, reader({})) == EMPTY_ROOT
    assert consistency_proof(0, 300, reader(grown(300))) == []


@pytest.mark.parametrize(("index", "size"), [(0, 0), (-1, 3), (3, 3), (4, 3)])
def test_there_is_no_proof_for_a_leaf_outside_the_tree(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="not in a tree"):
        inclusion_proof(index, size, reader(grown(SMALL)))


@pytest.mark.parametrize(("old", "size"), [(4, 3), (-1, 3), (1, 0)])
def test_there_is_no_proof_that_a_tree_shrank(old: int, size: int) -> None:
    with pytest.raises(ValueError, match="cannot begin"):
        consistency_proof(old, size, reader(grown(SMALL)))


def test_a_truncated_tile_is_noticed() -> None:
    tiles = grown(300) | {(0, 1): grown(300)[0, 1][:-1]}
    for ask in (
        lambda: root_of(300, reader(tiles)),
        lambda: inclusion_proof(0, 300, reader(tiles)),
        lambda: consistency_proof(299, 300, reader(tiles)),
    ):
        with pytest.raises(ValueError, match="tile 1 of level 0 is shorter"):
            ask()
    with pytest.raises(ValueError, match="not the edge"):
        Growth.of(300, reader(tiles))


@pytest.mark.parametrize("edge", [[], [b""], [b"x" * 31], [b"x" * 32, b""], [b"x" * 64]])
def test_an_edge_of_the_wrong_shape_is_refused(edge: list[bytes]) -> None:
    with pytest.raises(ValueError, match="not the edge"):
        Growth(1, edge)


def test_only_whole_hashes_are_appended() -> None:
    growth = Growth(0, [])
    with pytest.raises(ValueError, match="32 bytes"):
        growth.append([b"x" * 31])
    assert growth.size == 0


def test_each_tile_is_read_once_for_a_proof() -> None:
    asked: list[tuple[int, int]] = []

    def read_tile(level: int, index: int) -> bytes:
        asked.append((level, index))
        return grown(LARGE)[level, index]

    inclusion_proof(40_000, LARGE, read_tile)
    assert sorted(set(asked)) == sorted(asked)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 9, 64, 100, 257])
def test_roots_and_proofs_agree_with_pymerkle(size: int) -> None:
    """Its indices begin at 1 and its paths with the leaf; its consistency paths go down to
    a leaf where the RFC stops at a perfect subtree, so they are compared by verifying."""
    tree = InmemoryTree(algorithm="sha256")
    tree.append_entries([number.to_bytes(8) for number in range(size)])
    tiles = reader(grown(size))
    assert root_of(size, tiles) == tree.get_root()
    for index in range(size):
        leaf, *path = tree.prove_inclusion(index + 1, size).path
        assert (leaf, path) == (leaves(size)[index], inclusion_proof(index, size, tiles))
    for old in range(1, size + 1):
        theirs = tree.prove_consistency(old, size)
        assert isinstance(theirs, ConsistencyProof)
        verify_with_pymerkle(root_of(old, tiles), root_of(size, tiles), theirs, old, size)
        ours = consistency_proof(old, size, tiles)
        verify_consistency(old, tree.get_root(old), size, tree.get_root(), ours)
