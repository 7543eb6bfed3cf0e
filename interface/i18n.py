"""The reader's language: texts from gettext catalogues, dates and numbers in CLDR formats."""

from collections.abc import Callable, Sequence
from contextvars import ContextVar, Token
from datetime import date, datetime, time, timedelta
from functools import cached_property, lru_cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError, dates, numbers, units
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from jinja2 import Environment

from domain.errors import Sentence, TimeOfDay
from domain.wall_clock import DAY, minute_of_day

FOLDER = Path(__file__).parent / "pages/messages"
SOURCE_LANGUAGE = "en"
LANGUAGES = (SOURCE_LANGUAGE, *sorted(path.stem for path in FOLDER.glob("*.po")))


class reading:  # noqa: N801 - used as a function
    """Makes what `choose` returns the reader's locale in the block.

    `choose_clock` returns 12 or 24, the hours of the clock that the reader prefers; None stands
    for that of the locale. Each is called once at most, when it is first needed.
    """

    def __init__(
        self, choose: Callable[[], Locale], choose_clock: Callable[[], int | None] = lambda: None
    ) -> None:
        self._choose = choose
        self._choose_clock = choose_clock
        self._token: Token[reading | None]

    def __enter__(self) -> None:
        self._token = _reader.set(self)

    def __exit__(self, *_: object) -> None:
        _reader.reset(self._token)

    @cached_property
    def locale(self) -> Locale:
        """The reader's locale."""
        return self._choose()

    @cached_property
    def clock(self) -> int | None:
        """The hours of the clock that the reader prefers, or None."""
        return self._choose_clock()


_reader: ContextVar[reading | None] = ContextVar("reader", default=None)
"""The reader of the current answer or mail; None if nobody has said."""


def prepare(environment: Environment) -> None:
    """Gives templates `_`, `ngettext` and the functions that format dates and numbers."""
    environment.add_extension("jinja2.ext.i18n")
    environment.install_gettext_callables(  # type: ignore[attr-defined]
        gettext=gettext, ngettext=ngettext, newstyle=True
    )
    environment.globals |= {
        "language": language,
        "language_tag": language_tag,
        "other_languages": other_languages,
        "clock_hours": clock_hours,
        "sentence": sentence,
        "day_text": day_text,
        "free_day_text": free_day_text,
        "short_day_text": short_day_text,
        "date_text": date_text,
        "short_date_text": short_date_text,
        "days_text": days_text,
        "weekday_text": weekday_text,
        "weekday_name": weekday_name,
        "month_text": month_text,
        "time_text": time_text,
        "times_text": times_text,
        "minute_text": minute_text,
        "moment_text": moment_text,
        "exact_text": exact_text,
        "slot_text": slot_text,
        "zone_text": zone_text,
        "duration_text": duration_text,
        "number_text": number_text,
        "percent_text": percent_text,
        "seconds_text": seconds_text,
    }


def load_languages() -> None:
    """Loads what is known of each language, so that processes forked later share it.

    Otherwise a process loads it when it first writes a date in that language.
    """
    for name in LANGUAGES:
        _catalogue(name)
        dates.format_date(date.min, "full", locale=Locale(name))


def locale() -> Locale:
    """Returns the reader's locale; English where nobody has set one."""
    reader = _reader.get()
    return locale_named(None) if reader is None else reader.locale


@lru_cache(maxsize=64)
def locale_named(tag: str | None) -> Locale:
    """Returns the locale of a language tag such as `de-CH`, if it has a catalogue, else English."""
    return supported_locale(tag or "") or Locale(SOURCE_LANGUAGE)


def supported_locale(tag: str) -> Locale | None:
    """Returns the locale of a language tag such as `de-CH`; None without a catalogue for it."""
    try:
        parsed = Locale.parse(tag, sep="-")
    except (ValueError, UnknownLocaleError):
        return None
    return parsed if parsed.language in LANGUAGES else None


def language() -> str:
    """Returns the reader's language as a code for `<html lang>`, such as `de`."""
    return locale().language


def other_languages() -> Sequence[tuple[str, str]]:
    """Returns the codes of the languages that are not the reader's, with their own names."""
    return _languages_beside(language())


def clock_hours() -> int:
    """Returns 12 or 24: the hours of the clock in which times are shown to the reader."""
    return preferred_clock() or (12 if "a" in locale().time_formats["short"].pattern else 24)


def preferred_clock() -> int | None:
    """Returns 12 or 24 if the reader prefers that to the clock of their locale."""
    reader = _reader.get()
    return None if reader is None else reader.clock


def language_tag() -> str:
    """Returns the reader's language with the region, if they have named one, such as `de-CH`."""
    chosen = locale()
    return f"{chosen.language}-{chosen.territory}" if chosen.territory else chosen.language


