"""Cursors: where a page ended, in a form that clients hand back unread."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from uuid import UUID

from domain.errors import Invalid

DEFAULT_PAGE = 50
LARGEST_PAGE = 200


def cursor(*parts: object) -> str:
    """A cursor for the item with these sort values."""
    return urlsafe_b64encode("|".join(map(str, parts)).encode()).rstrip(b"=").decode()


def position_of(text: str | None) -> int | None:
    """The log position in a cursor. Raises `Invalid`."""
    if text is None:
        return None
    (position,) = _parts(text, 1)
    if not (position.isascii() and position.isdigit() and len(position) <= 18):
        raise _not_ours()
    return int(position)


def start_and_id_of(text: str | None) -> tuple[datetime, UUID] | None:
    """The start and id in a cursor. Raises `Invalid`."""
    if text is None:
        return None
    start, booking_id = _parts(text, 2)
    try:
        moment = datetime.fromisoformat(start)
        if moment.tzinfo is None:
            raise _not_ours()
        return moment, UUID(booking_id)
    except ValueError:
        raise _not_ours() from None


def _parts(text: str, count: int) -> list[str]:
    try:
        parts = urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("ascii").split("|")
    except ValueError:
        raise _not_ours() from None
    if len(parts) != count:
        raise _not_ours()
    return parts


def _not_ours() -> Invalid:
    return Invalid({"cursor": ["Not a cursor that this service gave out."]})
