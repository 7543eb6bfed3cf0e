"""People as an identity provider knows them, and the accounts that they sign in to.

An account belongs to the identity that it was connected with: issuer and subject, which never name
anybody else. An e-mail address counts only once, for an account that nobody has signed in to yet,
so that nobody gets an account by getting its address.
"""

import logging
import secrets
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import psycopg
from psycopg import Connection
from psycopg.rows import DictRow

from application.deliveries import outbox
from application.eventstore.database import Database
from application.people import security_log
from application.people.accounts import (
    ACCOUNT_COLUMNS,
    Account,
    AccountNotFound,
    Accounts,
    LastAdmin,
    account_of_row,
)
from domain.errors import AdmitOneError, Invalid, Unavailable

log = logging.getLogger(__name__)

NEW_IDENTITY = "new-identity"
"""The kind of mail about somebody at the provider who can sign in now; its target is the issuer."""

_CONNECT = """INSERT INTO identities (issuer, subject, account_id, created_at)
    VALUES (%(issuer)s, %(subject)s, %(account_id)s, %(now)s)"""
_CONNECTED = f"""SELECT {ACCOUNT_COLUMNS} FROM accounts JOIN identities ON id = account_id
    WHERE issuer = %s AND subject = %s"""  # noqa: S608 - constants
# Only while nobody can have signed in to it by anything else.
_IS_UNUSED = """SELECT FROM accounts WHERE id = %(account_id)s
    AND signed_in_at IS NULL AND password_hash IS NULL AND disabled_at IS NULL
    AND NOT EXISTS (SELECT FROM passkeys WHERE account_id = accounts.id)
    AND NOT EXISTS (SELECT FROM identities WHERE account_id = accounts.id) FOR UPDATE"""


class ProviderUnreachable(Unavailable):
    """The sign-in service doesn't answer right now. Try again shortly."""


class SignInNotProved(AdmitOneError):
    """The answer of the sign-in service could not be accepted. Please sign in again."""


class NotAdmitted(AdmitOneError):
    """You may not use this service."""


class NoAccount(NotAdmitted):
    """You have no account here yet. Ask whoever runs this service to create one for you."""


class NoVerifiedAddress(NotAdmitted):
    """The sign-in service hasn't confirmed that this e-mail address is yours."""


class AddressTaken(NotAdmitted):
    """Sign in to your account as before, and connect it on the page Access."""


class NoRole(NotAdmitted):
    """The sign-in service gives you no role here."""


class AccountEnded(NotAdmitted):
    """This account is disabled."""


class AlreadyConnected(AdmitOneError):
    """That sign-in already belongs to another account, or this account already has another one."""


class Attempt(NamedTuple):
    """The secrets made up for one sign-in, which come back with it. Only the browser keeps them."""

    state: str
    nonce: str
    verifier: str


def new_attempt() -> Attempt:
    """Returns the values of one sign-in, which nobody can guess."""
    return Attempt(*(secrets.token_urlsafe(32) for _ in Attempt._fields))


@dataclass(frozen=True)
class Identity:
    """Somebody who has just signed in at the provider.

    `email` is None if the provider does not say that it is theirs. `claims` is all that it says.
    `proved_at` is when they last proved to the provider who they are, if it says so and that is
    fresh.
    """

    issuer: str
    subject: str
    email: str | None
    name: str | None
    claims: Mapping[str, Any]
    proved_at: datetime | None = None


@dataclass(frozen=True)
class Admission:
    """The rule for who may sign in, and with which roles.

    `domains` are those of the addresses for which accounts are created. With a `role_claim`, the
    provider says who has which roles at each sign-in: `roles` are ours by its values. A dot in it
    leads into an object. Without, roles are given here, and new accounts are owners.
    """

    domains: Collection[str] = ()
    role_claim: str = ""
    roles: Mapping[str, str] = field(default_factory=dict)

    def roles_of(self, identity: Identity) -> tuple[str, ...] | None:
        """Returns the roles that the provider gives to somebody; None if roles are given here."""
        if not self.role_claim:
            return None
        found: Any = identity.claims
        for name in self.role_claim.split("."):
            found = found.get(name) if isinstance(found, Mapping) else None
        values = found if isinstance(found, list) else [found]
        named = {value for value in values if isinstance(value, str)}
        return tuple(sorted({self.roles[value] for value in named & self.roles.keys()}))

    def creates(self, email: str) -> bool:
        """Returns True if somebody with this address gets an account."""
        return email.rpartition("@")[2].lower() in self.domains


