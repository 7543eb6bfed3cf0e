"""The public address of the service: the path below it, and the hosts that are answered."""

from functools import lru_cache
from typing import TYPE_CHECKING

from flask import request

from interface import web_address
from interface.current_request import this_request
from interface.settings import Settings
from interface.web.request_context import services
from interface.web_address import InvalidAddress, WebAddress, is_ip_address

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

# This machine, load balancers and Prometheus read these, by any address that they know.
MACHINE_PATHS = ("/healthz", "/metrics", "/readyz")


def enter_public_path(environ: "WSGIEnvironment", settings: Settings) -> None:
    """Makes the path of the public address the root of this request."""
    root = settings.public_address.path
    environ["PATH_INFO"] = path_below(root, environ["PATH_INFO"])
    environ["SCRIPT_NAME"] = root


def path_below(root: str, path: str) -> str:
    """Returns the path of a request below the public path `root`.

    The web server in front may have removed that path already or not.
    """
    if root and (path == root or path.startswith(f"{root}/")):
        path = path[len(root) :]
    return path or "/"


def this_address() -> str:
    """Returns path and query of the current request, as its client knows them."""
    return f"{public_path()}{request.full_path}".removesuffix("?")


def public_path() -> str:
    """Returns the path of the public address. Empty: the service has the host for itself."""
    return services().settings.public_address.path


def is_for_us() -> bool:
    """Returns True if the current request names one host at which the service answers.

    That is any host until a public address is set. Afterwards a page on another host, which
    leads to this machine by its DNS, must not get anything. Such a host has a name, so IP
    addresses are let through where machines ask.
    """
    settings = services().settings
    public = settings.public_address
    sent = this_request().environ.get("HTTP_HOST", "")
    if sent == public.authority:
        return True
    host = _origin(f"{public.scheme}://{sent}")
    if host is None:
        return False
    if not settings.public_url_is_set or host == public._replace(path=""):
        return True
    is_local = host.host == "localhost" or is_ip_address(host.host)
    return is_local and this_request().environ["PATH_INFO"] in MACHINE_PATHS


def is_our_origin(text: str) -> bool:
    """Returns True if the `Origin` of the current request is the service itself."""
    settings = services().settings
    origin = _origin(text)
    if origin is None:
        return False
    if origin == settings.public_address._replace(path=""):
        return True
    # Until a public address is set, a web server in front may speak either scheme.
    host = _origin(f"{origin.scheme}://{this_request().environ.get('HTTP_HOST', '')}")
    return not settings.public_url_is_set and origin == host


@lru_cache(maxsize=64)
def _origin(text: str) -> WebAddress | None:
    """Returns an address that ends with its host and port. None: the text is none."""
    try:
        address = web_address.parse(text)
    except InvalidAddress:
        return None
    return None if text.endswith("/") or address.path else address
