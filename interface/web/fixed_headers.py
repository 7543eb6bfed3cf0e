"""The headers that answers have whatever they say: what browsers may do with them."""

from interface.current_request import CurrentRequest
from interface.web.public_address import MACHINE_PATHS
from interface.web.request_context import is_https

PROGRAMS = ("/api/", *MACHINE_PATHS)
"""The beginnings of paths at which only programs read."""

DOCUMENT_PAGE = "/api/docs"

_PAGE_POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
# RapiDoc writes its styles into the page.
_DOCS_POLICY = _PAGE_POLICY.replace("object-src", "style-src 'self' 'unsafe-inline'; object-src")

_TYPE = ("X-Content-Type-Options", "nosniff")
_REFERRER = ("Referrer-Policy", "no-referrer")
_HTTPS = ("Strict-Transport-Security", "max-age=31536000")
_NOT_STORED = ("Cache-Control", "no-store")
_PAGE = (
    _REFERRER,
    ("X-Frame-Options", "DENY"),
    ("X-Robots-Tag", "noindex, nofollow"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
)


def fixed_headers(
    request: CurrentRequest, status: int, headers: list[tuple[str, str]]
) -> list[tuple[str, str]]:
    """Returns what to add to the headers of a request's answer.

    Pages are protected from each other and from other sites. In what programs read, nothing
    is shown, run or followed, so it has none of that.
    """
    fixed = [_TYPE]
    if is_https():
        fixed.append(_HTTPS)
    if "Cache-Control" not in dict(headers):
        fixed.append(_NOT_STORED)
    path: str = request.environ["PATH_INFO"]
    if path.startswith(PROGRAMS) and path != DOCUMENT_PAGE:
        return fixed
    if request.endpoint == "static" and status < 400:
        return [*fixed, _REFERRER]
    policy = _DOCS_POLICY if path == DOCUMENT_PAGE else _PAGE_POLICY
    return [*fixed, *_PAGE, ("Content-Security-Policy", policy)]
