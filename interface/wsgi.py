"""The web application: the JSON API, its documentation, and the pages."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from application.eventstore.deadline import deadline
from application.people import security_log
from domain.errors import AdmitOneError
from interface import api, i18n, pages
from interface.api import calls
from interface.bootstrap import Services
from interface.current_request import CurrentRequest, this_request
from interface.observability import health, metrics, request_log
from interface.pages.shared import error_pages
from interface.web import problems, public_address, static_files
from interface.web.fixed_headers import PROGRAMS, fixed_headers
from interface.web.reader_preferences import reader_clock, reader_locale
from interface.web.request_context import LARGEST_BODY, origin_of_request

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


class WebApplication(Flask):
    """Flask for the pages, and the API beside it; one deadline and one language for a request."""

    def wsgi_app(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Answers one request, in the language of its reader and within its deadline."""
        with (
            CurrentRequest(environ, self.extensions) as request,
            deadline(),
            i18n.reading(reader_locale, reader_clock),
            security_log.acting(origin_of_request),
        ):
            public_address.enter_public_path(environ, request.services.settings)
            is_call = environ["PATH_INFO"].startswith(calls.PREFIX)
            answer = self.extensions[calls.EXTENSION] if is_call else super().wsgi_app
            return answer(environ, partial(_finish, request, start_response))

    def preprocess_request(self) -> ResponseReturnValue | None:
        """Refuses what must not get in, before anything else looks at the request."""
        this_request().rule = request.url_rule
        problems.refuse_at_the_door()
        return super().preprocess_request()

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
    request: CurrentRequest,
    start_response: "StartResponse",
    status: str,
    headers: list[tuple[str, str]],
    exc_info: Any = None,
) -> Callable[[bytes], object]:
    """Logs and measures a request, and adds the headers that every answer has."""
    code, seconds = int(status[:3]), request.seconds_taken()
    metrics.count_request(request, code, seconds)
    request_log.answered(request, code, seconds, now=request.services.now())
    added = [*fixed_headers(request, code, headers), ("X-Request-Id", request.id)]
    return start_response(status, headers + added, exc_info)


def create_app(services: Services) -> WebApplication:
    """Builds the application on these services."""
    app = WebApplication(
        "interface", static_folder="pages/static", template_folder="pages/templates"
    )
    app.url_map.merge_slashes = False
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    app.extensions["admitone"] = services
    metrics.init_app(app, services, refusal_of=problems.slug_of)
    health.init_app(app, services)
    api.init_app(app)
    pages.init_app(app)
    app.register_error_handler(AdmitOneError, _refused)
    app.register_error_handler(HTTPException, _http_refused)
    return app


def _refused(error: AdmitOneError) -> ResponseReturnValue:
    """Answers programs with a problem document and people with a page."""
    if _is_for_programs():
        return problems.refused(error)
    if isinstance(error, problems.WrongHost):
        return error_pages.wrong_host(error)
    return error_pages.refused(error)


def _http_refused(error: HTTPException) -> ResponseReturnValue:
    return problems.http_refused(error) if _is_for_programs() else error_pages.http_refused(error)


def _is_for_programs() -> bool:
    path: str = this_request().environ["PATH_INFO"]
    return path.startswith(PROGRAMS)
