"""Input fields that accept exactly one form of a value."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from marshmallow import ValidationError, fields

from application.audit.replay import AsOf
from application.people.email_address import InvalidEmailAddress, normalized_email_address
from domain.booking_rules import is_time_zone
from domain.errors import Sentence
from domain.visible_text import VISIBLE, is_visible, without_misleading

LAST_POSITION = 2**63 - 1  # the largest bigint of PostgreSQL
# Far enough from the ends of datetime that no zone or buffer can reach them.
FIRST_YEAR, LAST_YEAR = 2000, 2199
LONGEST_EMAIL = 254

_INSTANT = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,6})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII
)
# The same for the OpenAPI document, which has no other way to bound a year.
_DATE_PATTERN = r"^2[01]\d{2}-\d{2}-\d{2}$"
_INSTANT_PATTERN = (
    r"^2[01]\d{2}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:[0-5]\d(\.\d{1,6})?([Zz]|[+-]\d{2}:\d{2})$"
)
_INSTANT_SCHEMA = {"type": "string", "format": "date-time", "pattern": _INSTANT_PATTERN}
_DAY_SCHEMA = {"type": "string", "format": "date", "pattern": _DATE_PATTERN}
_POSITION = {"type": "string", "pattern": r"^\d{1,18}$"}

# Text without control characters, as the document says it. Surrounding space may be anything.
_LINE_PATTERN = r"^\s*[^\x00-\x1f\x7f-\x9f]*\s*$"
_LINES_PATTERN = r"^\s*([^\x00-\x08\x0b-\x1f\x7f-\x9f]|\r\n)*\s*$"
_NAME_PATTERN = rf"^\s*[^\x00-\x1f\x7f-\x9f]*{VISIBLE}[^\x00-\x1f\x7f-\x9f]*\s*$"

_WALL_CLOCK = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2})?", re.ASCII)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?", re.ASCII)


def whole_number(text: str) -> int | None:
    """Returns the number, 0 to `LAST_POSITION`, that decimal digits spell. None: no such number."""
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(LAST_POSITION))):
        return None
    number = int(text)
    return number if number <= LAST_POSITION else None


def is_date(text: str) -> bool:
    """Returns True if the text has the form of a date such as 2026-12-24."""
    return _DATE.fullmatch(text) is not None


class Instant(fields.Field[datetime]):
    """A moment in RFC 3339 with any offset, deserialized to UTC and serialized with Z."""

    SCHEMA: ClassVar[dict[str, Any]] = _INSTANT_SCHEMA

    def __init__(self, *, metadata: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        """`metadata` is what the OpenAPI document says of the field."""
        super().__init__(metadata={**self.SCHEMA, **(metadata or {})}, **kwargs)

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> datetime:
        if isinstance(value, str) and _INSTANT.fullmatch(value):
            try:
                moment = datetime.fromisoformat(value.upper()).astimezone(UTC)
            except (ValueError, OverflowError):
                pass
            else:
                if FIRST_YEAR <= moment.year <= LAST_YEAR:
                    return moment
        raise ValidationError(
            Sentence(
                "Must be a time such as 2026-12-01T09:30:00Z, with Z or an offset,"
                " in the years {first} to {last}.",
                first=FIRST_YEAR,
                last=LAST_YEAR,
            )
        )

    def _serialize(self, value: datetime | None, attr: str | None, obj: Any, **kwargs: Any) -> Any:
        return None if value is None else in_utc(value)


def in_utc(moment: datetime) -> str:
    """Returns the moment in RFC 3339 with Z, with a fraction only if it has one."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


class LocalInstant(Instant):
    """A moment as a browser's date and time field sends it: the wall clock of a time zone."""

    def __init__(self, zone: Callable[[], str], **kwargs: Any) -> None:
        """`zone` returns the name of the time zone when a value is read."""
        super().__init__(**kwargs)
        self._zone = zone

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> datetime:
        if isinstance(value, str) and _WALL_CLOCK.fullmatch(value):
            try:
                moment = datetime.fromisoformat(value).replace(tzinfo=ZoneInfo(self._zone()))
                return super()._deserialize(moment.isoformat(), attr, data, **kwargs)
            except (ValueError, OverflowError):
                pass
        raise ValidationError(Sentence("Must be a date and a time."))


