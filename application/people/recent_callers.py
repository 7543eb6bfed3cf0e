"""The API keys that a process has found valid in the last few seconds."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from uuid import UUID

REMEMBERED_FOR = timedelta(seconds=5)
MOST_REMEMBERED = 1000


@dataclass(frozen=True)
class Caller:
    """The account that a request acts for, and the actor that its events will name."""

    account_id: UUID
    scopes: frozenset[str]
    actor: str
    is_agent: bool = False
    links_a_day: int | None = None
    """The number of links that it may issue in a day; None: no limit."""
    links_at_once: int | None = None
    """The number of its links that may be open at a time; None: no limit."""

    @property
    def key_prefix(self) -> str:
        """The prefix of its key."""
        return self.actor.partition(":")[2]


class RecentCallers:
    """Callers by the hash of their key, so that not every request asks the database.

    A caller is forgotten 5 seconds after the look-up began, however often the key is used in
    between: by then, a key that was revoked elsewhere is refused here. Only keys that were found
    valid are remembered, so guesses find nothing here and push nobody out.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._found: dict[bytes, tuple[datetime, Caller]] = {}

    def find(self, key_hash: bytes, *, now: datetime) -> Caller | None:
        """Returns the caller of a key that was looked up less than 5 seconds ago."""
        found = self._found.get(key_hash)
        if found is None:
            return None
        looked_up_at, caller = found
        # A clock that was set back must not make this last longer.
        is_recent = looked_up_at <= now < looked_up_at + REMEMBERED_FOR
        return caller if is_recent else None

    def remember(self, key_hash: bytes, caller: Caller, *, looked_up_at: datetime) -> None:
        """Remembers a caller. Beyond 1,000, forgets the one that was looked up first."""
        with self._lock:
            self._found.pop(key_hash, None)
            if len(self._found) >= MOST_REMEMBERED:
                del self._found[next(iter(self._found))]
            self._found[key_hash] = (looked_up_at, caller)

    def forget(self, prefix: str) -> None:
        """Forgets the key with this prefix, because it was revoked here."""
        self._keep(lambda caller: caller.key_prefix != prefix)

    def forget_account(self, account_id: UUID) -> None:
        """Forgets the keys of this account, because what it may do was changed here."""
        self._keep(lambda caller: caller.account_id != account_id)

    def _keep(self, is_kept: Callable[[Caller], bool]) -> None:
        with self._lock:
            self._found = {
                key_hash: found for key_hash, found in self._found.items() if is_kept(found[1])
            }
