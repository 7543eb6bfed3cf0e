"""Security headers of every response."""

from flask import Flask, Response, request

from interface.web.request_context import is_https

_PAGE_POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
# RapiDoc writes its styles into the page.
_DOCS_POLICY = _PAGE_POLICY.replace("object-src", "style-src 'self' 'unsafe-inline'; object-src")


def init_app(app: Flask) -> None:
    """Protects all responses of the application."""
    app.after_request(_protect)


def _protect(response: Response) -> Response:
    headers = response.headers
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Referrer-Policy"] = "no-referrer"
    if is_https():
        headers["Strict-Transport-Security"] = "max-age=31536000"
    headers.setdefault("Cache-Control", "no-store")
    if request.endpoint == "static" and response.status_code < 400:
        return response
    headers["X-Frame-Options"] = "DENY"
    headers["X-Robots-Tag"] = "noindex, nofollow"
    headers["Content-Security-Policy"] = (
        _DOCS_POLICY if request.path == "/api/docs" else _PAGE_POLICY
    )
    headers["Cross-Origin-Opener-Policy"] = "same-origin"
    return response
