"""The files below /static, compressed, and cached for as long as their address is theirs."""

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from flask import Response, request, url_for
from werkzeug.exceptions import NotFound

from interface.web.public_address import public_path

FOLDER = Path(__file__).parent.parent / "pages" / "static"
_MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml; charset=utf-8",
}
_FOR_GOOD = "public, max-age=31536000, immutable"
_ASK_AGAIN = "no-cache"


@dataclass(frozen=True)
class StaticFile:
    """A file as it is sent, plain and compressed. `fingerprint` changes with its content."""

    media_type: str
    fingerprint: str
    plain: bytes
    compressed: bytes


def asset(name: str) -> str:
    """Returns the address of a static file, which changes with its content so that it caches."""
    return _address(public_path(), name)


def static_response(name: str) -> Response:
    """Returns the response with this file. Raises `NotFound`.

    Only the address with the file's own fingerprint is cached for good. During an upgrade, the
    address of the next version may be answered by a worker that has only the last one.
    """
    if name not in _names():
        raise NotFound
    file = _read(name)
    # Only static files are compressed. On a page, text that a stranger chose can stand beside a
    # secret, which its compressed length then gives away (BREACH): that is left to the web server
    # in front, and to whoever knows what it is worth to them.
    if _accepts_gzip():
        response = Response(file.compressed, content_type=file.media_type)
        response.content_encoding = "gzip"
        response.set_etag(f"{file.fingerprint}-gzip")
    else:
        response = Response(file.plain, content_type=file.media_type)
        response.set_etag(file.fingerprint)
    response.vary.add("Accept-Encoding")
    is_own = request.args.get("v") == file.fingerprint
    response.headers["Cache-Control"] = _FOR_GOOD if is_own else _ASK_AGAIN
    length = response.content_length
    response.make_conditional(request.environ, accept_ranges=True, complete_length=length)
    return response


def _accepts_gzip() -> bool:
    accepted = {name.lower(): quality for name, quality in request.accept_encodings}
    return accepted.get("gzip", accepted.get("*", 0)) > 0


@cache
def _address(_root: str, name: str) -> str:
    """Returns the address of a static file below the public path `_root` of this request."""
    return url_for("static", filename=name, v=_read(name).fingerprint)


@cache
def _names() -> frozenset[str]:
    return frozenset(str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*") if path.is_file())


@cache
def _read(name: str) -> StaticFile:
    """Reads and compresses a file, once in each process. `name` must be one of `_names`."""
    path = FOLDER / name
    content = path.read_bytes()
    return StaticFile(
        media_type=_MEDIA_TYPES.get(path.suffix, "text/plain; charset=utf-8"),
        fingerprint=hashlib.sha256(content).hexdigest()[:12],
        plain=content,
        compressed=gzip.compress(content, mtime=0),
    )
