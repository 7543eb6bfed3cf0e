"""Signing in at an identity provider: OpenID Connect, by authorization code with PKCE.

The provider says who somebody is; nothing that it gives us is kept beyond that. Its packages,
Authlib and joserfc, are the extra `oidc`, and are loaded by those who use it only.
"""

import logging
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hmac import compare_digest
from typing import Any, NamedTuple, TypeVar
from urllib.parse import quote_plus, urlencode, urlsplit

import msgspec
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from application.outgoing import AddressNotAllowed, Answer, Outgoing, RequestFailed
from application.people.authentication import CONFIRMED_FOR
from application.people.identities import (
    Attempt,
    Identity,
    ProviderUnreachable,
    SignInNotProved,
)

T = TypeVar("T")

log = logging.getLogger(__name__)

ALGORITHMS = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512"),
)
"""By which ID tokens may be signed: with a private key of the provider's, never with a secret."""

LEEWAY = timedelta(minutes=1)
"""The difference between the clock of the provider and ours that is accepted."""

ANSWER_SECONDS = 5.0
LARGEST_ANSWER = 256 * 1024  # bytes
METADATA_LIFETIME = timedelta(hours=1)
FAILURE_LIFETIME = timedelta(seconds=5)
"""The time for which a provider is not asked about itself again after that has failed."""

_DISCOVERY = "/.well-known/openid-configuration"


@dataclass(frozen=True)
class Client:
    """This service as the provider knows it. Without a secret, PKCE alone protects a code.

    `issuer` names the provider, exactly as it names itself.
    """

    issuer: str
    client_id: str
    client_secret: str | None
    redirect_uri: str
    scopes: Sequence[str] = ("openid", "email", "profile")
    wanted_claims: frozenset[str] = frozenset({"email"})
    """The claims that are asked for beside the ID token, if that does not hold them."""


class _Metadata(msgspec.Struct):
    """The description that a provider gives of itself (OpenID Connect Discovery 1.0, section 3)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None = None
    end_session_endpoint: str | None = None
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    code_challenge_methods_supported: tuple[str, ...] = ("S256",)

    def endpoints(self) -> list[str]:
        """Returns the addresses that it names."""
        named = (
            *(self.authorization_endpoint, self.token_endpoint, self.jwks_uri),
            *(self.userinfo_endpoint, self.end_session_endpoint),
        )
        return [address for address in named if address is not None]


class _Tokens(msgspec.Struct):
    """The answer to a code."""

    id_token: str
    access_token: str | None = None


class _Known(NamedTuple):
    """A provider's metadata and keys, and when they were read."""

    metadata: _Metadata
    keys: KeySet
    read_at: datetime


