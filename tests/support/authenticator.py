"""A device that makes passkeys and signs with them, as browsers pass on what it says."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from hashlib import sha256
from secrets import token_bytes
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from fido2.cose import ES256
from fido2.webauthn import (
    Aaguid,
    AttestationObject,
    AttestedCredentialData,
    AuthenticatorData,
    CollectedClientData,
)

ORIGIN = "https://book.example.org"
FLAG = AuthenticatorData.FLAG
VERIFIED = FLAG.UP | FLAG.UV


def encoded(data: bytes) -> str:
    """Returns base64url without padding."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    """Returns the bytes behind base64url without padding."""
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass
class Authenticator:
    """A device with one passkey, in a browser at `origin`. It counts how often it has signed.

    Its person is at hand and has proved it, unless `flags` say otherwise.
    """

    origin: str = ORIGIN
    count: int = 0
    step: int = 1
    flags: FLAG = VERIFIED
    cross_origin: bool = False
    credential_id: bytes = field(default_factory=lambda: token_bytes(16))
    user_handle: bytes = b""
    host: str = ""
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    def make(self, options: dict[str, Any]) -> str:
        """Makes the passkey, and returns the browser's JSON about it."""
        self.host, self.user_handle = options["rp"]["id"], decoded(options["user"]["id"])
        public = ES256.from_cryptography_key(self.key.public_key())  # type: ignore[no-untyped-call]
        made = AuthenticatorData.create(
            sha256(self.host.encode()).digest(),
            self.flags | FLAG.AT,
            self.count,
            AttestedCredentialData.create(Aaguid.NONE, self.credential_id, public),
        )
        return self._answer(
            clientDataJSON=self._client_data("webauthn.create", options),
            attestationObject=AttestationObject.create("none", made, {}),
        )

    def sign(self, options: dict[str, Any]) -> str:
        """Signs a challenge with the passkey, and returns the browser's JSON about it."""
        self.count += self.step
        data = AuthenticatorData.create(sha256(self.host.encode()).digest(), self.flags, self.count)
        client_data = self._client_data("webauthn.get", options)
        signature = self.key.sign(data + sha256(client_data).digest(), ec.ECDSA(hashes.SHA256()))
        return self._answer(
            clientDataJSON=client_data,
            authenticatorData=data,
            signature=signature,
            userHandle=self.user_handle,
        )

    def _client_data(self, kind: str, options: dict[str, Any]) -> bytes:
        return CollectedClientData.create(
            kind, decoded(options["challenge"]), self.origin, self.cross_origin
        )

    def _answer(self, **response: bytes) -> str:
        return json.dumps(
            {
                "type": "public-key",
                "id": encoded(self.credential_id),
                "rawId": encoded(self.credential_id),
                "response": {name: encoded(data) for name, data in response.items()},
                "clientExtensionResults": {},
            }
        )
