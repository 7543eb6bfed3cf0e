"""An export of a short log, and its checkpoint."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from application.proofs.checkpoint_signer import CheckpointSigner
from application.proofs.merkle import Growth, inclusion_proofs
from application.proofs.verifier import Event, export_event, export_header, leaf_bytes, leaf_hash
from tests.application.proofs.merkle_by_definition import reader
from tests.support.examples import LINK, NOW

SIGNER = CheckpointSigner("admitone.example.org", b"s" * 32)
OTHER = CheckpointSigner("admitone.example.org", b"o" * 32)
KEY = SIGNER.verifier_key()
STATES = ['{"note":"Zoë says \\"hi\\""}', "{}", "\u2028\u007f\n\t\\ 🎟"]


def event(number: int) -> Event:
    """The log's positions have gaps: they are 3, 5, 7 …"""
    recorded_at = NOW + timedelta(microseconds=number)
    state = STATES[number % len(STATES)].encode()
    return (3 + 2 * number, UUID(int=LINK.int + number), 1, "link.issued", recorded_at, state)


@dataclass(frozen=True)
class Exported:
    """Lines of an export, and the checkpoint to check them against."""

    lines: list[bytes]
    checkpoint: str


def exported(
    indices: range,
    size: int = 7,
    *,
    numbers: Sequence[int] | None = None,
    position: int | None = None,
) -> Exported:
    """The log's first events, or those of these numbers; a position that it may lie about."""
    events = [event(number) for number in numbers or range(size)]
    growth = Growth(0, [])
    tiles = reader(growth.append(leaf_hash(leaf_bytes(*each)) for each in events))
    lines = [export_header(SIGNER.name, size, indices)]
    for index, proof in zip(indices, inclusion_proofs(indices, size, tiles), strict=True):
        lines.append(export_event(index, events[index], proof))
    last = position or (events[-1][0] if events else 0)
    return Exported(lines, SIGNER.sign(size, growth.root(), last, NOW))
