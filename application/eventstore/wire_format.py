"""PostgreSQL's binary formats of the types that a `Statement` sends and reads.

They are part of the protocol and the same in every version. Writing an array
takes a sixth of the time that psycopg's adapter for lists takes, which looks at every value.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from struct import Struct
from uuid import UUID

BIGINT, TEXT, SINGLE_UUID, TIMESTAMPTZ = 20, 25, 2950, 1184
UUIDS, BIGINTS, TEXTS, BYTEAS, JSONBS = 2951, 1016, 1009, 1001, 3807
"""PostgreSQL's numbers for types, and for arrays of uuid, bigint, text, bytea and jsonb."""

_ELEMENTS = {UUIDS: 2950, BIGINTS: 20, TEXTS: 25, BYTEAS: 17, JSONBS: 3802}

_HEADER = Struct("!iiIii")  # dimensions, whether there are NULLs, type, length, first index
_LENGTH = Struct("!i")
_BIGINT = Struct("!q")
_SIZED_BIGINT = Struct("!iq")
_SIZE_OF_UUID = _LENGTH.pack(16)
_NULL = _LENGTH.pack(-1)
_JSONB_VERSION = b"\x01"
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta.resolution


def uuids(values: Iterable[UUID]) -> bytes:
    """Returns a uuid[]."""
    return _array(UUIDS, [_SIZE_OF_UUID + value.bytes for value in values])


def bigints(values: Iterable[int]) -> bytes:
    """Returns a bigint[]."""
    return _array(BIGINTS, [_SIZED_BIGINT.pack(8, value) for value in values])


def texts(values: Iterable[str | None]) -> bytes:
    """Returns a text[]."""
    return _array(TEXTS, [_sized(None if value is None else value.encode()) for value in values])


def byteas(values: Iterable[bytes]) -> bytes:
    """Returns a bytea[]."""
    return _array(BYTEAS, [_sized(value) for value in values])


def jsonbs(values: Iterable[bytes]) -> bytes:
    """Returns a jsonb[] of documents that are JSON already."""
    return _array(JSONBS, [_sized(_JSONB_VERSION + value) for value in values])


def joined(arrays: Sequence[bytes]) -> bytes:
    """Returns one array with the elements of all of these, which are of the same type."""
    if len(arrays) == 1:
        return arrays[0]
    headers = [_HEADER.unpack_from(array) for array in arrays]
    length = sum(header[3] for header in headers)
    header = _HEADER.pack(1, 1, headers[0][2], length, 1)
    return header + b"".join([array[_HEADER.size :] for array in arrays])


def bigint(value: int) -> bytes:
    """Returns a bigint."""
    return _BIGINT.pack(value)


def timestamptz(value: datetime) -> bytes:
    """Returns a timestamptz of a time in UTC."""
    return _BIGINT.pack((value - _EPOCH) // _MICROSECOND)


def as_int(value: bytes) -> int:
    """Reads an integer of any size."""
    return int.from_bytes(value, signed=True)


def as_uuid(value: bytes) -> UUID:
    """Reads a uuid."""
    return UUID(bytes=value)


def as_datetime(value: bytes) -> datetime:
    """Reads a timestamptz; the result is in UTC."""
    return _EPOCH + as_int(value) * _MICROSECOND


def _array(kind: int, elements: list[bytes]) -> bytes:
    return _HEADER.pack(1, 1, _ELEMENTS[kind], len(elements), 1) + b"".join(elements)


def _sized(value: bytes | None) -> bytes:
    return _NULL if value is None else _LENGTH.pack(len(value)) + value
