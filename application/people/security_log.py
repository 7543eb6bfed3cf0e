"""The security log: who signed in, and what was done to accounts, keys and personal data.

It can only grow, like the log of events, and has its own tree of hashes under its own signed
checkpoints, in the same format and by the same key (see `application.proofs.verifier`). It is a log
of its own so that strangers who try to sign in never take turns with people who book, so that no
view has to read it, and so that either log can be given to somebody without the other.

An entry is added in the transaction of the act itself, as its last statement: those who add take
turns until they have committed. Who acts, and from which address, is known around the act
(`acting`), as a deadline is. Addresses are personal data: the entry has a salted commitment to
them, and they can be deleted without a trace in the hashes.
"""

import secrets
from collections.abc import Callable, Collection, Mapping
from contextvars import ContextVar, Token
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import msgspec
from psycopg import Connection
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from application.eventstore import advisory_locks
from application.eventstore.database import Database, PatientConnection
from application.people.personal_data import SALT_BYTES, commitment, without_empty
from application.proofs.verifier import leaf_bytes, leaf_hash

ACCOUNT_CREATED = "account.created"
NAME_CHANGED = "account.name-changed"
ACCOUNT_DISABLED = "account.disabled"
ACCOUNT_ENABLED = "account.enabled"
EMAIL_CHANGED = "account.email-changed"
ROLES_CHANGED = "account.roles-changed"
SIGN_IN_LINK_CREATED = "sign-in.link-created"
SIGN_IN_FAILED = "sign-in.failed"
SIGN_INS_UNRECORDED = "sign-in.more-failed"
SESSION_STARTED = "session.started"
SESSION_ENDED = "session.ended"
ALL_SESSIONS_ENDED = "session.all-ended"
PASSWORD_SET = "password.set"  # noqa: S105 - the kind of an entry
PASSKEY_ADDED = "passkey.added"
PASSKEY_RENAMED = "passkey.renamed"
PASSKEY_REMOVED = "passkey.removed"
IDENTITY_LINKED = "identity.linked"
IDENTITY_UNLINKED = "identity.unlinked"
KEY_CREATED = "key.created"
KEY_REVOKED = "key.revoked"
DATA_EXPORTED = "personal-data.exported"
DATA_ERASED = "personal-data.erased"
LINKS_EXPORTED = "links.exported"
REBUILD_REQUESTED = "view.rebuild-requested"
BACKED_UP = "backup.made"
RESTORED = "backup.restored"
KINDS = (
    ACCOUNT_CREATED,
    NAME_CHANGED,
    ACCOUNT_DISABLED,
    ACCOUNT_ENABLED,
    EMAIL_CHANGED,
    ROLES_CHANGED,
    SIGN_IN_LINK_CREATED,
    SIGN_IN_FAILED,
    SIGN_INS_UNRECORDED,
    SESSION_STARTED,
    SESSION_ENDED,
    ALL_SESSIONS_ENDED,
    PASSWORD_SET,
    PASSKEY_ADDED,
    PASSKEY_RENAMED,
    PASSKEY_REMOVED,
    IDENTITY_LINKED,
    IDENTITY_UNLINKED,
    KEY_CREATED,
    KEY_REVOKED,
    DATA_EXPORTED,
    DATA_ERASED,
    LINKS_EXPORTED,
    REBUILD_REQUESTED,
    BACKED_UP,
    RESTORED,
)

SERVICE = "service"
STRANGER = "stranger"
IDENTITY_PROVIDER = "identity-provider"
"""The actors of what the service does by itself, of who has not signed in, and of what the
provider decides at which people sign in."""

FAILURES_OF_AN_ACCOUNT = 10
FAILURES_IN_ALL = 200
"""The number of failed sign-ins that are recorded in an hour. More are counted."""

SWEPT_AT_ONCE = 5000
NOBODY = UUID(int=0)

_TURN = f"""WITH turn AS MATERIALIZED (
        SELECT pg_advisory_xact_lock({advisory_locks.SECURITY_LOG})
    )"""
_ENTRY = """INSERT INTO security_log (kind, actor, account_id, details, commitment)
        SELECT %(kind)s, %(actor)s, %(account_id)s, %(details)s, %(commitment)s FROM turn"""
_ADD = f"{_TURN} {_ENTRY}"
# A statement of its own, because not everybody who adds an entry may add addresses.
_ADD_WITH_ADDRESSES = f"""{_TURN}, entry AS ({_ENTRY} RETURNING position)
    INSERT INTO security_addresses (position, salt, data)
    SELECT position, %(salt)s, %(data)s FROM entry"""  # noqa: S608 - constants

