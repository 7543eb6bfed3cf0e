"""The secrets of webhooks, with which receivers check that a message is from this service.

A signature takes the secret itself, so it has to be stored. It is encrypted with the service's
secret key, which is not in the database: a leaked database or backup signs no messages.
"""

import secrets
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Sequence
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from domain.errors import AdmitOneError

SECRET_BYTES = 32
MOST_REMEMBERED = 1_000
_PREFIX = "whsec_"
_PURPOSE = b"admitone.webhook"


class SecretUnreadable(AdmitOneError):
    """No secret key of this service opens the webhook's secret: replace the secret."""


class WebhookSecrets:
    """Makes secrets, encrypts them and decrypts them again."""

    def __init__(self, secret_keys: Sequence[str]) -> None:
        """Takes the secret keys, newest first. The first one encrypts; all of them decrypt."""
        self._newest, *_ = ciphers = [Fernet(_derived(key)) for key in secret_keys]
        self._all = MultiFernet(ciphers)
        self._decrypted = lru_cache(MOST_REMEMBERED)(self._decrypt)

    def encrypted(self, secret: str) -> str:
        """Returns the secret as it is stored."""
        return self._newest.encrypt(secret.encode()).decode()

    def decrypted(self, stored: str) -> str:
        """Returns the secret. Raises `SecretUnreadable`."""
        try:
            return self._decrypted(stored)
        except InvalidToken as error:
            raise SecretUnreadable from error

    def _decrypt(self, stored: str) -> str:
        return self._all.decrypt(stored).decode()

    def renewed(self, stored: str) -> str:
        """Returns what was stored, encrypted with the newest key unless it is already.

        What no key opens stays as it is.
        """
        try:
            self._newest.decrypt(stored)
        except InvalidToken:
            try:
                return self.encrypted(self.decrypted(stored))
            except SecretUnreadable:
                pass
        return stored


def new_secret() -> str:
    """Returns a new secret in the form of the specification."""
    return _PREFIX + b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def _derived(secret_key: str) -> bytes:
    derivation = HKDF(SHA256(), length=32, salt=None, info=_PURPOSE)
    return urlsafe_b64encode(derivation.derive(secret_key.encode()))
