"""A real OpenID provider on this machine, and what an attacker might make of its answers."""

import base64
import hashlib
import json
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from io import BytesIO
from ipaddress import ip_network
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from flask import g
from joserfc import jwt
from joserfc.jwk import RSAKey
from werkzeug.serving import make_server
from werkzeug.test import Client, run_wsgi_app
from werkzeug.wrappers import Request, Response

from interface.settings import Settings
from tests.support.examples import SECRET

with warnings.catch_warnings():
    # It imports what will leave Authlib, which shows its own warnings whatever is asked.
    import authlib.deprecate

    warnings.simplefilter("ignore", authlib.deprecate.AuthlibDeprecationWarning)
    import oidc_provider_mock

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

CLIENT_ID, CLIENT_SECRET = "admit-one", "a secret/with+signs"

Sign = Callable[[dict[str, Any], RSAKey], str]


def signed(claims: dict[str, Any], key: RSAKey) -> str:
    """Returns the ID token as the provider signs it."""
    return jwt.encode({"alg": "RS256", "kid": key.kid}, claims, key)


@dataclass
class Provider:
    """The provider, which holds to PKCE, and says when somebody has signed in.

    `sign` makes the ID token, from what the provider says in it.
    """

    now: Callable[[], datetime]
    url: str = ""
    sign: Sign = signed
    asked: list[str] = field(default_factory=list)
    """The paths of all requests."""
    fails_at: Collection[str] = ()
    """The paths at which it answers that it can't."""

    def __post_init__(self) -> None:
        self._app = oidc_provider_mock.app()
        self._app.before_request(self._see_storage)
        self._challenges: dict[str, str] = {}
        self._storage: Any = None

    def know(self, subject: str, **claims: Any) -> None:
        """Makes somebody known to the provider."""
        user = self._client().put(f"/users/{subject}", json=claims)
        assert user.status_code == 204

    def sign_in(self, address: str, subject: str) -> str:
        """Signs somebody in where our service has sent them; returns where they are sent back."""
        answer = self._client().post(address, data={"sub": subject})
        assert answer.status_code == 302, answer.get_data(as_text=True)
        return answer.headers["Location"]

    def new_key(self) -> None:
        """Exchanges the key by which ID tokens are signed."""
        self._storage.jwk = type(self._storage.jwk).generate_key(2048, is_private=True)

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        request = Request(environ)
        self.asked.append(request.path)
        if request.path in self.fails_at:
            return Response(status=503)(environ, start_response)
        body = request.get_data()
        environ["wsgi.input"] = BytesIO(body)
        form = request.form.to_dict() if request.path == "/oauth2/token" else {}
        if form:
            challenge = self._challenges.pop(form.get("code", ""), None)
            if challenge is not None and challenge != _s256(form.get("code_verifier", "")):
                return Response('{"error": "invalid_grant"}', 400)(environ, start_response)
        chunks, status, headers = run_wsgi_app(self._app, environ)
        answer = Response(b"".join(chunks), status, headers)
        if form and answer.status_code == 200:
            answer.set_data(json.dumps(self._tokens(json.loads(answer.get_data()))))
        if location := answer.headers.get("Location"):
            code = parse_qs(urlsplit(location).query).get("code", [""])[0]
            self._challenges[code] = request.args.get("code_challenge", "")
        return answer(environ, start_response)

    def _tokens(self, tokens: dict[str, Any]) -> dict[str, Any]:
        key = RSAKey.import_key(self._storage.jwk.as_dict(is_private=True))
        claims = jwt.decode(tokens["id_token"], key).claims
        now = int(self.now().timestamp())
        claims |= {"iat": now, "exp": now + 300, "auth_time": now}
        return tokens | {"id_token": self.sign(claims, key)}

    def _see_storage(self) -> None:
        self._storage = g.oidc_provider_mock_storage

    def _client(self) -> Client:
        return Client(self, Response)


def _s256(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def settings_of(provider: Provider, data: Path, **others: Any) -> Settings:
    """Returns settings of a service at which the provider's people of example.org can sign in."""
    values: dict[str, Any] = {
        "data": data,
        "secret_keys": (SECRET,),
        "outgoing_networks": (ip_network("127.0.0.1"),),
        "oidc_issuer": provider.url,
        "oidc_client_id": CLIENT_ID,
        "oidc_client_secret": CLIENT_SECRET,
        "oidc_name": "Example ID",
        "oidc_domains": ("example.org",),
    }
    return Settings(**(values | others))


@contextmanager
def running_provider(now: Callable[[], datetime]) -> Iterator[Provider]:
    """Runs a provider in a thread during the block."""
    running = Provider(now)
    server = make_server("127.0.0.1", 0, running, threaded=True)
    running.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
