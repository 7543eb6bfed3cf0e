"""Cursors: where a page ended, in an opaque form that clients send back for the next page."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from uuid import UUID

from domain.errors import Invalid
from interface.web.fields import whole_number

DEFAULT_PAGE = 50
LARGEST_PAGE = 200


def cursor(*parts: object) -> str:
    """Returns a cursor for the item with these sort values."""
    return urlsafe_b64encode("|".join(map(str, parts)).encode()).rstrip(b"=").decode()


def position_of(text: str | None) -> int | None:
    """Returns the log position in a cursor, or None without a cursor. Raises `Invalid`."""
    if text is None:
        return None
    (digits,) = _parts(text, 1)
    position = whole_number(digits)
    if position is None:
        raise _not_ours()
    return position


def start_and_id_of(text: str | None) -> tuple[datetime, UUID] | None:
    """Returns the start and id in a cursor, or None without a cursor. Raises `Invalid`."""
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
    return Invalid({"cursor": ["Not a cursor from this service."]})
