"""Checks an export of the log against a signed checkpoint. This file runs alone, anywhere.

    python3 verifier.py EXPORT --checkpoint FILE --key FILE [--witness FILE]

It needs Python 3.11 or newer and `cryptography`, and nothing else of Admit One. README.md
describes the formats. Trees and proofs are those of RFC 9162, section 2.1; checkpoints are those of
c2sp.org/tlog-checkpoint, which are notes of c2sp.org/signed-note.
"""

import argparse
import json
import re
import struct
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
ED25519 = b"\x01"  # the type of signature, the first byte of every key
COSIGNATURE = b"\x04"  # the type of the cosignatures of witnesses, c2sp.org/tlog-cosignature
LONGEST_LINE = 2**24  # bytes
Proof = Sequence[bytes]
Event = tuple[int, UUID, int, str, datetime, bytes]  # the arguments of `leaf_bytes`
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_HEAD = struct.Struct(">Q16sQQH")
_MALFORMED = (ValueError, TypeError, AttributeError, KeyError, OverflowError, RecursionError)


class ProofError(ValueError):
    """The proof failed; the message says why."""


def require(condition: bool, otherwise: str) -> None:
    """Checks a condition; raises `ProofError` with the text `otherwise` if it does not hold."""
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
    """Returns the bytes of an event that are hashed. Numbers are unsigned and big-endian.

    8 bytes position | 16 id | 8 version | 8 recorded_at (microseconds since 1970 UTC) |
    2 length of topic in bytes | topic in UTF-8 | state as stored, to the end.
    """
    name = topic.encode()
    moment = (recorded_at - _EPOCH) // _MICROSECOND
    try:
        numbers = _HEAD.pack(position, originator_id.bytes, version, moment, len(name))
    except struct.error as error:
        raise OverflowError(str(error)) from error
    return numbers + name + state


def leaf_hash(data: bytes) -> bytes:
    """Returns the hash of a leaf."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Returns the hash of a node over its two children."""
    return sha256(b"\x01" + left + right).digest()


def _siblings(node: int, last: int, proof: Proof) -> Iterator[tuple[bytes, bool]]:
    """Yields each hash of a proof from the leaves up, and True if it belongs on the left."""
    for sibling in proof:
        require(last > 0, "the proof is too long")
        is_left = node & 1 == 1 or node == last
        yield sibling, is_left
        while is_left and node and not node & 1:
            node, last = node >> 1, last >> 1
        node, last = node >> 1, last >> 1
    require(last == 0, "the proof is too short")


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Proof, root: bytes) -> None:
    """Checks that the tree has this leaf hash at `index` (RFC 9162, 2.1.3.2).

    Raises `ProofError` if it has not.
    """
    require(0 <= index < size, f"index {index} is not in a tree of {size}")
    computed = leaf
    for sibling, is_left in _siblings(index, size - 1, proof):
        computed = node_hash(sibling, computed) if is_left else node_hash(computed, sibling)
    require(computed == root, "the proof does not lead to the root")


def verify_consistency(
    old_size: int, old_root: bytes, size: int, root: bytes, proof: Proof
) -> None:
    """Checks that the new tree extends the old one (RFC 9162, 2.1.4.2).

    Every tree extends itself and the empty tree: the proofs of that are empty. Raises
    `ProofError` if the trees are not consistent.
    """
    require(0 <= old_size <= size, f"a tree of {old_size} cannot begin one of {size}")
    trivial = {0: EMPTY_ROOT, size: root}
    if old_size in trivial:
        require(not proof and old_root == trivial[old_size], "the trees are not consistent")
        return
    require(len(proof) > 0, "the proof is too short")
    node, last = old_size - 1, size - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    # If the old tree is a perfect subtree of the new one, the proof leaves out its root.
    first, *rest = proof if node else [old_root, *proof]
    old = new = first
    for sibling, is_left in _siblings(node, last, rest):
        if is_left:
            old = node_hash(sibling, old)
        new = node_hash(sibling, new) if is_left else node_hash(new, sibling)
    require((old, new) == (old_root, root), "the trees are not consistent")