_RECENT_FAILURES = f"""
    SELECT count(*) AS of_all,
        count(*) FILTER (WHERE account_id IS NOT DISTINCT FROM %(account_id)s) AS of_account
    FROM security_log
    WHERE kind = '{SIGN_IN_FAILED}' AND at > clock_timestamp() - interval '1 hour'"""  # noqa: S608

_SELECT = """
    SELECT position, log.at, kind, actor, account_id, details, commitment, data AS addresses
    FROM security_log AS log LEFT JOIN security_addresses USING (position)"""

_SWEEP = f"""
    DELETE FROM security_addresses WHERE position IN (
        SELECT position FROM security_addresses WHERE at < %s ORDER BY at LIMIT {SWEPT_AT_ONCE})"""  # noqa: S608


class Origin(NamedTuple):
    """The actor of an act, and the address that it came from, if that is known."""

    actor: str
    address: str | None = None


@dataclass(frozen=True)
class Entry:
    """An entry. `at` is UTC by the database's clock.

    `addresses` is None if there never were any, or if they have been deleted: then there is still
    a `commitment`.
    """

    position: int
    at: datetime
    kind: str
    actor: str
    account_id: UUID | None
    details: dict[str, str]
    commitment: str | None
    addresses: dict[str, str] | None

    def leaf(self) -> bytes:
        """Returns the leaf hash. The state that is hashed is in canonical JSON."""
        return leaf_hash(leaf_bytes(*self.event()))

    def event(self) -> tuple[int, UUID, int, str, datetime, bytes]:
        """Returns the entry in the form of an event, in which it is hashed and exported.

        Its id is that of the account, zeros without one, and its version is always 1.
        """
        state = {"actor": self.actor, "details": self.details}
        if self.commitment is not None:
            state["commitment"] = self.commitment
        encoded = msgspec.json.encode(state, order="deterministic")
        return self.position, self.account_id or NOBODY, 1, self.kind, self.at, encoded


_ORIGIN: ContextVar[Callable[[], Origin]] = ContextVar("origin", default=lambda: Origin(SERVICE))


class acting:  # noqa: N801 - used as a function
    """Says who acts in the block. `origin` is called when there is something to record."""

    # Each request enters one: a generator would take three times as long.
    __slots__ = ("_origin", "_token")

    def __init__(self, origin: Callable[[], Origin]) -> None:
        self._origin = origin
        self._token: Token[Callable[[], Origin]]

    def __enter__(self) -> None:
        self._token = _ORIGIN.set(self._origin)

    def __exit__(self, *_: object) -> None:
        _ORIGIN.reset(self._token)


def acting_as(actor: str) -> acting:
    """Says that somebody else acts in the block, from the same address."""
    around = _ORIGIN.get()
    return acting(lambda: around()._replace(actor=actor))


def account_actor(account_id: UUID | str) -> str:
    """Returns how an account is named as an actor."""
    return f"account:{account_id}"


def listed(names: Collection[str]) -> str:
    """Returns how the security log names several roles or scopes."""
    return ",".join(sorted(set(names)))


def record(
    conn: Connection[DictRow],
    kind: str,
    *,
    account_id: UUID | None = None,
    details: Mapping[str, str | None] | None = None,
    addresses: Mapping[str, str | None] | None = None,
    actor: str | None = None,
) -> None:
    """Adds an entry in the transaction of `conn`, as its last statement.

    `account_id` is the account that it concerns. `details` say more and must hold nothing personal
    and no secret; e-mail addresses belong to `addresses`, which are deleted after a while. The
    address of the client is added to these. `actor` is only for acts by which somebody becomes
    known, such as signing in: else it is who acts.
    """
    if kind not in KINDS:
        raise ValueError(f"{kind!r} is not among the kinds of entries")
    origin = _ORIGIN.get()()
    data = without_empty({"address": origin.address} | dict(addresses or {}))
    salt = secrets.token_bytes(SALT_BYTES)
    conn.execute(
        (_ADD_WITH_ADDRESSES if data else _ADD).encode(),
        {
            "kind": kind,
            "actor": actor or origin.actor,
            "account_id": account_id,
            "details": Jsonb(without_empty(dict(details or {}))),
            "commitment": commitment(salt, data) if data else None,
            "salt": salt,
            "data": Jsonb(data),
        },
    )