class Day(fields.Field[date]):
    """A date such as 2026-12-24."""

    SCHEMA: ClassVar[dict[str, Any]] = _DAY_SCHEMA

    def __init__(self, *, metadata: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        """`metadata` is what the OpenAPI document says of the field."""
        super().__init__(metadata={**self.SCHEMA, **(metadata or {})}, **kwargs)

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> date:
        if isinstance(value, str) and _DATE.fullmatch(value):
            try:
                day = date.fromisoformat(value)
            except ValueError:
                pass
            else:
                if FIRST_YEAR <= day.year <= LAST_YEAR:
                    return day
        raise ValidationError(
            Sentence(
                "Must be a date such as 2026-12-24, in the years {first} to {last}.",
                first=FIRST_YEAR,
                last=LAST_YEAR,
            )
        )

    def _serialize(self, value: date | None, attr: str | None, obj: Any, **kwargs: Any) -> Any:
        return None if value is None else value.isoformat()


class LocalTime(fields.Field[time]):
    """A time of day such as 09:30, as a browser's time field sends it."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> time:
        if isinstance(value, str) and _TIME.fullmatch(value):
            return time(int(value[:2]), int(value[3:5]))
        raise ValidationError(Sentence("Enter a time such as 09:30."))


class InstantOrDay(Instant):
    """A moment, or a date, which stands for the moment at which that day begins in UTC."""

    SCHEMA: ClassVar[dict[str, Any]] = {"anyOf": [_INSTANT_SCHEMA, _DAY_SCHEMA]}

    def __init__(self, *, whole_day: bool = False, **kwargs: Any) -> None:
        """With `whole_day`, a date stands for the moment at which that day ends in UTC."""
        super().__init__(**kwargs)
        self._days_after = timedelta(days=1 if whole_day else 0)

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> datetime:
        if isinstance(value, str) and _DATE.fullmatch(value):
            day: date = Day().deserialize(value)
            return datetime.combine(day, time(), UTC) + self._days_after
        return super()._deserialize(value, attr, data, **kwargs)


class AsOfField(fields.Field[AsOf]):
    """A moment of the log: a time with an offset, a date, or a log position.

    A date stands for the moment at which it begins in UTC. Pages pass a time zone and then also
    accept its wall clock without an offset, as a browser's date and time field sends it.
    """

    def __init__(self, zone: Callable[[], str] | None = None, **kwargs: Any) -> None:
        """`zone` returns the name of the reader's time zone when a value is read."""
        schema = {"anyOf": [_POSITION, _INSTANT_SCHEMA, _DAY_SCHEMA]}
        super().__init__(metadata=schema | kwargs.pop("metadata", {}), **kwargs)
        self._wall_clock = LocalInstant(zone) if zone is not None else None

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> AsOf:
        position = whole_number(value) if isinstance(value, str) else None
        if position is not None:
            return position
        try:
            if self._wall_clock and isinstance(value, str) and _WALL_CLOCK.fullmatch(value):
                local: datetime = self._wall_clock.deserialize(value)
                return local
            moment: datetime = InstantOrDay().deserialize(value)
        except ValidationError:
            raise ValidationError(
                Sentence("Must be a time such as 2026-12-01T09:30:00Z, or a position in the log.")
            ) from None
        return moment


class Flag(fields.Boolean):
    """True or false, and nothing that means the same."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> bool:
        if not isinstance(value, bool):
            raise ValidationError("Must be true or false.")
        return value


def too_long(most: int) -> Sentence:
    """Returns what is said of a text with more than `most` characters."""
    return Sentence("Must not be longer than {most} characters.", most=most)


class Text(fields.String):
    """Text for people: no control characters, no broken Unicode, surrounding space removed.

    Text in which there is nothing to see is empty. Invisible signs by which one text looks like
    another are left out.
    """

    MAY_BE_EMPTY = True

    def __init__(
        self,
        *,
        longest: int,
        several_lines: bool = False,
        metadata: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """`longest` is in characters. `metadata` is what the OpenAPI document says of the field."""
        schema = {"maxLength": longest} | self._schema(several_lines=several_lines)
        super().__init__(metadata={**schema, **(metadata or {})}, **kwargs)
        self.longest = longest
        self._allowed = "\n\t" if several_lines else ""

    def _schema(self, *, several_lines: bool) -> dict[str, Any]:
        """Returns what the OpenAPI document says of the characters."""
        return {"pattern": _LINES_PATTERN if several_lines else _LINE_PATTERN}

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> str:
        if not isinstance(value, str):
            raise self.make_error("invalid")
        text = value.replace("\r\n", "\n")
        if len(text) > self.longest:
            raise ValidationError(too_long(self.longest))
        text = text.strip()
        # Nearly all text is printable, which is known at once; the signs of the rest are looked at.
        if not text.isprintable():
            if any(map(self._is_forbidden, text)):
                raise ValidationError(Sentence("Must not contain control characters."))
            text = without_misleading(text).strip()
        if is_visible(text):
            return text
        if not self.MAY_BE_EMPTY:
            raise ValidationError(Sentence("Must not be empty."))
        return ""

    def _is_forbidden(self, sign: str) -> bool:
        return unicodedata.category(sign) in ("Cc", "Cs") and sign not in self._allowed


class Name(Text):
    """Text that must not be empty."""

    MAY_BE_EMPTY = False

    def _schema(self, *, several_lines: bool) -> dict[str, Any]:
        return {"minLength": 1, "pattern": _NAME_PATTERN}


class Email(Name):
    """An e-mail address that can be reached from anywhere, in the spelling that is stored."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(longest=LONGEST_EMAIL, **kwargs)

    def _schema(self, *, several_lines: bool) -> dict[str, Any]:
        return {"format": "email"}

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        try:
            return normalized_email_address(text)
        except InvalidEmailAddress as refusal:
            raise ValidationError(refusal.sentence) from None


class TimeZone(fields.String):
    """The name of an IANA time zone, such as Europe/Paris."""

    def __init__(self, *, metadata: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        """`metadata` is what the OpenAPI document says of the field."""
        super().__init__(metadata={"format": "time-zone", **(metadata or {})}, **kwargs)

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> str:
        name = super()._deserialize(value, attr, data, **kwargs)
        if not is_time_zone(name):
            raise ValidationError(Sentence("Must be an IANA time zone such as Europe/Paris."))
        return name