@dataclass(frozen=True)
class Checkpoint:
    """The state of the tree at one time: its size, its root, the position of its last event."""

    origin: str
    size: int
    root: bytes
    position: int
    time: datetime

    def text(self) -> str:
        """Returns the part of the note that is signed."""
        extension = f"position {self.position}\ntime {time_text(self.time)}\n"
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n{extension}"


def time_text(moment: datetime) -> str:
    """Returns RFC 3339 in UTC with microseconds, as in `2026-11-23T08:00:00.000000Z`."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def parse_checkpoint(text: str) -> Checkpoint:
    """Reads the signed part of a checkpoint, exactly as `Checkpoint.text` writes it.

    Raises `ProofError`.
    """
    try:
        origin, size, root, position, time, _ = text.split("\n")
        root_hash, moment = b64decode(root), datetime.fromisoformat(time[len("time ") :])
        numbers = int(size), int(position[len("position ") :])
        checkpoint = Checkpoint(origin, numbers[0], root_hash, numbers[1], moment)
        require(len(root_hash) == 32 and min(numbers) >= 0, "out of range")
        require(checkpoint.text() == text, "not as written")
    except (ValueError, OverflowError) as error:
        raise ProofError("the checkpoint is not origin, size, root, position and time") from error
    return checkpoint


def key_id(name: str, public: bytes, kind: bytes = ED25519) -> bytes:
    """Returns the id that distinguishes keys of the same name.

    A name is printable ASCII without spaces and plus signs; raises `ProofError` for another.
    """
    require(re.fullmatch(r"[!-*,-~]+", name) is not None, f"{name!r} cannot name a key")
    return sha256(name.encode() + b"\n" + kind + public).digest()[:4]


def parse_key(text: str, kind: bytes = ED25519) -> tuple[str, bytes]:
    """Returns name and public key of `name+id+base64(kind || 32 bytes)`. Raises `ProofError`."""
    try:
        name, identity, encoded = text.split("+", 2)
        key = b64decode(encoded)
        require(len(key) == 33 and key[:1] == kind, "another type of key")
        require(identity == key_id(name, key[1:], kind).hex(), "another id")
        require(b64encode(key).decode() == encoded, "not as written")
    except ValueError as error:
        raise ProofError("the key is not name+id+base64 of an Ed25519 key") from error
    return name, key[1:]


def open_note(note: str, key: str) -> str:
    """Returns the text of a note that `key` has signed; ignores signatures of other keys.

    Raises `ProofError`.
    """
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
    """Returns the checkpoint in a note, signed by `key` and with the key's name as its origin.

    Raises `ProofError`.
    """
    checkpoint = parse_checkpoint(open_note(note, key))
    require(checkpoint.origin == parse_key(key)[0], "the checkpoint belongs to another log")
    return checkpoint


def cosigned_message(text: str, timestamp: int) -> bytes:
    """Returns what a witness signs at a time, in seconds since 1970: the text of the note in it."""
    return f"cosignature/v1\ntime {timestamp}\n{text}".encode()


def verify_cosignature(note: str, key: str) -> datetime:
    """Returns when a witness cosigned a checkpoint. Raises `ProofError` if it has not.

    `key` is the witness's, `name+id+base64(0x04 || 32 bytes)`. Check the log's own signature with
    `verify_checkpoint`.
    """
    name, public = parse_key(key, COSIGNATURE)
    text, _, signatures = note.rpartition("\n\n")
    for line in signatures.split("\n"):
        if not line.startswith(f"— {name} "):
            continue
        try:
            signed = b64decode(line.rpartition(" ")[2], validate=True)
            if signed[:4] != key_id(name, public, COSIGNATURE):
                continue
            require(len(signed) == 76, "another length")
            timestamp = int.from_bytes(signed[4:12])
            message = cosigned_message(f"{text}\n", timestamp)
            Ed25519PublicKey.from_public_bytes(public).verify(signed[12:], message)
            return datetime.fromtimestamp(timestamp, UTC)
        except (ValueError, OverflowError, OSError, InvalidSignature) as error:
            raise ProofError("the checkpoint has a false or malformed cosignature") from error
    raise ProofError(f"the checkpoint is not cosigned by {name}")


def export_header(origin: str, size: int, indices: range) -> bytes:
    """Returns the first line of an export of these leaves of a tree."""
    header = {"format": EXPORT_FORMAT, "origin": origin, "size": size}
    return _line(header | {"from_index": indices.start, "count": len(indices)})


def export_event(index: int, event: Event, proof: Proof) -> bytes:
    """Returns the line of one event, with the proof of its inclusion in the header's tree."""
    position, originator_id, version, topic, recorded_at, state = event
    line = {"index": index, "position": position, "recorded_at": time_text(recorded_at)}
    line |= {"topic": topic, "id": str(originator_id), "version": version, "state": state.decode()}
    line |= {"leaf_hash": leaf_hash(leaf_bytes(*event)).hex(), "proof": [p.hex() for p in proof]}
    return _line(line)


