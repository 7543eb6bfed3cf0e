"""Passkeys: keys on people's own devices, by which they sign in without a password (WebAuthn).

The device signs a challenge of ours, together with the address that the browser is at, so neither
another site nor a stolen database can sign in. A device asks for a fingerprint or its own PIN
first, so a passkey is two factors in one.
"""

import hashlib
import re
import secrets
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID, uuid4

import msgspec
import psycopg

from application.deliveries import outbox
from application.eventstore.database import Database
from application.people import security_log
from application.people.accounts import ACCOUNT_COLUMNS, Account, account_of_row
from domain.errors import AdmitOneError, Invalid, NotFound, Sentence

if TYPE_CHECKING:
    from fido2.server import Fido2Server
    from fido2.webauthn import CollectedClientData

T = TypeVar("T")

NEW_PASSKEY = "new-passkey"
"""The kind of mail about a new passkey; its target is the id of the passkey."""
MOST_PASSKEYS = 20
CHALLENGE_LIFETIME = timedelta(minutes=5)

_ALGORITHM = 3  # the label of it in a COSE_Key
_ALGORITHMS = (-7, -8, -257)  # ES256, EdDSA, RS256: each authenticator has one of them
_ADD, _USE = "add", "use"
_NAME_OF_SERVICE = "Admit One"
_LARGEST_CREDENTIAL = 16 * 1024  # characters
# The errors that the library raises for malformed bytes, beside ValueError.
_MALFORMED = (
    *(ValueError, LookupError, TypeError, AttributeError, AssertionError),
    *(RecursionError, OverflowError, NotImplementedError, struct.error),
)
_BASE64URL = re.compile(r"[A-Za-z0-9_-]*")
_TOO_MANY = Sentence("There can be at most {number} passkeys.", number=MOST_PASSKEYS)
_KNOWN_ALREADY = Sentence("This device has a passkey for this service already.")
_NOT_ADDED = Sentence("The passkey could not be added. Please try again.")

_COLUMNS = "id, name, created_at, last_used_at"
# Only what has not expired is needed, and strangers cause these rows.
_NEW_CHALLENGE = """
    WITH expired AS (DELETE FROM passkey_challenges WHERE challenge_sha256 IN (
        SELECT challenge_sha256 FROM passkey_challenges WHERE expires_at <= %(now)s
        ORDER BY expires_at LIMIT 100 FOR UPDATE SKIP LOCKED))
    INSERT INTO passkey_challenges (challenge_sha256, purpose, account_id, expires_at)
    VALUES (%(challenge)s, %(purpose)s, %(account_id)s, %(expires_at)s)"""
_TAKE_CHALLENGE = """
    DELETE FROM passkey_challenges
    WHERE challenge_sha256 = %s AND purpose = %s AND account_id IS NOT DISTINCT FROM %s
    RETURNING expires_at"""
_PASSKEY = f"""
    SELECT {ACCOUNT_COLUMNS}, passkey_id, public_key
    FROM accounts JOIN (
        SELECT id AS passkey_id, account_id, public_key FROM passkeys WHERE credential_id = %s
    ) AS passkey ON id = account_id
    WHERE disabled_at IS NULL"""  # noqa: S608 - a constant
# A counter that does not grow belongs to a copy of the key; some authenticators stay at 0.
_COUNT_USE = """
    UPDATE passkeys SET sign_count = %(count)s, last_used_at = %(now)s
    WHERE id = %(id)s AND (sign_count < %(count)s OR (sign_count = 0 AND %(count)s = 0))"""


class PasskeyRefused(AdmitOneError):
    """This passkey was not accepted. Please try again."""


class PasskeyNotFound(NotFound):
    """There is no such passkey."""


@dataclass(frozen=True)
class RelyingParty:
    """The site that passkeys are for: its host without a port, and the origin of its pages."""

    host: str
    origin: str


@dataclass(frozen=True)
class Passkey:
    """A passkey as its account sees it."""

    id: UUID
    name: str
    created_at: datetime
    last_used_at: datetime | None


class _AddedParts(msgspec.Struct):
    """The response of an authenticator that has made a passkey. Texts are base64url."""

    client_data: str = msgspec.field(name="clientDataJSON")
    attestation: str = msgspec.field(name="attestationObject")


