"""PostgreSQL's binary formats of the types that a `Statement` sends and reads.

They are part of the protocol and the same in every version. Writing an array takes a sixth of the
time that psycopg's adapter for lists takes, which looks at every value.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from operator import add
from struct import Struct
from uuid import UUID

BIGINT, SINGLE_UUID, TIMESTAMPTZ = 20, 2950, 1184
UUIDS, BIGINTS, TEXTS, BYTEAS, JSONBS = 2951, 1016, 1009, 1001, 3807
"""PostgreSQL's numbers for types, and for arrays of uuid, bigint, text, bytea and jsonb."""

_ELEMENTS = {UUIDS: 2950, BIGINTS: 20, TEXTS: 25, BYTEAS: 17, JSONBS: 3802}

_HEADER = Struct("!iiIii")  # dimensions, whether there are NULLs, type, length, first index
_LENGTH = Struct("!i")
_BIGINT = Struct("!q")
_SIZE_OF_UUID = _LENGTH.pack(16)
_SIZE_AND_BIGINT = Struct("!iq")
_NULL = _LENGTH.pack(-1)
_JSONB_VERSION = b"\x01"
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta.resolution


def uuids(values: Iterable[UUID]) -> bytes:
    """Returns the elements of a uuid[]."""
    return b"".join([_SIZE_OF_UUID + value.int.to_bytes(16, "big") for value in values])


def bigints(values: Iterable[int]) -> bytes:
    """Returns the elements of a bigint[]."""
    return b"".join([_SIZE_AND_BIGINT.pack(8, value) for value in values])


def texts(values: Iterable[str | None]) -> bytes:
    """Returns the elements of a text[].

    Encoded texts are remembered: use it for few different ones.
    """
    return b"".join(map(_text, values))


def byteas(values: Iterable[bytes]) -> bytes:
    """Returns the elements of a bytea[]."""
    return b"".join([_LENGTH.pack(len(value)) + value for value in values])


def jsonbs(values: Iterable[bytes]) -> bytes:
    """Returns the elements of a jsonb[], of documents that are JSON already."""
    return byteas([_JSONB_VERSION + value for value in values])


def arrays(
    kinds: tuple[int, ...], length: int, columns: Iterable[Iterable[bytes]]
) -> Iterator[bytes]:
    """Returns one array of `length` elements for each column, which may come in several pieces."""
    return map(add, headers(kinds, length), map(b"".join, columns))


@lru_cache(maxsize=256)
def headers(kinds: tuple[int, ...], length: int) -> list[bytes]:
    """Returns what precedes the elements of arrays of these types, all of `length`."""
    return [_HEADER.pack(1, 1, _ELEMENTS[kind], length, 1) for kind in kinds]


def bigint(value: int) -> bytes:
    """Returns a bigint."""
    return _BIGINT.pack(value)


def timestamptz(value: datetime) -> bytes:
    """Returns a timestamptz of a time in UTC."""
    return _BIGINT.pack((value - _EPOCH) // _MICROSECOND)


def as_int(value: bytes) -> int:
    """Reads an integer of any size."""
    return int.from_bytes(value, signed=True)


def as_bigints(value: bytes) -> list[int]:
    """Reads a bigint[] without NULLs."""
    return [number for _, number in _SIZE_AND_BIGINT.iter_unpack(value[_HEADER.size :])]


def as_uuid(value: bytes) -> UUID:
    """Reads a uuid."""
    return UUID(bytes=value)


@lru_cache(maxsize=256)
def _text(value: str | None) -> bytes:
    return _NULL if value is None else byteas([value.encode()])
