"""The reader's language and zone: texts from gettext catalogues, dates by CLDR."""

from datetime import date, datetime, timedelta
from functools import lru_cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError, dates, numbers, units
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from flask import Flask, g, request

from domain.errors import Sentence

FOLDER = Path(__file__).parent.parent / "messages"
SOURCE_LANGUAGE = "en"
LANGUAGES = (SOURCE_LANGUAGE, *sorted(path.stem for path in FOLDER.glob("*.po")))


def init_app(app: Flask) -> None:
    """Give templates `_`, `ngettext` and the functions that write dates."""
    app.jinja_env.add_extension("jinja2.ext.i18n")
    app.jinja_env.install_gettext_callables(  # type: ignore[attr-defined]
        gettext=gettext, ngettext=ngettext, newstyle=True
    )
    app.jinja_env.globals |= {
        "language": language,
        "sentence": sentence,
        "day_text": day_text,
        "short_day_text": short_day_text,
        "date_text": date_text,
        "short_date_text": short_date_text,
        "days_text": days_text,
        "weekday_text": weekday_text,
        "weekday_name": weekday_name,
        "month_text": month_text,
        "time_text": time_text,
        "moment_text": moment_text,
        "exact_text": exact_text,
        "slot_text": slot_text,
        "zone_text": zone_text,
        "duration_text": duration_text,
        "number_text": number_text,
        "percent_text": percent_text,
        "seconds_text": seconds_text,
    }


def locale() -> Locale:
    """The best that the reader's browser asks for and we have words in."""
    if "locale" not in g:
        g.locale = _best_locale()
    found: Locale = g.locale
    return found


def language() -> str:
    """As in <html lang>."""
    return locale().language


def gettext(message: str) -> str:
    """The message in the reader's language."""
    return _catalogue(language()).gettext(message)


def sentence(text: str) -> str:
    """What is said about a value, in the reader's language."""
    if isinstance(text, Sentence):
        return gettext(text.template).format(**text.values)
    return gettext(text)


def ngettext(one: str, many: str, count: int) -> str:
    """The message for that many, in the reader's language."""
    return _catalogue(language()).ngettext(one, many, count)


def day_text(moment: date | datetime, zone: str | None = None) -> str:
    """As in Tuesday, 24 November 2026."""
    return dates.format_date(_local(moment, zone), "full", locale=locale())


def short_day_text(moment: date | datetime, zone: str | None = None) -> str:
    """As in 24 Nov."""
    return dates.format_skeleton("MMMd", _local(moment, zone), locale=locale())


def date_text(moment: date | datetime, zone: str | None = None) -> str:
    """As in Tue, 24 Nov 2026."""
    return dates.format_skeleton("yMMMEd", _local(moment, zone), locale=locale())


def short_date_text(moment: date | datetime, zone: str | None = None) -> str:
    """As in 24 Nov 2026."""
    return dates.format_date(_local(moment, zone), "medium", locale=locale())


def days_text(first: date, last: date) -> str:
    """As in 23–29 Nov 2026."""
    return dates.format_interval(first, last, "yMMMd", locale=locale())


def weekday_text(moment: date | datetime, zone: str | None = None) -> str:
    """As in Tue."""
    return dates.format_skeleton("E", _local(moment, zone), locale=locale())


def weekday_name(number: int, *, short: bool = False) -> str:
    """As in Monday, which is 0; short, as in Mon."""
    name: str = locale().days["stand-alone"]["abbreviated" if short else "wide"][number]
    return name


def month_text(moment: date) -> str:
    """As in November 2026."""
    return dates.format_skeleton("yMMMM", moment, locale=locale())


def time_text(moment: datetime, zone: str) -> str:
    """The wall clock in `zone`, as in 09:30."""
    return dates.format_time(_local(moment, zone), "short", locale=locale())


def moment_text(moment: datetime, zone: str) -> str:
    """Day and wall clock in `zone`, as in 24 Nov 2026, 09:30."""
    return dates.format_datetime(_local(moment, zone), "medium", locale=locale()).replace(
        f":{moment.second:02d}", "", 1
    )


def exact_text(moment: datetime, zone: str) -> str:
    """Day and wall clock in `zone` to the second, as in 24 Nov 2026, 09:30:00."""
    return dates.format_datetime(_local(moment, zone), "medium", locale=locale())


def slot_text(start: datetime, end: datetime, zone: str) -> str:
    """Day and both ends, as in Tuesday, 24 November 2026, 09:30–10:00."""
    return f"{day_text(start, zone)}, {time_text(start, zone)}–{time_text(end, zone)}"


def zone_text(zone: str) -> str:
    """As in Europe/Paris, made readable."""
    return zone.replace("_", " ")


def offset_text(moment: datetime, zone: str) -> str:
    """How far the wall clock in `zone` then is from UTC, as in GMT+01:00."""
    return dates.get_timezone_gmt(moment.astimezone(ZoneInfo(zone)), "long", locale=locale())


def duration_text(minutes: int) -> str:
    """As in 1 hour 30 minutes."""
    hours, rest = divmod(minutes, 60)
    parts = []
    if hours:
        parts.append(units.format_unit(hours, "duration-hour", locale=locale()))
    if rest or not hours:
        parts.append(units.format_unit(rest, "duration-minute", locale=locale()))
    return " ".join(parts)


def number_text(number: int) -> str:
    """As in 12,345."""
    return numbers.format_decimal(number, locale=locale())


def percent_text(part: float) -> str:
    """As in 42%."""
    return numbers.format_percent(part, locale=locale())


def seconds_text(seconds: float) -> str:
    """As in 0.4 sec or 3 hr: roughly how long something took, or how old it is."""
    if seconds < 60:
        rounded = round(seconds, 1) if seconds < 10 else round(seconds)
        return units.format_unit(rounded, "duration-second", "short", locale=locale())
    return dates.format_timedelta(timedelta(seconds=seconds), format="short", locale=locale())


def week_start(day: date) -> date:
    """The first day of the week that `day` is in, where the reader lives."""
    return day - timedelta(days=(day.weekday() - locale().first_week_day) % 7)


def _local(moment: date | datetime, zone: str | None) -> Any:
    if isinstance(moment, datetime) and zone is not None:
        return moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    return moment


def _best_locale() -> Locale:
    for wanted, _ in request.accept_languages:
        try:
            found = Locale.parse(wanted, sep="-")
        except (ValueError, UnknownLocaleError):
            continue
        if found.language in LANGUAGES:
            return found
    return Locale(SOURCE_LANGUAGE)


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