class _Added(msgspec.Struct):
    raw_id: str = msgspec.field(name="rawId")
    response: _AddedParts


class _UsedParts(msgspec.Struct):
    """The response of an authenticator that has signed a challenge. Texts are base64url."""

    client_data: str = msgspec.field(name="clientDataJSON")
    authenticator_data: str = msgspec.field(name="authenticatorData")
    signature: str
    user_handle: str | None = msgspec.field(name="userHandle", default=None)


class _Used(msgspec.Struct):
    raw_id: str = msgspec.field(name="rawId")
    response: _UsedParts


class Passkeys:
    """The passkeys of all accounts. Credentials are JSON as browsers make it from theirs."""

    def __init__(self, database: Database, relying_party: RelyingParty | None) -> None:
        """Without a relying party there are no new passkeys, and none is accepted."""
        self._database = database
        self._relying_party = relying_party

    @property
    def are_possible(self) -> bool:
        """Returns True if browsers have passkeys for the public address.

        They have some for names with HTTPS, and for localhost.
        """
        return self._relying_party is not None

    def all(self, account: Account) -> list[Passkey]:
        """Returns the passkeys of an account in the order in which they were added."""
        return self._database.fetch_objects(
            Passkey,
            f"SELECT {_COLUMNS} FROM passkeys WHERE account_id = %s"  # noqa: S608 - a constant
            " ORDER BY created_at, id",
            (account.id,),
        )

    def one(self, account: Account, passkey_id: UUID) -> Passkey:
        """Returns a passkey of this account. Raises `PasskeyNotFound`."""
        for passkey in self.all(account):
            if passkey.id == passkey_id:
                return passkey
        raise PasskeyNotFound

    def begin_to_add(self, account: Account, *, now: datetime) -> dict[str, Any]:
        """Returns what a browser needs to make a passkey, as JSON, for the next five minutes.

        Raises `PasskeyRefused` where browsers have none.
        """
        from fido2.webauthn import (
            PublicKeyCredentialDescriptor,
            PublicKeyCredentialType,
            PublicKeyCredentialUserEntity,
            ResidentKeyRequirement,
            UserVerificationRequirement,
        )

        known = self._database.fetch_all(
            "SELECT credential_id FROM passkeys WHERE account_id = %s", (account.id,)
        )
        options, _ = self._server().register_begin(
            PublicKeyCredentialUserEntity(
                id=account.id.bytes, name=account.email, display_name=account.name
            ),
            [
                PublicKeyCredentialDescriptor(
                    type=PublicKeyCredentialType.PUBLIC_KEY, id=row["credential_id"]
                )
                for row in known
            ],
            resident_key_requirement=ResidentKeyRequirement.REQUIRED,
            user_verification=UserVerificationRequirement.REQUIRED,
            challenge=self._new_challenge(_ADD, account.id, now),
        )
        return dict(options.public_key)

    def add(self, account: Account, credential: str, *, name: str, now: datetime) -> Passkey:
        """Adds the passkey that a browser has made. Raises `Invalid`.

        The account gets a mail about it.
        """
        try:
            parts = self._registered(_parsed(credential, _Added), account, now)
        except (PasskeyRefused, *_MALFORMED):
            raise Invalid({"passkey": [_NOT_ADDED]}) from None
        passkey = Passkey(uuid4(), name, now, None)
        try:
            with self._database.connection() as conn, conn.transaction():
                # One after the other, so that two requests do not exceed the limit together.
                conn.execute("SELECT FROM accounts WHERE id = %s FOR NO KEY UPDATE", (account.id,))
                count = conn.execute(
                    "SELECT count(*) AS n FROM passkeys WHERE account_id = %s", (account.id,)
                ).fetchone()
                if count is not None and count["n"] >= MOST_PASSKEYS:
                    raise Invalid({"passkey": [_TOO_MANY]})
                conn.execute(
                    """INSERT INTO passkeys
                        (id, account_id, name, credential_id, public_key, sign_count, created_at)
                    VALUES (%s, %s, %s, %s, %s, %s, %s)""",
                    (passkey.id, account.id, name, *parts, now),
                )
                outbox.add_notice(
                    conn,
                    account_id=account.id,
                    kind=NEW_PASSKEY,
                    target=str(passkey.id),
                    now=now,
                )
                security_log.record(
                    conn,
                    security_log.PASSKEY_ADDED,
                    account_id=account.id,
                    details={"passkey": str(passkey.id)},
                )
        except psycopg.errors.UniqueViolation:
            raise Invalid({"passkey": [_KNOWN_ALREADY]}) from None
        return passkey

    def begin_to_use(self, account: Account | None = None, *, now: datetime) -> dict[str, Any]:
        """Returns what a browser needs to sign with a passkey, as JSON, for five minutes.

        Without an account, the person chooses one of those that the device knows.
        Raises `PasskeyRefused` where browsers have none.
        """
        from fido2.webauthn import UserVerificationRequirement

        options, _ = self._server().authenticate_begin(
            user_verification=UserVerificationRequirement.REQUIRED,
            challenge=self._new_challenge(_USE, account.id if account else None, now),
        )
        return dict(options.public_key)

    def use(self, credential: str, account: Account | None = None, *, now: datetime) -> Account:
        """Returns the account whose passkey has signed the challenge, which is used up then.

        With `account`, only its passkeys count. Raises `PasskeyRefused`, also for an account that
        is disabled.
        """
        try:
            return self._signed_in(_parsed(credential, _Used), account, now)
        except (PasskeyRefused, *_MALFORMED):
            with self._database.connection() as conn, conn.transaction():
                known = account.id if account else None
                security_log.record_failed_sign_in(conn, account_id=known, how="passkey")
            raise PasskeyRefused from None

    def rename(self, account: Account, passkey_id: UUID, name: str) -> None:
        """Gives a passkey of this account another name. Raises `PasskeyNotFound`."""
        self._change(
            security_log.PASSKEY_RENAMED,
            account,
            passkey_id,
            "UPDATE passkeys SET name = %s WHERE id = %s AND account_id = %s",
            (name, passkey_id, account.id),
        )

    def remove(self, account: Account, passkey_id: UUID) -> None:
        """Removes a passkey of this account: it signs nobody in. Raises `PasskeyNotFound`."""
        self._change(
            security_log.PASSKEY_REMOVED,
            account,
            passkey_id,
            "DELETE FROM passkeys WHERE id = %s AND account_id = %s",
            (passkey_id, account.id),
        )

    def _change(
        self,
        kind: str,
        account: Account,
        passkey_id: UUID,
        statement: str,
        values: tuple[object, ...],
    ) -> None:
        """Executes a statement on one passkey, and records that as an act of this kind."""
        with self._database.connection() as conn, conn.transaction():
            if conn.execute(statement.encode(), values).rowcount == 0:
                raise PasskeyNotFound
            security_log.record(
                conn, kind, account_id=account.id, details={"passkey": str(passkey_id)}
            )

    def _registered(
        self, added: _Added, account: Account, now: datetime
    ) -> tuple[bytes, bytes, int]:
        """Returns credential id, public key and counter of what the browser has made."""
        from fido2 import cbor
        from fido2.webauthn import (
            AttestationObject,
            AuthenticatorAttestationResponse,
            CollectedClientData,
            RegistrationResponse,
        )

        client_data = CollectedClientData(_decoded(added.response.client_data))
        state = self._use_up(client_data, _ADD, account.id, now)
        made = self._server().register_complete(
            state,
            RegistrationResponse(
                raw_id=_decoded(added.raw_id),
                response=AuthenticatorAttestationResponse(
                    client_data=client_data,
                    attestation_object=AttestationObject(_decoded(added.response.attestation)),
                ),
            ),
        )
        key = made.credential_data
        if key is None or key.public_key.get(_ALGORITHM) not in _ALGORITHMS:
            raise PasskeyRefused
        if key.credential_id != _decoded(added.raw_id):
            raise PasskeyRefused
        return bytes(key.credential_id), cbor.encode(dict(key.public_key)), made.counter

    def _signed_in(self, used: _Used, account: Account | None, now: datetime) -> Account:
        from fido2 import cbor
        from fido2.cose import CoseKey
        from fido2.webauthn import (
            Aaguid,
            AttestedCredentialData,
            AuthenticationResponse,
            AuthenticatorAssertionResponse,
            AuthenticatorData,
            CollectedClientData,
        )

        credential_id = _decoded(used.raw_id)
        client_data = CollectedClientData(_decoded(used.response.client_data))
        state = self._use_up(client_data, _USE, account.id if account else None, now)
        row = self._database.fetch_one(_PASSKEY, (credential_id,))
        if row is None:
            raise PasskeyRefused
        passkey_id, public_key = row.pop("passkey_id"), row.pop("public_key")
        owner = account_of_row(**row)
        data = AuthenticatorData(_decoded(used.response.authenticator_data))
        handle = used.response.user_handle
        if account is not None and owner.id != account.id:
            raise PasskeyRefused
        if handle is not None and _decoded(handle) != owner.id.bytes:
            raise PasskeyRefused
        key = AttestedCredentialData.create(
            Aaguid.NONE,
            credential_id,
            CoseKey.parse(cbor.decode(public_key)),  # type: ignore[arg-type]
        )
        self._server().authenticate_complete(
            state,
            [key],
            AuthenticationResponse(
                raw_id=credential_id,
                response=AuthenticatorAssertionResponse(
                    client_data=client_data,
                    authenticator_data=data,
                    signature=_decoded(used.response.signature),
                ),
            ),
        )
        with self._database.connection() as conn:
            counted = conn.execute(
                _COUNT_USE, {"id": passkey_id, "count": data.counter, "now": now}
            )
        if counted.rowcount == 0:
            raise PasskeyRefused
        return owner

    def _server(self) -> "Fido2Server":
        # Takes some 4 MB and 70 ms, which only a process needs in which somebody uses passkeys.
        from fido2.server import Fido2Server
        from fido2.webauthn import (
            AttestationConveyancePreference,
            PublicKeyCredentialParameters,
            PublicKeyCredentialRpEntity,
            PublicKeyCredentialType,
        )

        party = self._relying_party
        if party is None:
            raise PasskeyRefused
        server = Fido2Server(
            PublicKeyCredentialRpEntity(id=party.host, name=_NAME_OF_SERVICE),
            attestation=AttestationConveyancePreference.NONE,
            verify_origin=lambda origin: origin == party.origin,
        )
        server.timeout = int(CHALLENGE_LIFETIME.total_seconds() * 1000)  # type: ignore[assignment]
        server.allowed_algorithms = [
            PublicKeyCredentialParameters(type=PublicKeyCredentialType.PUBLIC_KEY, alg=algorithm)
            for algorithm in _ALGORITHMS
        ]
        return server

    def _new_challenge(self, purpose: str, account_id: UUID | None, now: datetime) -> bytes:
        challenge = secrets.token_bytes(32)
        values = {
            "challenge": _hash(challenge),
            "purpose": purpose,
            "account_id": account_id,
            "now": now,
            "expires_at": now + CHALLENGE_LIFETIME,
        }
        with self._database.connection() as conn:
            conn.execute(_NEW_CHALLENGE, values)
        return challenge

    def _use_up(
        self,
        client_data: "CollectedClientData",
        purpose: str,
        account_id: UUID | None,
        now: datetime,
    ) -> dict[str, str]:
        """Uses up the challenge that was signed and returns it as the library wants it."""
        if client_data.cross_origin:
            raise PasskeyRefused
        with self._database.connection() as conn:
            row = conn.execute(
                _TAKE_CHALLENGE, (_hash(client_data.challenge), purpose, account_id)
            ).fetchone()
        if row is None or row["expires_at"] <= now:
            raise PasskeyRefused
        challenge = urlsafe_b64encode(client_data.challenge).decode()
        return {"challenge": challenge, "user_verification": "required"}


def _parsed(credential: str, kind: type[T]) -> T:
    if len(credential) > _LARGEST_CREDENTIAL:
        raise PasskeyRefused
    return msgspec.json.decode(credential, type=kind)


def _decoded(text: str) -> bytes:
    """Returns the bytes that base64url without padding stands for. Raises `ValueError`."""
    if not _BASE64URL.fullmatch(text):
        raise ValueError(text)
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _hash(challenge: bytes) -> bytes:
    return hashlib.sha256(challenge).digest()
