"""The web application: the JSON API, its documentation, and the pages."""

from collections.abc import Callable, Iterable
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from application.eventstore.deadline import deadline
from application.people import security_log
from domain.errors import AdmitOneError
from interface import api, i18n, pages
from interface.bootstrap import Services
from interface.observability import health, metrics, request_log
from interface.observability.request_facts import BEGAN, request_id
from interface.pages.shared import error_pages
from interface.web import problems, public_address, static_files
from interface.web.accepted_language import accepted_locale
from interface.web.fixed_headers import fixed_headers
from interface.web.request_context import origin_of_request

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

LARGEST_BODY = 64 * 1024
REFUSAL = "admitone.refusal"
"""The key in a request's WSGI environment for the `AdmitOneError` by which it is refused."""


class WebApplication(Flask):
    """Flask, with one deadline and one language for everything that a request does."""

    def wsgi_app(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Answers one request within its deadline."""
        environ[BEGAN] = monotonic()
        services: Services = self.extensions["admitone"]
        public_address.enter_public_path(environ, services.settings)
        choose = partial(accepted_locale, environ.get("HTTP_ACCEPT_LANGUAGE", ""))
        with deadline(), i18n.reading(choose), security_log.acting(origin_of_request):
            return super().wsgi_app(environ, partial(_finish, start_response))

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Returns the view as it is, because none here is asynchronous."""
        return func

    def send_static_file(self, filename: str) -> Response:
        """Answers with a file below /static."""
        return static_files.static_response(filename)

    def log_exception(self, exc_info: Any) -> None:
        """Logs an unexpected error without the path, which may hold a token."""
        request_log.unexpected(exc_info)


def _finish(
    start_response: "StartResponse",
    status: str,
    headers: list[tuple[str, str]],
    exc_info: Any = None,
) -> Callable[[bytes], object]:
    """Logs and measures the current request, and adds the headers that every answer has."""
    code = int(status[:3])
    metrics.count_request(code)
    request_log.answered(code)
    added = [*fixed_headers(code, headers), ("X-Request-Id", request_id())]
    return start_response(status, headers + added, exc_info)


def create_app(services: Services) -> Flask:
    """Builds the application on these services."""
    app = WebApplication(
        "interface", static_folder="pages/static", template_folder="pages/templates"
    )
    app.url_map.merge_slashes = False
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    app.extensions["admitone"] = services
    app.before_request(_refuse_other_hosts)
    app.before_request(_refuse_for_the_server)
    metrics.init_app(app, services, refusal_of=problems.slug_of)
    health.init_app(app, services)
    api.init_app(app)
    pages.init_app(app)
    app.register_error_handler(AdmitOneError, _refused)
    app.register_error_handler(HTTPException, _http_refused)
    return app


def _refuse_other_hosts() -> ResponseReturnValue | None:
    """Refuses requests for a host at which this service does not answer."""
    if public_address.is_for_us():
        return None
    error = problems.WrongHost()
    return problems.refused(error) if _is_api() else error_pages.wrong_host(error)


def _refuse_for_the_server() -> None:
    """Refuses what the server could not let through."""
    refusal: AdmitOneError | None = request.environ.get(REFUSAL)
    if refusal is not None:
        raise refusal


def _refused(error: AdmitOneError) -> ResponseReturnValue:
    """Answers programs with a problem document and people with a page."""
    return problems.refused(error) if _is_api() else error_pages.refused(error)


def _http_refused(error: HTTPException) -> ResponseReturnValue:
    return problems.http_refused(error) if _is_api() else error_pages.http_refused(error)


def _is_api() -> bool:
    return request.path.startswith("/api/")