def mark_for_translation(message: str) -> str:
    """Marks a constant for the catalogues and returns it as it is; translate it when it is shown.

    Import it as `_`: that is the name by which the messages are collected.
    """
    return message


def gettext(message: str) -> str:
    """Returns the message in the reader's language."""
    return _catalogue(language()).gettext(message)


def sentence(text: str) -> str:
    """Returns the sentence in the reader's language, with its values filled in."""
    if not isinstance(text, Sentence):
        return gettext(text)
    return gettext(text.template).format(
        **{
            name: hour_text(value) if isinstance(value, TimeOfDay) else value
            for name, value in text.values.items()
        }
    )


def ngettext(one: str, many: str, count: int) -> str:
    """Returns the form of the message for `count` things, in the reader's language."""
    return _catalogue(language()).ngettext(one, many, count)


def day_text(moment: date | datetime, zone: str | None = None) -> str:
    """Formats a date in full, such as Tuesday, 24 November 2026."""
    return _date_text(_day(moment, zone), "full", locale())


def free_day_text(day: date, count: int) -> str:
    """Returns a date in full, and how many times are available then."""
    return _free_day_text(day, count, locale())


def short_day_text(moment: date | datetime, zone: str | None = None) -> str:
    """Formats day and month, such as 24 Nov."""
    return _skeleton_text(_day(moment, zone), "MMMd", locale())


def date_text(moment: date | datetime, zone: str | None = None) -> str:
    """Formats a date with its weekday, such as Tue, 24 Nov 2026."""
    return _skeleton_text(_day(moment, zone), "yMMMEd", locale())


def short_date_text(moment: date | datetime, zone: str | None = None) -> str:
    """Formats a date, such as 24 Nov 2026."""
    return _date_text(_day(moment, zone), "medium", locale())


def days_text(first: date, last: date) -> str:
    """Formats a range of dates, such as 23–29 Nov 2026."""
    return _days_text(first, last, locale())


def weekday_text(moment: date | datetime, zone: str | None = None) -> str:
    """Formats the weekday of a date, such as Tue."""
    return _skeleton_text(_day(moment, zone), "E", locale())


def weekday_name(number: int, *, short: bool = False) -> str:
    """Returns the name of a weekday; 0 is Monday, or Mon if `short`."""
    name: str = locale().days["stand-alone"]["abbreviated" if short else "wide"][number]
    return name


def month_text(moment: date) -> str:
    """Formats month and year, such as November 2026."""
    return _skeleton_text(moment, "yMMMM", locale())


def time_text(moment: datetime, zone: str) -> str:
    """Formats the wall-clock time in `zone`, such as 09:30.

    With its offset from UTC if it occurs twice, because clocks are set back.
    """
    local = moment.astimezone(ZoneInfo(zone))
    text = _time_text(local.hour, local.minute, locale(), preferred_clock())
    if local.replace(fold=1 - local.fold).utcoffset() == local.utcoffset():
        return text
    return f"{text} ({offset_text(moment, zone)})"


def times_text(start: datetime, end: datetime, zone: str) -> str:
    """Formats start and end on the clock in `zone`, such as 09:30–10:00."""
    return f"{time_text(start, zone)}–{time_text(end, zone)}"


