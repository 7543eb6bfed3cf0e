"""The Merkle tree over the log, stored in tiles. Hashes and proofs are those of RFC 9162.

Tile (level, index) has up to 256 hashes in a row: those of the leaves on level 0, and the
roots of perfect subtrees of 256**L leaves on level L. Tiles only grow, so the tiles of the
tree serve for every size that it had before.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from hashlib import sha256
from itertools import count

from application.proofs.verifier import EMPTY_ROOT, node_hash

HASH = 32  # bytes
WIDTH = 256  # hashes in a full tile
_FULL = WIDTH * HASH
_LEVEL_BITS = 8  # 2**8 is the width
_TILES_CACHED = 64
_ROOTS_CACHED = 4096

ReadTile = Callable[[int, int], bytes]
"""Returns the bytes of the tile at (level, index), which may not be full."""

_Roots = Callable[[int, int], bytes]


class Growth:
    """The right edge of a tree, which is enough to append leaves and to compute the root."""

    def __init__(self, size: int, edge: Iterable[bytes]) -> None:
        """Takes the last tile of each level from 0 up; b"" stands for one that is full."""
        self.size = size
        self._edge = list(edge)
        if [len(tile) for tile in self._edge] != [HASH * (n % WIDTH) for n in _entries(size)]:
            raise ValueError(f"not the edge of a tree of {size}")

    @classmethod
    def of(cls, size: int, read_tile: ReadTile) -> "Growth":
        """Reads the edge of the tree of this size. Its tiles may have grown since."""
        edge = []
        for level, entries in enumerate(_entries(size)):
            partial = HASH * (entries % WIDTH)
            edge.append(read_tile(level, entries // WIDTH)[:partial] if partial else b"")
        return cls(size, edge)

    def append(self, leaf_hashes: Iterable[bytes]) -> dict[tuple[int, int], bytes]:
        """Adds the leaves; returns every tile that changed, by (level, index)."""
        changed: dict[tuple[int, int], bytes] = {}
        entries, added = self.size, b"".join(leaf_hashes)
        if len(added) % HASH:
            raise ValueError("a leaf hash is 32 bytes")
        self.size += len(added) // HASH
        for level in count():
            if not added:
                return changed
            if level == len(self._edge):
                self._edge.append(b"")
            added = self._edge[level] + added
            tiles = [added[start : start + _FULL] for start in range(0, len(added), _FULL)]
            changed |= {(level, i): tile for i, tile in enumerate(tiles, entries // WIDTH)}
            self._edge[level] = tiles.pop() if len(tiles[-1]) < _FULL else b""
            added = b"".join(_perfect_root(tile) for tile in tiles)
            entries //= WIDTH
        raise AssertionError("count() never ends")

    def copy(self) -> "Growth":
        """Returns the same tree, to grow by itself."""
        return Growth(self.size, self._edge)

    def root(self) -> bytes:
        """Returns the root of the tree at its present size."""
        return root_of(self.size, lambda level, _: self._edge[level])


def hashes_in(level: int, index: int, size: int) -> int:
    """Returns the number of hashes in a tile of the tree of this size."""
    return min(WIDTH, max(0, (size >> _LEVEL_BITS * level) - WIDTH * index))


def root_of(size: int, read_tile: ReadTile) -> bytes:
    """Returns the root that the tree had when it had `size` leaves."""
    return _root(0, size, _perfect_roots(read_tile)) if size else EMPTY_ROOT


def inclusion_proof(index: int, size: int, read_tile: ReadTile) -> list[bytes]:
    """Returns the proof that the leaf at `index` is in the tree of `size` (RFC 9162, 2.1.3.1).

    Raises `ValueError` if it is not.
    """
    return next(inclusion_proofs(range(index, index + 1), size, read_tile))


def inclusion_proofs(
    indices: Iterable[int], size: int, read_tile: ReadTile
) -> Iterator[list[bytes]]:
    """Yields the `inclusion_proof` of each index. Neighbours share the work."""
    roots = _perfect_roots(read_tile)
    for index in indices:
        if not 0 <= index < size:
            raise ValueError(f"index {index} is not in a tree of {size}")
        path: list[bytes] = []
        start, end = 0, size
        while end - start > 1:
            middle = _middle(start, end)
            if index < middle:
                path.append(_root(middle, end, roots))
                end = middle
            else:
                path.append(_root(start, middle, roots))
                start = middle
        yield path[::-1]


def consistency_proof(old_size: int, size: int, read_tile: ReadTile) -> list[bytes]:
    """Returns the proof that the tree of `size` extends that of `old_size` (RFC 9162, 2.1.4.1).

    It is empty if the old tree is empty or both sizes are equal. Raises `ValueError` if the old
    size is larger.
    """
    if not 0 <= old_size <= size:
        raise ValueError(f"a tree of {old_size} cannot begin one of {size}")
    if old_size == 0:
        return []
    roots = _perfect_roots(read_tile)
    path: list[bytes] = []
    start, end = 0, size
    while end != old_size:
        middle = _middle(start, end)
        if old_size <= middle:
            path.append(_root(middle, end, roots))
            end = middle
        else:
            path.append(_root(start, middle, roots))
            start = middle
    if start:  # otherwise the rest is the old tree, whose root the verifier knows
        path.append(_root(start, end, roots))
    return path[::-1]


def _entries(size: int) -> Iterator[int]:
    """Yields the number of hashes on each level, from 0 up to the last that has any."""
    while size:
        yield size
        size //= WIDTH


def _middle(start: int, end: int) -> int:
    """Returns the split of a tree: its left part is the largest power of two below its size."""
    return start + (1 << (end - start - 1).bit_length() - 1)


def _root(start: int, end: int, roots: _Roots) -> bytes:
    """Returns the root over these leaves, from perfect subtrees that get smaller to the right."""
    root = b""
    while start < end:
        width = (end - start) & (start - end)  # the lowest bit that is set
        end -= width
        perfect = roots(end, width)
        root = node_hash(perfect, root) if root else perfect
    return root


def _perfect_roots(read_tile: ReadTile) -> _Roots:
    """Returns a function for the root of a perfect subtree, by first leaf and width.

    It caches tiles and roots.
    """
    tile_at = lru_cache(_TILES_CACHED)(read_tile)

    @lru_cache(_ROOTS_CACHED)
    def root(start: int, width: int) -> bytes:
        level = (width.bit_length() - 1) // _LEVEL_BITS
        entry, entries = start >> _LEVEL_BITS * level, width >> _LEVEL_BITS * level
        index, place = divmod(entry, WIDTH)
        hashes = tile_at(level, index)[HASH * place : HASH * (place + entries)]
        if len(hashes) != HASH * entries:
            raise ValueError(f"tile {index} of level {level} is shorter than the tree")
        return _perfect_root(hashes)

    return root


def _perfect_root(hashes: bytes) -> bytes:
    """Returns the root over hashes whose number is a power of two."""
    while len(hashes) > HASH:
        pairs = range(0, len(hashes), 2 * HASH)
        hashes = b"".join([sha256(b"\x01" + hashes[i : i + 2 * HASH]).digest() for i in pairs])
    return hashes
