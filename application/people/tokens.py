"""Tokens: ids signed with the service's secret, which give a right to whoever has them.

Nothing secret is stored, so a leaked database opens no link, a forged token is refused
without a query, and the owner can copy an active link again at any time.
"""

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
from itsdangerous import BadSignature, TimestampSigner
from itsdangerous.encoding import base64_decode, base64_encode

_ID_LENGTH = 22  # 16 bytes in unpadded base64url


class InvalidToken(ValueError):
    """A token that this service did not sign, or that is no longer valid."""


class Tokens:
    """Signs and reads the kinds of token, each under a salt of its own.

    Reading a token always costs one signature check, so that the time of an answer does not
    reveal what is wrong with it.
    """

    def __init__(self, secret_keys: Sequence[str]) -> None:
        """Takes the secret keys, newest first. The first one signs; all of them are accepted."""
        options: dict[str, Any] = {
            "secret_key": list(reversed(secret_keys)),  # the library signs with the last one
            "key_derivation": "hmac",
            "digest_method": hashlib.sha256,
        }
        self._links = _Signer(secret_keys, "admitone.link")
        self._bookings = _Signer(secret_keys, "admitone.manage")
        self._feeds = _Signer(secret_keys, "admitone.feed")
        self._browsers = _Signer(secret_keys, "admitone.browser")
        self._sign_ins = _ExactTimestampSigner(salt="admitone.sign-in", **options)
        self._break_glass = _ExactTimestampSigner(salt="admitone.break-glass", **options)
        self._attempts = _ExactTimestampSigner(salt="admitone.provider", **options)

    def for_link(self, link_id: UUID) -> str:
        """Returns the token that lets its bearer redeem the link."""
        return self._links.signed(_text(link_id))

    def link_id(self, token: str) -> UUID:
        """Returns the id of the link that the token opens. Raises `InvalidToken`."""
        return _uuid(self._links.unsigned(token))

    def for_managing(self, booking_id: UUID) -> str:
        """Returns the token with which the invitee manages their booking."""
        return self._bookings.signed(_text(booking_id))

    def booking_id(self, token: str) -> UUID:
        """Returns the id of the booking that the token opens. Raises `InvalidToken`."""
        return _uuid(self._bookings.unsigned(token))

    def for_feed(self, feed_id: UUID) -> str:
        """Returns the token with which calendar programs read the feed."""
        return self._feeds.signed(_text(feed_id))

    def feed_id(self, token: str) -> UUID:
        """Returns the id of the feed that the token opens. Raises `InvalidToken`."""
        return _uuid(self._feeds.unsigned(token))

    def for_browser(self, account_id: UUID, browser_id: UUID) -> str:
        """Returns a token that says that the account has signed in at this browser before."""
        return self._browsers.signed(_text(account_id) + _text(browser_id))

    def browser(self, token: str) -> tuple[UUID, UUID]:
        """Returns account id and browser id of the token. Raises `InvalidToken`."""
        return _two_uuids(self._browsers.unsigned(token))

    def for_sign_in(self, account_id: UUID, nonce: UUID, *, breaks_glass: bool = False) -> str:
        """Returns a token that is valid until it expires or the account's nonce changes.

        `breaks_glass` is for a token that works even where people sign in by a provider only.
        """
        signer = self._break_glass if breaks_glass else self._sign_ins
        return signer.sign(_text(account_id) + _text(nonce)).decode()

    def sign_in(
        self, token: str, *, lifetime: timedelta, breaks_glass: bool = False
    ) -> tuple[UUID, UUID]:
        """Returns account id and nonce of a sign-in token not older than `lifetime`.

        Raises `InvalidToken`.
        """
        signer = self._break_glass if breaks_glass else self._sign_ins
        return _two_uuids(_unsigned(signer, token, max_age=int(lifetime.total_seconds())))

    def for_attempt(self, text: str) -> str:
        """Returns a token that carries what a sign-in at a provider comes back to."""
        return self._attempts.sign(urlsafe_b64encode(text.encode())).decode()

    def attempt(self, token: str, *, lifetime: timedelta) -> str:
        """Returns what a token not older than `lifetime` carries. Raises `InvalidToken`."""
        unsigned = _unsigned(self._attempts, token, max_age=int(lifetime.total_seconds()))
        return urlsafe_b64decode(unsigned).decode()


def hash_of_secret(secret: str) -> bytes:
    """Returns the SHA-256 of a random secret.

    A plain hash is enough: nobody can guess 256 random bits.
    """
    return hashlib.sha256(secret.encode()).digest()


class _Signer:
    """Signs as itsdangerous does, but faster, and accepts only the spelling that it writes.

    The library's decoder of base64 is lenient: it skips characters outside the alphabet, and
    ignores some bits of the last one.
    """

    def __init__(self, secret_keys: Sequence[str], salt: str) -> None:
        """Takes the secret keys, newest first. The first one signs."""
        # Each has its key already worked in, which is most of the work of a signature.
        self._keyed = [
            hmac.new(hmac.digest(key.encode(), salt.encode(), "sha256"), digestmod="sha256")
            for key in secret_keys
        ]

    def signed(self, text: str) -> str:
        """Returns the token that carries a text."""
        return _signed(text.encode(), self._keyed[0]).decode()

    def unsigned(self, token: str) -> str:
        """Returns the text that a token carries. Raises `InvalidToken`."""
        sent = token.encode(errors="replace")
        carried = sent.rpartition(b".")[0]
        for keyed in self._keyed:
            if hmac.compare_digest(_signed(carried, keyed), sent):
                return carried.decode()
        raise InvalidToken


def _signed(carried: bytes, keyed: hmac.HMAC) -> bytes:
    signature = keyed.copy()
    signature.update(carried)
    return carried + b"." + urlsafe_b64encode(signature.digest()).rstrip(b"=")


class _ExactTimestampSigner(TimestampSigner):
    """A signer that also signs the time, and accepts a signature in only one spelling."""

    def verify_signature(self, value: str | bytes, sig: str | bytes) -> bool:
        return super().verify_signature(value, sig) and base64_encode(base64_decode(sig)) == sig


def _unsigned(signer: TimestampSigner, token: str, **options: Any) -> str:
    # Without a separator, itsdangerous would skip the signature check.
    signed = token if "." in token else f".{token}"
    try:
        text: str = signer.unsign(signed.encode(errors="replace"), **options).decode()
    except BadSignature as error:
        raise InvalidToken from error
    return text


def _text(value: UUID) -> str:
    return urlsafe_b64encode(value.bytes).rstrip(b"=").decode()


def _uuid(text: str) -> UUID:
    # Takes a third of the time of `UUID(bytes=...)`.
    return msgspec.convert(urlsafe_b64decode(text + "=="), UUID)


def _two_uuids(text: str) -> tuple[UUID, UUID]:
    return _uuid(text[:_ID_LENGTH]), _uuid(text[_ID_LENGTH:])