def record_failed_sign_in(conn: Connection[DictRow], *, account_id: UUID | None, how: str) -> None:
    """Adds a failed sign-in, in the transaction of `conn`, unless there were many in this hour.

    Then it is only counted, and the next entry for the same account says how many there were. So
    whoever tries for ever, from however many addresses, fills no disk. What was typed is not
    recorded, because people type passwords into the wrong field.
    """
    row = conn.execute(_RECENT_FAILURES.encode(), {"account_id": account_id}).fetchone()
    of_account, of_all = (row["of_account"], row["of_all"]) if row else (0, 0)
    if of_account >= FAILURES_OF_AN_ACCOUNT or of_all >= FAILURES_IN_ALL:
        conn.execute(
            """INSERT INTO unrecorded_sign_ins AS before (account_id, times) VALUES (%s, 1)
            ON CONFLICT (account_id) DO UPDATE SET times = before.times + 1""",
            (account_id or NOBODY,),
        )
        return
    unrecorded = conn.execute(
        "DELETE FROM unrecorded_sign_ins WHERE account_id = %s RETURNING times",
        (account_id or NOBODY,),
    ).fetchone()
    if unrecorded is not None:
        _record_number(conn, account_id or NOBODY, unrecorded["times"])
    record(conn, SIGN_IN_FAILED, account_id=account_id, details={"how": how}, actor=STRANGER)


def _record_number(conn: Connection[DictRow], account_id: UUID, times: int) -> None:
    """Adds how many failed sign-ins were counted and not recorded."""
    record(
        conn,
        SIGN_INS_UNRECORDED,
        account_id=None if account_id == NOBODY else account_id,
        details={"times": str(times)},
        actor=SERVICE,
    )


class SecurityLog:
    """Adds entries about what is not in the database, reads the log, and deletes old addresses."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(
        self,
        kind: str,
        *,
        account_id: UUID | None = None,
        details: Mapping[str, str | None] | None = None,
        addresses: Mapping[str, str | None] | None = None,
    ) -> None:
        """Adds an entry by itself, before something is done that is not in the database.

        Raises `Unavailable`; then it must not be done.
        """
        with self._database.connection() as conn, conn.transaction():
            record(conn, kind, account_id=account_id, details=details, addresses=addresses)

    def newest(
        self,
        *,
        limit: int,
        before: int | None = None,
        after: int = 0,
        kind: str | None = None,
        account_id: UUID | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> list[Entry]:
        """Returns at most `limit` entries, newest first, between two positions.

        Narrowed to a kind, to an account that acted or was concerned, and to [since, until), if
        these are not None.
        """
        return self._database.fetch_objects(
            Entry,
            f"""{_SELECT}
            WHERE (%(before)s::bigint IS NULL OR position < %(before)s) AND position > %(after)s
                AND (%(kind)s::text IS NULL OR kind = %(kind)s)
                AND (%(account_id)s::uuid IS NULL OR account_id = %(account_id)s
                    OR actor = 'account:' || %(account_id)s)
                AND (%(since)s::timestamptz IS NULL OR log.at >= %(since)s)
                AND (%(until)s::timestamptz IS NULL OR log.at < %(until)s)
            ORDER BY position DESC LIMIT %(limit)s""",
            {
                "before": before,
                "after": after,
                "kind": kind,
                "account_id": account_id,
                "since": since,
                "until": until,
                "limit": limit,
            },
        )

    def tell_unrecorded(self) -> int:
        """Adds the numbers of failed sign-ins that were only counted; returns of how many."""

        def tell(conn: PatientConnection) -> int:
            with conn.transaction():
                rows = conn.execute("DELETE FROM unrecorded_sign_ins RETURNING *").fetchall()
                for row in rows:
                    _record_number(conn, row["account_id"], row["times"])
            return sum(row["times"] for row in rows)

        return self._database.run_idempotent(tell)

    def forget_addresses(self, *, before: datetime) -> int:
        """Deletes the addresses recorded before a moment; returns of how many entries."""
        forgotten = 0
        while count := self._database.run_idempotent(
            lambda conn: conn.execute(_SWEEP, (before,)).rowcount
        ):
            forgotten += count
        return forgotten


def read(conn: Connection[DictRow], after: int = 0, limit: int = 2**31) -> list[Entry]:
    """Returns at most `limit` entries after a position, in order, without addresses."""
    rows = conn.execute(
        """SELECT position, at, kind, actor, account_id, details, commitment
        FROM security_log WHERE position > %s ORDER BY position LIMIT %s""",
        (after, limit),
    )
    return [Entry(**row, addresses=None) for row in rows]
