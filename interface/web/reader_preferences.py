"""The language, the clock and the time zone in which somebody without an account reads.

The address of a page can name them, and a cookie keeps what was named. Otherwise the browser's
`Accept-Language` decides, which says nothing about zones.
"""

from urllib.parse import urlencode

from babel import Locale
from flask import Response, request, url_for

from domain.booking_rules import is_time_zone
from interface.current_request import this_request
from interface.i18n import LANGUAGES
from interface.web.accepted_language import accepted_locale
from interface.web.request_context import is_https, sent
from interface.web.time_zone_lookup import resolve_time_zone

LANGUAGE, CLOCK, ZONE = "lang", "hours", "tz"
"""The names in an address."""
COOKIES = {LANGUAGE: "admitone-language", CLOCK: "admitone-hours", ZONE: "admitone-zone"}
_CLOCKS = {"12": 12, "24": 24}
_COOKIE_SECONDS = 365 * 86400


def reader_locale() -> Locale:
    """Returns the locale of the language that was chosen, else of the one that is accepted."""
    accepted = accepted_locale(this_request().environ.get("HTTP_ACCEPT_LANGUAGE", ""))
    chosen = _chosen(LANGUAGE)
    if chosen not in LANGUAGES or accepted.language == chosen:
        return accepted  # which may name a region
    return Locale(chosen)


def reader_clock() -> int | None:
    """Returns 12 or 24 if the reader has chosen between them."""
    return _CLOCKS.get(_chosen(CLOCK))


def kept_zone() -> str | None:
    """Returns the time zone that the reader's browser keeps for this service, if it is one."""
    zone = request.cookies.get(COOKIES[ZONE], "")
    return zone if is_time_zone(zone) else None


def with_choice(**named: str) -> str:
    """Returns the address of this page with a language or a clock named in it."""
    return f"?{urlencode({**request.args, **named})}"


def remember_preferences(response: Response) -> Response:
    """Makes the browser keep what this request names. Takes and returns the response."""
    named = {
        LANGUAGE: request.args.get(LANGUAGE, ""),
        CLOCK: request.args.get(CLOCK, ""),
        ZONE: resolve_time_zone(request.values.get(ZONE, "")),
    }
    is_known = {
        LANGUAGE: named[LANGUAGE] in LANGUAGES,
        CLOCK: named[CLOCK] in _CLOCKS,
        ZONE: is_time_zone(named[ZONE]),
    }
    for name, cookie in COOKIES.items():
        if is_known[name] and request.cookies.get(cookie) != named[name]:
            response.set_cookie(
                cookie,
                named[name],
                max_age=_COOKIE_SECONDS,
                path=url_for("home.show"),
                secure=is_https(),
                samesite="Lax",  # and readable: the page's script keeps the browser's zone here
            )
    return response


def _chosen(name: str) -> str:
    """Returns what the address or else a cookie names; an empty text if neither does."""
    environ = this_request().environ
    if f"{name}=" in environ.get("QUERY_STRING", "") and (named := sent().args.get(name)):
        return named
    if COOKIES[name] in environ.get("HTTP_COOKIE", ""):
        return sent().cookies.get(COOKIES[name], "")
    return ""
