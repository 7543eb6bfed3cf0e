"""Answers the calls of the API ahead of Flask, from the same views.

Flask has the routes, and the document is made from them. To run a view, it would build contexts,
signals, sessions and responses of which no call uses any, in more time than most views take. So
this does what is left: it finds the view, calls it, and turns refusals into problems.
"""

import sys
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from flask import Flask, Response
from werkzeug.exceptions import HTTPException, InternalServerError
from werkzeug.routing import Map, MapAdapter

from domain.errors import AdmitOneError
from interface.api.reply import Reply
from interface.api.routes import Routes
from interface.current_request import CurrentRequest, this_request
from interface.observability import request_log
from interface.web import problems

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

PREFIX = "/api/v1/"
EXTENSION = "admitone.calls"


class Calls:
    """The calls of the API, as a WSGI application within the one that has the current request."""

    def __init__(self, routes: Map, views: Mapping[str, Callable[..., Any]]) -> None:
        """`views` has the function of each endpoint."""
        self._map = routes
        self._views = views
        self._adapters: dict[str, MapAdapter] = {}
        self._routes = Routes(routes.iter_rules(), PREFIX)

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Answers a call."""
        return self._answer(this_request())(environ, start_response)

    def _answer(self, request: CurrentRequest) -> Reply | Response:
        try:
            return self._result(request)
        except AdmitOneError as refusal:
            return problems.refused(refusal)
        except HTTPException as error:
            return problems.http_refused(error)
        except Exception:  # noqa: BLE001 - logged here, and a worker goes on
            request_log.unexpected(sys.exc_info())
            return problems.http_refused(InternalServerError())

    def _result(self, request: CurrentRequest) -> Reply | Response:
        environ = request.environ
        path = environ["PATH_INFO"].encode("latin-1").decode(errors="replace")
        method = environ["REQUEST_METHOD"]
        try:
            found = self._routes.find(method, path)
            request.rule, arguments = found or self._adapter(request).match(
                path, method, return_rule=True
            )
        finally:
            problems.refuse_at_the_door()
        if method == "OPTIONS":
            allowed = self._adapter(request).allowed_methods(path)
            return Reply(200, {"Allow": ", ".join(sorted(allowed))})
        answer: Reply | Response = self._views[request.rule.endpoint](**arguments)
        return answer

    def address_of(self, request: CurrentRequest, endpoint: str, values: dict[str, Any]) -> str:
        """Returns the path of an endpoint."""
        if (path := self._routes.address(endpoint, values)) is not None:
            return f"{request.environ['SCRIPT_NAME']}{path}"
        return self._adapter(request).build(endpoint, values)

    def _adapter(self, request: CurrentRequest) -> MapAdapter:
        root: str = request.environ["SCRIPT_NAME"]
        adapter = self._adapters.get(root)
        if adapter is None:
            adapter = self._adapters[root] = self._map.bind("", root)
        return adapter


def answer_calls(app: Flask) -> None:
    """Answers the calls of which `app` has the routes."""
    app.extensions[EXTENSION] = Calls(app.url_map, app.view_functions)


def address_of(endpoint: str, **values: object) -> str:
    """Returns the path at which a client of the current request finds an endpoint."""
    request = this_request()
    calls: Calls = request.extensions[EXTENSION]
    return calls.address_of(request, endpoint, values)
