"""Checks an export of the log against a signed checkpoint; runs alone, on any machine.

    python3 verifier.py EXPORT --checkpoint FILE --key FILE

Needs Python 3.11 and `cryptography`, nothing else of this service. README.md has the
formats. Trees and proofs are those of RFC 9162, section 2.1; checkpoints are those of
c2sp.org/tlog-checkpoint, which are notes of c2sp.org/signed-note.
"""

import argparse
import json
import re
import sys
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

EXPORT_FORMAT = "admitone-export/1"
EMPTY_ROOT = sha256().digest()
ED25519 = b"\x01"  # the signature type, which begins every key
LONGEST_LINE = 2**24  # bytes
Proof = Sequence[bytes]
Event = tuple[int, UUID, int, str, datetime, bytes]  # what `leaf_bytes` takes
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MALFORMED = (ValueError, TypeError, AttributeError, KeyError, OverflowError, RecursionError)


class ProofError(ValueError):
    """What was to be proved is not; the text says why."""


def require(condition: bool, otherwise: str) -> None:
    """Raises `ProofError` unless the condition holds."""
    if not condition:
        raise ProofError(otherwise)


def leaf_bytes(
    position: int,
    originator_id: UUID,
    version: int,
    topic: str,
    recorded_at: datetime,
    state: bytes,
) -> bytes:
    """What is hashed of an event; numbers are unsigned, the most significant byte first.

    8 bytes position | 16 id | 8 version | 8 recorded_at (microseconds since 1970 UTC) |
    2 length of topic in bytes | topic in UTF-8 | state as stored, to the end.
    """
    name = topic.encode()
    moment = (recorded_at - _EPOCH) // timedelta(microseconds=1)
    numbers = position.to_bytes(8), originator_id.bytes, version.to_bytes(8), moment.to_bytes(8)
    return b"".join((*numbers, len(name).to_bytes(2), name, state))


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of a node over its two children."""
    return sha256(b"\x01" + left + right).digest()


def _siblings(node: int, last: int, proof: Proof) -> Iterator[tuple[bytes, bool]]:
    """Each hash of a proof from the leaves up, and whether its place is on the left."""
    for sibling in proof:
        require(last > 0, "the proof is too long")
        is_left = node & 1 == 1 or node == last
        yield sibling, is_left
        while is_left and node and not node & 1:
            node, last = node >> 1, last >> 1
        node, last = node >> 1, last >> 1
    require(last == 0, "the proof is too short")


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Proof, root: bytes) -> None:
    """Raises `ProofError` unless the tree has this leaf hash at `index` (RFC 9162, 2.1.3.2)."""
    require(0 <= index < size, f"index {index} is not in a tree of {size}")
    found = leaf
    for sibling, is_left in _siblings(index, size - 1, proof):
        found = node_hash(sibling, found) if is_left else node_hash(found, sibling)
    require(found == root, "the proof does not lead to the root")


def verify_consistency(
    old_size: int, old_root: bytes, size: int, root: bytes, proof: Proof
) -> None:
    """Raises `ProofError` unless the old tree begins the new one (RFC 9162, 2.1.4.2).

    A tree begins itself, and the empty tree begins every tree: their proofs are empty.
    """
    require(0 <= old_size <= size, f"a tree of {old_size} cannot begin one of {size}")
    known = {0: EMPTY_ROOT, size: root}
    if old_size in known:
        require(not proof and old_root == known[old_size], "the trees are not consistent")
        return
    require(len(proof) > 0, "the proof is too short")
    node, last = old_size - 1, size - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    # Where the old tree is a perfect subtree of the new one, the proof leaves its root out.
    first, *rest = proof if node else [old_root, *proof]
    old = new = first
    for sibling, is_left in _siblings(node, last, rest):
        if is_left:
            old = node_hash(sibling, old)
        new = node_hash(sibling, new) if is_left else node_hash(new, sibling)
    require((old, new) == (old_root, root), "the trees are not consistent")


@dataclass(frozen=True)
class Checkpoint:
    """The tree at one moment: its size and root, and the position of its last event."""

    origin: str
    size: int
    root: bytes
    position: int
    time: datetime

    def text(self) -> str:
        """The part of the note that is signed."""
        extension = f"position {self.position}\ntime {time_text(self.time)}\n"
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n{extension}"


def time_text(moment: datetime) -> str:
    """RFC 3339 in UTC with microseconds: `2026-11-23T08:00:00.000000Z`."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def parse_checkpoint(text: str) -> Checkpoint:
    """Reads the signed part of a checkpoint; accepts only what `Checkpoint.text` writes."""
    try:
        origin, size, root, position, time, _ = text.split("\n")
        hashed, moment = b64decode(root), datetime.fromisoformat(time[len("time ") :])
        numbers = int(size), int(position[len("position ") :])
        checkpoint = Checkpoint(origin, numbers[0], hashed, numbers[1], moment)
        require(len(hashed) == 32 and min(numbers) >= 0, "out of range")
        require(checkpoint.text() == text, "not as written")
    except (ValueError, OverflowError) as error:
        raise ProofError("the checkpoint is not origin, size, root, position and time") from error
    return checkpoint


