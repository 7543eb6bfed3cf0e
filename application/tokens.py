"""Tokens that are rights: an id signed with the service's secret.

Nothing secret is stored, so a leaked database opens no link, a forged token is refused
without a query, and the owner can copy an active link again at any time.
"""

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from itsdangerous import BadSignature, Signer, TimestampSigner

_ID_LENGTH = 22  # 16 bytes in unpadded base64url


class InvalidToken(ValueError):
    """A token that this service did not sign, or that is no longer good."""


class Tokens:
    """Signs and reads the four kinds of token, each under a salt of its own.

    Reading costs one signature check whatever is wrong with a token, so that the time an
    answer takes does not tell a malformed token from one that was never issued.
    """

    def __init__(self, secret_keys: Sequence[str]) -> None:
        """`secret_keys` newest first: the first one signs, all of them are accepted."""
        oldest_first = list(reversed(secret_keys))
        self._signers = {
            kind: Signer(
                oldest_first,
                salt=f"admitone.{kind}",
                key_derivation="hmac",
                digest_method=hashlib.sha256,
            )
            for kind in ("link", "manage")
        }
        self._sign_in = TimestampSigner(
            oldest_first,
            salt="admitone.sign-in",
            key_derivation="hmac",
            digest_method=hashlib.sha256,
        )

    def for_link(self, link_id: UUID) -> str:
        """The token that lets its bearer redeem the link."""
        return self._signers["link"].sign(_text(link_id)).decode()

    def link_id(self, token: str) -> UUID:
        """The link that the token opens. Raises `InvalidToken`."""
        return self._read("link", token)

    def for_managing(self, booking_id: UUID) -> str:
        """The invitee's token for their own booking."""
        return self._signers["manage"].sign(_text(booking_id)).decode()

    def booking_id(self, token: str) -> UUID:
        """The booking that the manage token opens. Raises `InvalidToken`."""
        return self._read("manage", token)

    def for_sign_in(self, account_id: UUID, nonce: UUID) -> str:
        """A token that is good until the account's nonce changes or its time is up."""
        return self._sign_in.sign(_text(account_id) + _text(nonce)).decode()

    def sign_in(self, token: str, *, lifetime: timedelta) -> tuple[UUID, UUID]:
        """Account and nonce of a token not older than `lifetime`. Raises `InvalidToken`."""
        try:
            value = self._sign_in.unsign(
                token.encode(errors="replace"), max_age=int(lifetime.total_seconds())
            ).decode()
        except BadSignature as error:
            raise InvalidToken from error
        return _uuid(value[:_ID_LENGTH]), _uuid(value[_ID_LENGTH:])

    def _read(self, kind: str, token: str) -> UUID:
        # itsdangerous skips the check for a token without a separator.
        signed = token if "." in token else f".{token}"
        try:
            return _uuid(self._signers[kind].unsign(signed.encode(errors="replace")).decode())
        except BadSignature as error:
            raise InvalidToken from error


def _text(value: UUID) -> str:
    return urlsafe_b64encode(value.bytes).rstrip(b"=").decode()


def _uuid(text: str) -> UUID:
    return UUID(bytes=urlsafe_b64decode(text + "=="))