class IdentityProvider:
    """The provider at which people sign in. It is asked at the first sign-in, not before."""

    def __init__(self, client: Client, outgoing: Outgoing) -> None:
        self.client = client
        self._outgoing = outgoing
        self._known: _Known | None = None
        self._failed_at: datetime | None = None

    def sign_in_address(self, attempt: Attempt, *, is_fresh: bool, now: datetime) -> str:
        """Returns where the browser is sent. Raises `ProviderUnreachable`.

        `is_fresh` asks the provider to let people prove anew who they are.
        """
        query = {
            "response_type": "code",
            "client_id": self.client.client_id,
            "redirect_uri": self.client.redirect_uri,
            "scope": " ".join(self.client.scopes),
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": create_s256_code_challenge(attempt.verifier),
            "code_challenge_method": "S256",
        }
        if is_fresh:
            query |= {"prompt": "login", "max_age": str(int(CONFIRMED_FOR.total_seconds()))}
        return _with_query(self._provider(now).metadata.authorization_endpoint, query)

    def sign_out_address(self, back: str, *, now: datetime) -> str | None:
        """Returns where people sign out of the provider as well, which leads back to `back`.

        None if it offers no such page. Raises `ProviderUnreachable`.
        """
        endpoint = self._provider(now).metadata.end_session_endpoint
        query = {"client_id": self.client.client_id, "post_logout_redirect_uri": back}
        return endpoint and _with_query(endpoint, query)

    def identity(
        self, answer: Mapping[str, str], attempt: Attempt, *, is_fresh: bool, now: datetime
    ) -> Identity:
        """Returns who has signed in, by the parameters with which the browser has come back.

        Raises `SignInNotProved` or `ProviderUnreachable`.
        """
        if not compare_digest(answer.get("state", "").encode(), attempt.state.encode()):
            raise SignInNotProved
        if answer.get("iss", self.client.issuer) != self.client.issuer:  # RFC 9207
            raise SignInNotProved
        code = answer.get("code", "")
        if not code:
            raise SignInNotProved
        provider = self._provider(now)
        tokens = self._tokens(provider.metadata, code, attempt)
        claims = self._claims(tokens, attempt, is_fresh=is_fresh, now=now)
        endpoint = provider.metadata.userinfo_endpoint
        if (
            endpoint is not None
            and tokens.access_token
            and self.client.wanted_claims - claims.keys()
        ):
            claims = self._userinfo(endpoint, tokens.access_token, str(claims["sub"])) | claims
        email, name = claims.get("email"), claims.get("name")
        is_theirs = claims.get("email_verified") in (True, "true")  # some providers send a text
        return Identity(
            issuer=self.client.issuer,
            subject=claims["sub"],
            email=email if isinstance(email, str) and is_theirs else None,
            name=name if isinstance(name, str) else None,
            claims=claims,
            proved_at=_proved_at(claims, now),
        )

    def _provider(self, now: datetime) -> _Known:
        """Returns what is known of the provider, read within the last hour.

        While it can't be read, what was known before counts on. Raises `ProviderUnreachable` if
        there is nothing, without asking just after a failure.
        """
        known = self._known
        if known is not None and now - known.read_at <= METADATA_LIFETIME:
            return known
        failed_at = self._failed_at
        if failed_at is None or abs(now - failed_at) >= FAILURE_LIFETIME:
            try:
                self._known = self._read(now)
            except ProviderUnreachable:
                self._failed_at = now
            else:
                self._failed_at = None
                return self._known
        if known is None:
            raise ProviderUnreachable
        return known

    def _read(self, now: datetime) -> _Known:
        issuer = self.client.issuer
        metadata = self._get(issuer.rstrip("/") + _DISCOVERY, _Metadata)
        scheme = urlsplit(issuer).scheme
        is_plain = any(
            urlsplit(url).scheme not in ("https", scheme) for url in metadata.endpoints()
        )
        if metadata.issuer != issuer or is_plain:
            raise _unreachable("its metadata is of another issuer, or names addresses without TLS")
        if "S256" not in metadata.code_challenge_methods_supported:
            raise _unreachable("it does not support PKCE by S256")
        return _Known(metadata, self._keys(metadata), now)

    def _keys(self, metadata: _Metadata) -> KeySet:
        published: Any = self._get(metadata.jwks_uri, dict[str, list[dict[str, Any]]])
        try:
            return KeySet.import_key_set(published)
        except (JoseError, ValueError, LookupError, TypeError) as error:
            raise _unreachable(f"its keys can't be read: {type(error).__name__}") from error

    def _tokens(self, metadata: _Metadata, code: str, attempt: Attempt) -> _Tokens:
        """Exchanges a code for tokens."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.client.redirect_uri,
            "code_verifier": attempt.verifier,
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        client_id, secret = self.client.client_id, self.client.client_secret
        if secret is None:
            form["client_id"] = client_id
        elif "client_secret_basic" in metadata.token_endpoint_auth_methods_supported:
            # RFC 6749, section 2.3.1
            credentials = f"{quote_plus(client_id)}:{quote_plus(secret)}".encode()
            headers["Authorization"] = f"Basic {b64encode(credentials).decode()}"
        else:
            form |= {"client_id": client_id, "client_secret": secret}
        answer = self._send("POST", metadata.token_endpoint, headers, urlencode(form).encode())
        if answer.status == 400:  # the code is wrong, used or too old
            raise SignInNotProved
        return _decoded(answer, _Tokens)

    def _claims(
        self, tokens: _Tokens, attempt: Attempt, *, is_fresh: bool, now: datetime
    ) -> dict[str, Any]:
        """Returns what a valid ID token says. Raises `SignInNotProved`."""
        max_age = int(CONFIRMED_FOR.total_seconds()) if is_fresh else None
        try:
            token = self._signed(tokens.id_token, now)
            claims = CodeIDToken(
                token.claims,
                token.header,
                options={
                    "iss": {"essential": True, "value": self.client.issuer},
                    "aud": {"essential": True, "value": self.client.client_id},
                },
                params={
                    "client_id": self.client.client_id,
                    "nonce": attempt.nonce,
                    "access_token": tokens.access_token,
                    "max_age": max_age,
                },
            )
            claims.validate(int(now.timestamp()), int(LEEWAY.total_seconds()))
        except (JoseError, ValueError, LookupError, TypeError) as error:
            log.warning("an ID token was refused: %s", type(error).__name__)
            raise SignInNotProved from error
        if is_fresh and _proved_at(claims, now) is None:
            raise SignInNotProved
        if not isinstance(claims["sub"], str) or not 0 < len(claims["sub"]) <= 255:
            raise SignInNotProved
        return dict(claims)

    def _signed(self, id_token: str, now: datetime) -> jwt.Token:
        """Returns the token, signed by a key of the provider. Raises what joserfc raises.

        A provider that has changed its keys is asked for them once.
        """
        provider = self._provider(now)
        try:
            return jwt.decode(id_token, provider.keys, algorithms=ALGORITHMS)
        except InvalidKeyIdError:
            self._known = provider._replace(keys=self._keys(provider.metadata))
            return jwt.decode(id_token, self._known.keys, algorithms=ALGORITHMS)

    def _userinfo(self, endpoint: str, access_token: str, subject: str) -> dict[str, Any]:
        """Returns what the provider says about somebody beside the ID token."""
        headers = {"Authorization": f"Bearer {access_token}"}
        found: dict[str, Any] = _decoded(self._send("GET", endpoint, headers), dict[str, Any])
        if found.get("sub") != subject:
            raise SignInNotProved
        return found

    def _get(self, url: str, kind: type[T]) -> T:
        return _decoded(self._send("GET", url, {}), kind)

    def _send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> Answer:
        try:
            return self._outgoing.send(
                method,
                url,
                headers={"Accept": "application/json"} | dict(headers),
                body=body,
                seconds=ANSWER_SECONDS,
                most_bytes=LARGEST_ANSWER,
            )
        except (AddressNotAllowed, RequestFailed) as error:
            raise _unreachable(error.detail) from error


def _proved_at(claims: Mapping[str, Any], now: datetime) -> datetime | None:
    """Returns when the provider last asked who is there, if it says so and that is fresh."""
    auth_time = claims.get("auth_time")
    if not isinstance(auth_time, int | float):
        return None
    seconds_ago = now.timestamp() - auth_time
    if not -LEEWAY.total_seconds() <= seconds_ago < CONFIRMED_FOR.total_seconds():
        return None
    return now - timedelta(seconds=max(0.0, seconds_ago))


def _with_query(address: str, query: Mapping[str, str]) -> str:
    return f"{address}{'&' if '?' in address else '?'}{urlencode(query)}"


def _decoded(answer: Answer, kind: type[T]) -> T:
    if answer.status != 200:
        raise _unreachable(f"it answered with status {answer.status}")
    try:
        return msgspec.json.decode(answer.body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _unreachable("its answer has not the form of the standard") from error


def _unreachable(why: str) -> ProviderUnreachable:
    """Returns the refusal, and logs for the operator why it happened."""
    log.warning("the identity provider can't be used: %s", why)
    return ProviderUnreachable()