def key_id(name: str, public: bytes) -> bytes:
    """What tells keys of one name apart; a name is ASCII without spaces and plus signs."""
    require(re.fullmatch(r"[!-*,-~]+", name) is not None, f"{name!r} cannot name a key")
    return sha256(name.encode() + b"\n" + ED25519 + public).digest()[:4]


def parse_key(text: str) -> tuple[str, bytes]:
    """Name and public key of `name+id+base64(0x01 || 32 bytes)`."""
    try:
        name, identity, encoded = text.split("+", 2)
        key = b64decode(encoded)
        require(len(key) == 33 and key[:1] == ED25519, "of another kind")
        require(identity == key_id(name, key[1:]).hex(), "of another id")
        require(b64encode(key).decode() == encoded, "not as written")
    except ValueError as error:
        raise ProofError("the key is not name+id+base64 of an Ed25519 key") from error
    return name, key[1:]


def open_note(note: str, key: str) -> str:
    """The text of a note that `key` has signed; signatures of other keys are passed over."""
    name, public = parse_key(key)
    text, blank, signatures = note.rpartition("\n\n")
    is_note = blank and signatures.endswith("\n") and not re.search(r"[\0-\t\v-\x1f]", note)
    require(bool(is_note), "the checkpoint is not a signed note")
    text, is_signed = f"{text}\n", False
    for line in signatures[:-1].split("\n"):
        try:
            _, signer, encoded = line.split(" ")
            signature = b64decode(encoded)
            require(line == f"— {signer} {b64encode(signature).decode()}", "not as written")
            if signer == name and signature[:4] == key_id(name, public):
                Ed25519PublicKey.from_public_bytes(public).verify(signature[4:], text.encode())
                is_signed = True
        except (ValueError, InvalidSignature) as error:
            raise ProofError("the checkpoint has a false or malformed signature") from error
    require(is_signed, "the checkpoint is not signed with this key")
    return text


def verify_checkpoint(note: str, key: str) -> Checkpoint:
    """The checkpoint that the log of this key has signed: its origin is the key's name."""
    checkpoint = parse_checkpoint(open_note(note, key))
    require(checkpoint.origin == parse_key(key)[0], "the checkpoint is that of another log")
    return checkpoint


def export_header(origin: str, size: int, indices: range) -> bytes:
    """The first line of an export of these leaves of a tree."""
    counted = {"from_index": indices.start, "count": len(indices)}
    return _line({"format": EXPORT_FORMAT, "origin": origin, "size": size} | counted)