class Identities:
    """Finds the accounts of identities, and connects both."""

    def __init__(self, database: Database, accounts: Accounts, admission: Admission) -> None:
        self._database = database
        self._accounts = accounts
        self._admission = admission

    def sign_in(self, identity: Identity, *, now: datetime) -> Account:
        """Returns the account of somebody, created if that is allowed, with the roles of now.

        Raises a kind of `NotAdmitted`.
        """
        try:
            # The provider decides, whoever is at the browser.
            with security_log.acting_as(security_log.IDENTITY_PROVIDER):
                account = self._account(identity, now=now)
                account = self._with_roles(account, self._admission.roles_of(identity))
        except NotAdmitted:
            known = self._connected(identity)
            with self._database.connection() as conn, conn.transaction():
                account_id = known.id if known is not None else None
                security_log.record_failed_sign_in(conn, account_id=account_id, how="provider")
            raise
        with self._database.connection() as conn, conn.transaction():
            conn.execute(
                "UPDATE identities SET last_used_at = %s WHERE issuer = %s AND subject = %s",
                (now, identity.issuer, identity.subject),
            )
            conn.execute("UPDATE accounts SET signed_in_at = %s WHERE id = %s", (now, account.id))
        return account

    def is_of(self, identity: Identity, account: Account) -> bool:
        """Returns True if somebody is the person of this account."""
        connected = self._connected(identity)
        return connected is not None and connected.id == account.id

    def is_connected(self, account: Account, issuer: str) -> bool:
        """Returns True if somebody signs in to the account by this provider."""
        row = self._database.fetch_one(
            "SELECT FROM identities WHERE account_id = %s AND issuer = %s", (account.id, issuer)
        )
        return row is not None

    def connect(self, account: Account, *, issuer: str, subject: str, now: datetime) -> None:
        """Connects an account with somebody at the provider. Raises `AlreadyConnected`.

        The account gets a mail about it.
        """
        with self._database.connection() as conn:
            try:
                with conn.transaction():
                    _connect(conn, account, issuer=issuer, subject=subject, now=now)
            except psycopg.errors.UniqueViolation:
                raise AlreadyConnected from None

    def disconnect(self, account: Account, *, issuer: str) -> None:
        """Ends that anybody signs in to the account by this provider. Sessions go on."""
        with self._database.connection() as conn, conn.transaction():
            gone = conn.execute(
                "DELETE FROM identities WHERE account_id = %s AND issuer = %s",
                (account.id, issuer),
            )
            if gone.rowcount:
                security_log.record(
                    conn,
                    security_log.IDENTITY_UNLINKED,
                    account_id=account.id,
                    details={"issuer": issuer},
                )

    def _connected(self, identity: Identity) -> Account | None:
        """Returns the account that somebody is connected with."""
        found = self._database.fetch_objects(
            account_of_row, _CONNECTED, (identity.issuer, identity.subject)
        )
        return found[0] if found else None

    def _account(self, identity: Identity, *, now: datetime) -> Account:
        """Returns the account of somebody, connected now if it was not before."""
        account = self._connected(identity) or self._newly_connected(identity, now=now)
        if account.disabled_at is not None:
            raise AccountEnded
        return account

    def _newly_connected(self, identity: Identity, *, now: datetime) -> Account:
        """Returns the account with the address of somebody, who is connected with it from now."""
        if identity.email is None:
            raise NoVerifiedAddress
        try:
            account = self._accounts.by_email(identity.email)
        except AccountNotFound:
            account = self._created(identity)
        # Who is faster at the same moment has connected it.
        with (
            self._database.connection() as conn,
            suppress(psycopg.errors.UniqueViolation),
            conn.transaction(),
        ):
            if conn.execute(_IS_UNUSED, {"account_id": account.id}).rowcount:
                _connect(conn, account, issuer=identity.issuer, subject=identity.subject, now=now)
        connected = self._connected(identity)
        if connected is None:
            raise AddressTaken
        return connected

    def _created(self, identity: Identity) -> Account:
        """Returns a new account. Raises `NoAccount` or `NoRole`."""
        email, roles = identity.email or "", self._admission.roles_of(identity)
        if not self._admission.creates(email):
            raise NoAccount
        if roles == ():
            raise NoRole
        try:
            return self._accounts.create(
                email=email, name=identity.name, roles=("owner",) if roles is None else roles
            )
        except Invalid:  # the same sign-in was faster, in another tab, or the address is none
            with suppress(AccountNotFound):
                return self._accounts.by_email(email)
            raise NoVerifiedAddress from None

    def _with_roles(self, account: Account, roles: tuple[str, ...] | None) -> Account:
        """Gives the account the roles of the provider. Raises `NoRole` if these are none.

        The last admin stays one: else nobody could give it back to anybody.
        """
        if roles is not None and set(roles) != set(account.roles):
            try:
                account = self._accounts.change_roles(account, roles)
            except LastAdmin:
                log.warning("the identity provider takes the role admin from the last one: kept")
                if {*roles, "admin"} != set(account.roles):
                    account = self._accounts.change_roles(account, {*roles, "admin"})
        if not account.roles:
            raise NoRole
        return account


def _connect(
    conn: Connection[DictRow], account: Account, *, issuer: str, subject: str, now: datetime
) -> None:
    conn.execute(
        _CONNECT,
        {"issuer": issuer, "subject": subject, "account_id": account.id, "now": now},
    )
    outbox.add_notice(conn, account_id=account.id, kind=NEW_IDENTITY, target=issuer, now=now)
    security_log.record(
        conn, security_log.IDENTITY_LINKED, account_id=account.id, details={"issuer": issuer}
    )
