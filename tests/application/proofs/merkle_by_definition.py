"""Merkle trees and proofs by the slow definitions of RFC 9162, 2.1.1, 2.1.3.1 and 2.1.4.1."""

from collections.abc import Sequence
from functools import cache
from hashlib import sha256

from application.proofs.merkle import Growth, ReadTile

Tiles = dict[tuple[int, int], bytes]


def leaf(number: int) -> bytes:
    return sha256(b"\x00" + number.to_bytes(8)).digest()


@cache
def leaves(size: int) -> list[bytes]:
    return [leaf(number) for number in range(size)]


def split(size: int) -> int:
    k = 1
    while 2 * k < size:
        k *= 2
    return k


def root_by_definition(hashes: Sequence[bytes]) -> bytes:
    if not hashes:
        return sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    k = split(len(hashes))
    left, right = root_by_definition(hashes[:k]), root_by_definition(hashes[k:])
    return sha256(b"\x01" + left + right).digest()


def path_by_definition(index: int, hashes: Sequence[bytes]) -> list[bytes]:
    if len(hashes) == 1:
        return []
    k = split(len(hashes))
    if index < k:
        return [*path_by_definition(index, hashes[:k]), root_by_definition(hashes[k:])]
    return [*path_by_definition(index - k, hashes[k:]), root_by_definition(hashes[:k])]


def consistency_by_definition(
    old_size: int, hashes: Sequence[bytes], is_whole: bool = True
) -> list[bytes]:
    if old_size == len(hashes):
        return [] if is_whole else [root_by_definition(hashes)]
    k = split(len(hashes))
    if old_size <= k:
        left = consistency_by_definition(old_size, hashes[:k], is_whole)
        return [*left, root_by_definition(hashes[k:])]
    right = consistency_by_definition(old_size - k, hashes[k:], False)
    return [*right, root_by_definition(hashes[:k])]


def reader(tiles: Tiles) -> ReadTile:
    return lambda level, index: tiles[level, index]


@cache
def grown(size: int) -> Tiles:
    return Growth(0, []).append(leaves(size))