def export_event(index: int, event: Event, proof: Proof) -> bytes:
    """The line of one event; `proof` is that of its inclusion in the tree of the header."""
    position, originator_id, version, topic, recorded_at, state = event
    line = {"index": index, "position": position, "recorded_at": time_text(recorded_at)}
    line |= {"topic": topic, "id": str(originator_id), "version": version, "state": state.decode()}
    line |= {"leaf_hash": leaf_hash(leaf_bytes(*event)).hex(), "proof": [p.hex() for p in proof]}
    return _line(line)


def _line(record: dict[str, Any]) -> bytes:
    return json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def _verify_event(line: bytes, index: int, before: int, signed: Checkpoint) -> int:
    """Checks one line by reading it, writing it again and comparing. Answers its position."""
    where = f"after position {before}"
    try:
        found = json.loads(line)
        position, version, topic = int(found["position"]), int(found["version"]), found["topic"]
        where = f"position {position}"
        recorded_at, state = datetime.fromisoformat(found["recorded_at"]), found["state"].encode()
        event = (position, UUID(found["id"]), version, topic, recorded_at, state)
        proof = [bytes.fromhex(sibling) for sibling in found["proof"]]
        leaf, written = (
            leaf_hash(leaf_bytes(*event)),
            export_event(int(found["index"]), event, proof),
        )
        require(leaf.hex() == found["leaf_hash"], "what it says does not have its leaf hash")
        require(line == written, "not written as an export writes it")
        require(found["index"] == index, f"index {found['index']}, where {index} is due")
        require(position > before, f"comes after position {before}")
        verify_inclusion(leaf, index, signed.size, proof, signed.root)
        is_last = position == signed.position
        require(is_last or index + 1 < signed.size, f"not {signed.position}, the checkpoint's last")
    except ProofError as error:
        raise ProofError(f"{where}: {error}") from error
    except _MALFORMED as error:
        raise ProofError(f"{where}: missing, cut off or malformed") from error
    return position


def verify_export(lines: Iterable[bytes], checkpoint: str, key: str) -> tuple[Checkpoint, range]:
    """Checks every line, one in memory at a time; answers which leaves the export has.

    Raises `ProofError`, which names the first position at fault.
    """
    signed, remaining, position = verify_checkpoint(checkpoint, key), iter(lines), 0
    try:
        line = next(remaining, b"")
        first, count = (int(json.loads(line)[field]) for field in ("from_index", "count"))
        indices = range(first, first + count)
        written = export_header(signed.origin, signed.size, indices)
    except _MALFORMED as error:
        raise ProofError("header: missing, cut off or malformed") from error
    is_part = line == written and 0 <= first <= indices.stop <= signed.size
    require(is_part, f"header: not leaves of the tree of {signed.size} of {signed.origin}")
    for index in indices:
        position = _verify_event(next(remaining, b""), index, position, signed)
    require(next(remaining, b"") == b"", f"after position {position}: a line too many")
    return signed, indices


def main() -> int:
    """0: all is proved; 1: it is not; 2: a file cannot be read, or the call is wrong."""
    parser = argparse.ArgumentParser(description="Check an export against a signed checkpoint.")
    parser.add_argument("export", type=Path)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--key", type=Path, required=True, help="the log's public key")
    given = parser.parse_args()
    try:
        checkpoint, key = (path.read_bytes().decode() for path in (given.checkpoint, given.key))
        with given.export.open("rb") as file:
            lines = iter(lambda: file.readline(LONGEST_LINE), b"")
            signed, indices = verify_export(lines, checkpoint, key.strip())
    except OSError as error:
        sys.stderr.write(f"Not checked: {error}\n")
        return 2
    except ValueError as error:
        sys.stdout.write(f"NOT PROVED: {error}\n")
        return 1
    sys.stdout.write(
        f"Proved: {len(indices)} events from index {indices.start} on are in the tree of "
        f"{signed.size} that {signed.origin} signed at {time_text(signed.time)}.\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
