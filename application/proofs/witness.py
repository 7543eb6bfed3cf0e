"""A witness of the log: cosigns checkpoints, each only if it extends the last one it has seen.

A log that shows one history to one auditor and another to the next can't have both cosigned by the
same witness. So a checkpoint with the cosignature of a witness whom auditors trust is the one that
all of them were shown. The witness needs neither database nor log: a checkpoint, a proof that it
extends the last, and a file in which it keeps that.

The request is the body of `add-checkpoint` in c2sp.org/tlog-witness, the cosignature that of
Ed25519 in c2sp.org/tlog-cosignature.
"""

import base64
import fcntl
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from application.proofs.verifier import (
    COSIGNATURE,
    EMPTY_ROOT,
    Checkpoint,
    ProofError,
    cosigned_message,
    key_id,
    require,
    verify_checkpoint,
    verify_consistency,
)

MOST_HASHES = 63
"""The longest proof of consistency, as in tlog-witness: no tree has so many levels."""


class Cosigner:
    """The name and the Ed25519 key of a witness."""

    def __init__(self, name: str, seed: bytes) -> None:
        """Takes 32 secret, random bytes as `seed`. Raises `ProofError` for a name without form."""
        self.name, self._seed = name, seed
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self._public = self._key.public_key().public_bytes_raw()
        self._id = key_id(name, self._public, COSIGNATURE)

    @classmethod
    def parse(cls, text: str) -> "Cosigner":
        """Reads what `private_key` wrote. Raises `ProofError`, which does not quote the text."""
        try:
            _, _, name, _, seed = text.split("+", 4)
            cosigner = cls(name, base64.b64decode(seed)[len(COSIGNATURE) :])
            require(cosigner.private_key() == text, "not as written")
        except ValueError:
            form = "PRIVATE+KEY+name+id+base64 of the key of a witness"
            raise ProofError(f"the private key is not {form}") from None
        return cosigner

    def private_key(self) -> str:
        """Returns the secret key as `PRIVATE+KEY+name+id+base64(0x04 || seed)`."""
        return f"PRIVATE+KEY+{self._key_text(self._seed)}"

    def verifier_key(self) -> str:
        """Returns `name+id+base64(0x04 || public key)`, which auditors need."""
        return self._key_text(self._public)

    def cosign(self, note: str, *, now: datetime) -> str:
        """Returns the note with the cosignature as one more line at its end."""
        text, _, _ = note.rpartition("\n\n")
        timestamp = int(now.timestamp())
        signature = self._key.sign(cosigned_message(f"{text}\n", timestamp))
        line = base64.b64encode(self._id + timestamp.to_bytes(8) + signature).decode()
        return f"{note}— {self.name} {line}\n"

    def _key_text(self, key: bytes) -> str:
        return f"{self.name}+{self._id.hex()}+{base64.b64encode(COSIGNATURE + key).decode()}"


class Witness:
    """Cosigns the checkpoints of one log, and remembers the last one in a file."""

    def __init__(self, state: Path, cosigner: Cosigner, log_key: str) -> None:
        self._state, self._cosigner, self._log_key = state, cosigner, log_key

    def last(self) -> Checkpoint | None:
        """Returns the checkpoint that was cosigned last; None before the first."""
        if not self._state.exists():
            return None
        return verify_checkpoint(self._state.read_bytes().decode(), self._log_key)

    def cosign(self, request: str, *, now: datetime) -> str:
        """Returns the checkpoint of the request with a cosignature, and remembers it.

        Raises `ProofError`, which says why not, and then remembers nothing.
        """
        old_size, proof, note = parse_request(request)
        with self._alone():
            last = self.last()
            known_size, known_root = (last.size, last.root) if last else (0, EMPTY_ROOT)
            require(
                old_size == known_size,
                f"the proof begins at {old_size}, and the last checkpoint cosigned is {known_size}",
            )
            signed = verify_checkpoint(note, self._log_key)
            verify_consistency(known_size, known_root, signed.size, signed.root, proof)
            cosigned = self._cosigner.cosign(note, now=now)
            self._remember(cosigned)
        return cosigned

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keeps another run with the same file waiting: both would cosign from the same state."""
        with self._state.with_name(f"{self._state.name}.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _remember(self, note: str) -> None:
        draft = self._state.with_name(f".{self._state.name}.{secrets.token_hex(4)}")
        with draft.open("xb") as file:
            file.write(note.encode())
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, self._state)


def witness_request(old_size: int, proof: Sequence[bytes], note: str) -> str:
    """Returns the request to cosign a checkpoint, with the proof from the old size on."""
    hashes = "".join(f"{base64.b64encode(each).decode()}\n" for each in proof)
    return f"old {old_size}\n{hashes}\n{note}"


def parse_request(request: str) -> tuple[int, list[bytes], str]:
    """Returns old size, proof and checkpoint of a request. Raises `ProofError`."""
    head, blank, note = request.partition("\n\n")
    first, *hashes = head.split("\n")
    try:
        proof = [base64.b64decode(each, validate=True) for each in hashes]
        old_size = int(first.removeprefix("old "))
        is_exact = bool(blank) and witness_request(old_size, proof, note) == request
    except ValueError as error:
        raise ProofError("this is not a request to cosign a checkpoint") from error
    is_plausible = old_size >= 0 and len(proof) <= MOST_HASHES
    require(
        is_exact and is_plausible and all(len(each) == 32 for each in proof),
        "this is not a request to cosign a checkpoint",
    )
    return old_size, proof, note
