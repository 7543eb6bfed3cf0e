"""The locale of a request: the first that its Accept-Language header names and we have."""

from functools import lru_cache

from babel import Locale
from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

from interface.i18n import locale_named, supported_locale


@lru_cache(maxsize=256)
def accepted_locale(header: str) -> Locale:
    """Returns the reader's preferred locale among those with a catalogue, else English."""
    for tag, _quality in parse_accept_header(header, LanguageAccept):
        if (locale := supported_locale(tag)) is not None:
            return locale
    return locale_named(None)
