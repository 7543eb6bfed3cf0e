"""What the calls and the pages of the audit share: moments, snapshots, kept heads and proofs."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlencode
from uuid import UUID

from flask import request
from marshmallow import ValidationError, fields
from psycopg import Connection
from psycopg.rows import DictRow

from application.accesses import record
from application.audit import AsOf, History, HistoryNotFound, replay
from application.mapper import JSONMapper
from application.merkle import inclusion_proof
from application.proofs import Checkpoint, ProofError
from application.reading import read_at
from domain.errors import AdmitOneError, NotFound
from interface import keys_kept
from interface.current import services
from interface.fields import InstantOrDay
from interface.heads import HeadsKept, NoHead
from projections.transparency_log import index_of, leaf_of, tile_reader

T = TypeVar("T")

MAPPER = JSONMapper()
LAST_POSITION = 2**63 - 1
_LONGEST_NOTED = 2000


class NotUnderHead(NotFound):
    """The newest signed head does not cover an event at that position (yet)."""


class HeadSpoiled(AdmitOneError):
    """The newest signed head is not as it was signed: run `admitone audit verify`."""


class AsOfField(fields.Field[AsOf]):
    """A moment (RFC 3339; a date: as it begins in UTC), or a position of the log."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> AsOf:
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19:
            return int(value)
        try:
            moment: datetime = InstantOrDay().deserialize(value)
        except ValidationError:
            raise ValidationError(
                "Must be a time as in 2026-12-01T09:30:00Z, or a position of the log."
            ) from None
        return moment


class Head(NamedTuple):
    """A signed head: as it was signed, and what it says."""

    text: str
    signed: Checkpoint


@dataclass(frozen=True)
class Proof:
    """That a leaf is in the tree of a head."""

    index: int
    leaf_hash: bytes
    path: list[bytes]


def note_access(actor: str, found: str = "") -> None:
    """Write down who reads what, before they get it. Raises `Unavailable`: then they do not.

    An address that somebody searches for is left out: it would outlast its being forgotten.
    """
    asked = [(name, value) for name, value in request.args.items(multi=True) if name != "q"]
    what = "?".join(part for part in (f"GET {request.path}", urlencode(asked)) if part)
    if "q" in request.args:
        what += " (a search)"
    record(services().database, actor=actor, what=f"{what}{found}"[:_LONGEST_NOTED])


def public_key() -> str:
    """The key with which heads are checked."""
    return keys_kept.signer(services().settings).verifier_key()


def newest_head() -> Head:
    """Raises `NoHead` or `HeadSpoiled`."""
    kept = HeadsKept(services().settings.heads_folder, public_key())
    text = kept.newest_text()
    if text is None:
        raise NoHead
    try:
        return Head(text, kept.verified(text))
    except ProofError as error:
        raise HeadSpoiled from error


def proof_of(position: int, head: Checkpoint) -> Proof:
    """Raises `NotUnderHead`."""

    def prove(conn: Connection[DictRow]) -> Proof:
        index = index_of(conn, position)
        if index is None or index >= head.size:
            raise NotUnderHead
        (recorded,) = read_at(conn, [position])
        path = inclusion_proof(index, head.size, tile_reader(conn))
        return Proof(index, leaf_of(recorded), path)

    if position > head.position:
        raise NotUnderHead
    return in_snapshot(prove)


def history_of(subject_id: UUID, *, as_of: AsOf | None = None, kind: str = "") -> History:
    """The story of a subject; if a kind is given, as in `link.`, that of such a subject only.

    Raises `HistoryNotFound`, also when at `as_of` nothing was known yet; of a kind: not itself.
    """
    now = services().now()
    found = in_snapshot(lambda conn: replay(conn, subject_id, MAPPER, now=now, as_of=as_of))
    if kind and not any(
        step.recorded.originator_id == subject_id and step.recorded.topic.startswith(kind)
        for step in found.steps
    ):
        raise HistoryNotFound
    return found


def in_snapshot(work: Callable[[Connection[DictRow]], T]) -> T:
    """What `work` finds in the database at one moment."""

    def read(conn: Connection[DictRow]) -> T:
        with conn.transaction():
            conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            return work(conn)

    return services().database.repeat(read)
