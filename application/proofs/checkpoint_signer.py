"""Signs checkpoints of the transparency log. Their form is in `application.proofs.verifier`."""

import base64
from collections.abc import Sequence
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from application.proofs.verifier import (
    ED25519,
    Checkpoint,
    ProofError,
    key_id,
    parse_checkpoint,
    parse_key,
    require,
)

_SECURITY_LOG = "/security"
"""Follows the name of the log of events in that of the security log, which has the same key."""


class CheckpointSigner:
    """Signs checkpoints with the name of the log and its Ed25519 key."""

    def __init__(self, name: str, seed: bytes, earlier: Sequence["CheckpointSigner"] = ()) -> None:
        """Takes 32 secret, random bytes as `seed`. Those with `earlier` keys sign as well.

        Raises `ProofError` for a name that no key may have.
        """
        self.name = name
        self._earlier = earlier
        self._seed = seed
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self._public = self._key.public_key().public_bytes_raw()
        self._id = key_id(name, self._public)

    @classmethod
    def parse(cls, text: str) -> "CheckpointSigner":
        """Reads what `private_key` wrote. Raises `ProofError`, which does not quote the text."""
        try:
            _, _, name, _, seed = text.split("+", 4)
            signer = cls(name, base64.b64decode(seed)[len(ED25519) :])
            require(signer.private_key() == text, "not as written")
        except ValueError:
            form = "PRIVATE+KEY+name+id+base64 of an Ed25519 key"
            raise ProofError(f"the private key is not {form}") from None
        return signer

    def private_key(self) -> str:
        """Returns the secret key as `PRIVATE+KEY+name+id+base64(0x01 || seed)`.

        This is the form of Go's sumdb/note.
        """
        return f"PRIVATE+KEY+{self._key_text(self._seed)}"

    def verifier_key(self) -> str:
        """Returns `name+id+base64(0x01 || public key)`.

        Auditors need it, and should get it by another way than the checkpoints.
        """
        return self._key_text(self._public)

    def verifier_keys(self) -> tuple[str, ...]:
        """Returns the public keys of this signer and of those with earlier keys, newest first."""
        return tuple(signer.verifier_key() for signer in (self, *self._earlier))

    def endorsed_by(self, earlier: Sequence["CheckpointSigner"]) -> "CheckpointSigner":
        """Returns a signer whose checkpoints those with earlier keys sign as well.

        So whoever has only an earlier public key can go on verifying. Raises `ProofError` if they
        sign another log.
        """
        require(all(one.name == self.name for one in earlier), "its keys have several names")
        return CheckpointSigner(self.name, self._seed, tuple(earlier))

    def of_security_log(self) -> "CheckpointSigner":
        """Returns the signer of the security log."""
        earlier = tuple(signer.of_security_log() for signer in self._earlier)
        return CheckpointSigner(self.name + _SECURITY_LOG, self._seed, earlier)

    def sign(self, size: int, root: bytes, position: int, time: datetime) -> str:
        """Returns the signed checkpoint of a tree whose last event is at `position` (0 if empty).

        Sign a size only when its root can no longer change. Raises `ProofError` for a
        checkpoint that no verifier would read.
        """
        text = Checkpoint(self.name, size, root, position, time).text()
        parse_checkpoint(text)
        return self.sign_note(text)

    def sign_note(self, text: str) -> str:
        """Returns the text as a note: followed by a blank line and a signature of each key."""
        lines = (signer.signature_line(text) for signer in (self, *self._earlier))
        return f"{text}\n{''.join(lines)}"

    def signature_line(self, text: str) -> str:
        """Returns the line with the signature of this key alone."""
        signature = base64.b64encode(self._id + self._key.sign(text.encode())).decode()
        return f"— {self.name} {signature}\n"

    def _key_text(self, key: bytes) -> str:
        return f"{self.name}+{self._id.hex()}+{base64.b64encode(ED25519 + key).decode()}"


def key_of_security_log(key: str) -> str:
    """Returns the public key of the security log from that of the log of events.

    Raises `ProofError`.
    """
    name, public = parse_key(key)
    name += _SECURITY_LOG
    encoded = base64.b64encode(ED25519 + public).decode()
    return f"{name}+{key_id(name, public).hex()}+{encoded}"