def _line(record: dict[str, Any]) -> bytes:
    return json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def _verify_event(line: bytes, index: int, before: int, signed: Checkpoint) -> int:
    """Checks one line by reading it, writing it again and comparing; returns its position."""
    where = f"after position {before}"
    try:
        read = json.loads(line)
        position, version, topic = int(read["position"]), int(read["version"]), read["topic"]
        where = f"position {position}"
        recorded_at, state = datetime.fromisoformat(read["recorded_at"]), read["state"].encode()
        event = (position, UUID(read["id"]), version, topic, recorded_at, state)
        proof = [bytes.fromhex(sibling) for sibling in read["proof"]]
        leaf = leaf_hash(leaf_bytes(*event))
        require(leaf.hex() == read["leaf_hash"], "the event does not match its leaf hash")
        rewritten = export_event(int(read["index"]), event, proof)
        require(line == rewritten, "not in the form of an export")
        require(read["index"] == index, f"index {read['index']} instead of {index}")
        require(position > before, f"comes after position {before}")
        verify_inclusion(leaf, index, signed.size, proof, signed.root)
        is_last = index + 1 == signed.size
        require(
            not is_last or position == signed.position,
            f"the last event, which by the checkpoint is at position {signed.position}",
        )
    except ProofError as error:
        raise ProofError(f"{where}: {error}") from error
    except _MALFORMED as error:
        raise ProofError(f"{where}: missing, cut off or malformed") from error
    return position


def verify_export(lines: Iterable[bytes], checkpoint: str, key: str) -> tuple[Checkpoint, range]:
    """Checks an export line by line; returns the checkpoint and the indices of its leaves.

    Holds one line in memory at a time. Raises `ProofError`, which names the first position at
    fault.
    """
    signed, remaining, position = verify_checkpoint(checkpoint, key), iter(lines), 0
    try:
        line = next(remaining, b"")
        first, count = (int(json.loads(line)[field]) for field in ("from_index", "count"))
        indices = range(first, first + count)
        header = export_header(signed.origin, signed.size, indices)
    except _MALFORMED as error:
        raise ProofError("header: missing, cut off or malformed") from error
    is_part = line == header and 0 <= first <= indices.stop <= signed.size
    require(is_part, f"header: not leaves of the tree of {signed.size} of {signed.origin}")
    for index in indices:
        position = _verify_event(next(remaining, b""), index, position, signed)
    require(next(remaining, b"") == b"", f"after position {position}: an unexpected line")
    return signed, indices


def main() -> int:
    """Checks the files named on the command line; returns the exit code.

    0: proved. 1: not proved. 2: a file can't be read, or the call is wrong.
    """
    parser = argparse.ArgumentParser(description="Check an export against a signed checkpoint.")
    parser.add_argument("export", type=Path)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--key", type=Path, required=True, help="the log's public key")
    parser.add_argument("--witness", type=Path, help="the key of a witness who must have cosigned")
    arguments = parser.parse_args()
    try:
        checkpoint = arguments.checkpoint.read_bytes().decode()
        key = arguments.key.read_bytes().decode()
        if arguments.witness is not None:
            verify_cosignature(checkpoint, arguments.witness.read_bytes().decode().strip())
        with arguments.export.open("rb") as file:
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