def minute_text(minute: int) -> str:
    """Formats a time of day, in minutes since midnight, such as 09:30 or 9:30 AM.

    A day begins at 00:00 and ends at 24:00; on a clock of 12 hours, both are 12:00 AM.
    """
    if minute == DAY and clock_hours() == 24:
        return "24:00"
    return _time_text(minute // 60 % 24, minute % 60, locale(), preferred_clock())


def hour_text(time_of_day: str) -> str:
    """Shows a time from 00:00 to 24:00 by the reader's clock, such as 09:30 or 9:30 AM."""
    return minute_text(minute_of_day(time_of_day))


def moment_text(moment: datetime, zone: str) -> str:
    """Formats date and wall-clock time in `zone`, such as 24 Nov 2026, 09:30."""
    pattern = str(dates.get_datetime_format("medium", locale=locale())).replace("'", "")
    return pattern.replace("{0}", time_text(moment, zone)).replace(
        "{1}", short_date_text(moment, zone)
    )


def exact_text(moment: datetime, zone: str) -> str:
    """Formats date and wall-clock time in `zone` to the second, such as 24 Nov 2026, 09:30:00."""
    return dates.format_datetime(wall_clock(moment, zone), "medium", locale=locale())


def slot_text(start: datetime, end: datetime, zone: str) -> str:
    """Formats date, start and end, such as Tuesday, 24 November 2026, 09:30–10:00."""
    return f"{day_text(start, zone)}, {times_text(start, end, zone)}"


def zone_text(zone: str) -> str:
    """Returns the name of an IANA zone for reading, such as Eastern Time – New York."""
    return _zone_text(zone, locale())


def offset_text(moment: datetime, zone: str) -> str:
    """Formats the offset of `zone` from UTC at `moment`, such as GMT+01:00."""
    return dates.get_timezone_gmt(moment.astimezone(ZoneInfo(zone)), "long", locale=locale())


def duration_text(minutes: int) -> str:
    """Formats a duration, such as 1 hour 30 minutes."""
    hours, rest = divmod(minutes, 60)
    parts = []
    if hours:
        parts.append(units.format_unit(hours, "duration-hour", locale=locale()))
    if rest or not hours:
        parts.append(units.format_unit(rest, "duration-minute", locale=locale()))
    return " ".join(parts)


def number_text(number: int) -> str:
    """Formats a number, such as 12,345."""
    return numbers.format_decimal(number, locale=locale())


def percent_text(part: float) -> str:
    """Formats a fraction as a percentage: 0.42 is 42%."""
    return numbers.format_percent(part, locale=locale())


def seconds_text(seconds: float) -> str:
    """Formats a rough duration in its largest unit, such as 0.4 sec or 3 hr."""
    if seconds < 60:
        rounded = round(seconds, 1) if seconds < 10 else round(seconds)
        return units.format_unit(rounded, "duration-second", "short", locale=locale())
    return dates.format_timedelta(timedelta(seconds=seconds), format="short", locale=locale())


def week_start(day: date) -> date:
    """Returns the first day of the week around `day`, as the reader's locale begins weeks."""
    return day - timedelta(days=(day.weekday() - locale().first_week_day) % 7)


def local_day(moment: datetime, zone: str) -> date:
    """Returns the date in `zone`."""
    return wall_clock(moment, zone).date()


def wall_clock(moment: datetime, zone: str) -> datetime:
    """Returns date and time as a clock in `zone` shows them, without an offset."""
    return moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None)


def _day(moment: date | datetime, zone: str | None) -> date:
    """Returns the date of a moment in `zone`; without one, as the moment says itself."""
    if not isinstance(moment, datetime):
        return moment
    return moment.date() if zone is None else local_day(moment, zone)


# A page shows the same few dates and times as the one before it, and babel reads patterns and
# names anew for each: these keep what it made of them.


@lru_cache(maxsize=2048)
def _date_text(day: date, width: Literal["medium", "full"], reader: Locale) -> str:
    return dates.format_date(day, width, locale=reader)


@lru_cache(maxsize=4096)
def _skeleton_text(day: date, skeleton: str, reader: Locale) -> str:
    return dates.format_skeleton(skeleton, day, locale=reader)


@lru_cache(maxsize=1024)
def _days_text(first: date, last: date, reader: Locale) -> str:
    return dates.format_interval(first, last, "yMMMd", locale=reader)


@lru_cache(maxsize=4096)
def _free_day_text(day: date, count: int, reader: Locale) -> str:
    with reading(lambda: reader):
        times = ngettext("%(count)s available time", "%(count)s available times", count)
        return f"{day_text(day)}, {times % {'count': count}}"


@lru_cache(maxsize=4096)
def _time_text(hour: int, minute: int, reader: Locale, clock: int | None) -> str:
    moment = time(hour, minute)
    if clock is None:
        return dates.format_time(moment, "short", locale=reader)
    return dates.format_skeleton("Hm" if clock == 24 else "hm", moment, locale=reader)


@lru_cache(maxsize=4096)
def _zone_text(zone: str, reader: Locale) -> str:
    if "/" not in zone or zone.startswith("Etc/"):  # UTC, and names for programs
        return zone
    city = dates.get_timezone_location(zone, locale=reader, return_city=True)
    city = city.rpartition("/")[2].replace("\u00ad", "")  # where a long name can be divided
    place = dates.get_timezone_location(zone, locale=reader)
    name = dates.get_timezone_name(zone, "long", locale=reader, zone_variant="generic")
    if name == place and f"{city})" in place:  # one of the zones of a country
        name = str(reader.zone_formats["region"] % city)
    return name if city in name else f"{name}\u00a0– {city}"  # no line begins with a dash


@lru_cache
def _languages_beside(language_name: str) -> Sequence[tuple[str, str]]:
    names = {code: Locale(code).get_display_name() or code for code in LANGUAGES}
    return [
        (code, name[0].upper() + name[1:]) for code, name in names.items() if code != language_name
    ]


@lru_cache
def _catalogue(language_name: str) -> NullTranslations:
    path = FOLDER / f"{language_name}.po"
    if language_name == SOURCE_LANGUAGE:
        return NullTranslations()
    compiled = BytesIO()
    with path.open("rb") as file:
        write_mo(compiled, read_po(file, locale=language_name))
    compiled.seek(0)
    return GNUTranslations(compiled)
