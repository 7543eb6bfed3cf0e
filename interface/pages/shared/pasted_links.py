"""Links that were pasted with what stood behind them lead to their page all the same.

People copy a link with the full stop, the bracket or the space after it, and programs that show
messages make that a part of the link.
"""

import re
from collections.abc import Callable
from urllib.parse import quote

from flask import Flask, redirect, request, url_for
from flask.typing import ResponseReturnValue

from application.people.tokens import InvalidToken
from interface.bootstrap import Services
from interface.web.request_context import services

# Each token ends with a dot and a signature of 43 characters. What stands behind it is recognized
# by that length, because a signature may have - and _ as well.
_PASTED = re.compile(
    r"/(?P<kind>b|m|sign-in)/(?P<token>[A-Za-z0-9_.-]{1,100}\.[A-Za-z0-9_-]{43})[^A-Za-z0-9]{1,10}"
)
# The page of each kind of token, and what raises `InvalidToken` for any other text.
_PAGES: dict[str, tuple[str, Callable[[Services, str], object]]] = {
    "b": ("booking_page.choose", lambda current, token: current.tokens.link_id(token)),
    "m": ("booking_confirmation.show", lambda current, token: current.tokens.booking_id(token)),
    "sign-in": (
        "sign_in.sign_in_link",
        lambda current, token: current.accounts.account_behind(token),
    ),
}


def init_app(app: Flask) -> None:
    """Redirects from pasted links before anything else looks at them."""
    app.before_request(_to_clean_address)


def _to_clean_address() -> ResponseReturnValue | None:
    """Redirects to the address without what stands behind its token, if that is one of ours."""
    if request.method not in ("GET", "HEAD"):
        return None
    pasted = _PASTED.fullmatch(request.path)
    if pasted is None:
        return None
    endpoint, read = _PAGES[pasted["kind"]]
    try:
        read(services(), pasted["token"])
    except InvalidToken:
        return None
    query = quote(request.query_string, safe="%/:?@!$&'()*+,;=-._~")
    address = url_for(endpoint, token=pasted["token"])
    return redirect(f"{address}?{query}" if query else address, 308)
