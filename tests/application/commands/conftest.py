"""A second process, and a database that fails in the middle of a save."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import psycopg
import pytest

from interface.bootstrap import Services, build
from interface.settings import Settings
from tests.support.clock import Clock
from tests.support.desk import Desk
from tests.support.examples import SECRET
from tests.support.patience import give_commands_a_minute

FAILURE = "in the middle"
FailingCommits = Callable[[str], AbstractContextManager[None]]


@pytest.fixture(autouse=True)
def _requests_wait_for_a_busy_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    give_commands_a_minute(monkeypatch)


@pytest.fixture
def there(desk: Desk, conninfo: str, clock: Clock, tmp_path: Path) -> Iterator[Desk]:
    """A desk in another process, so to speak: its services share nothing with the first one."""
    settings = Settings(data=tmp_path, secret_keys=(SECRET,), public_url="https://book.example.org")
    services = build(settings, conninfo, now=clock)
    yield Desk(services)
    services.close()


@pytest.fixture
def failing_commits(services: Services) -> FailingCommits:
    """Lets every commit fail within a block, once all rows are written to a table."""

    @contextmanager
    def fail(table: str) -> Iterator[None]:
        with services.database.connection() as conn:
            conn.execute(
                "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS"
                f" $$ BEGIN RAISE EXCEPTION '{FAILURE}'; END $$"
            )
            conn.execute(
                f"CREATE CONSTRAINT TRIGGER last AFTER INSERT ON {table} DEFERRABLE"
                " INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fail()"
            )
        try:
            with pytest.raises(psycopg.errors.RaiseException, match=FAILURE):
                yield
        finally:
            with services.database.connection() as conn:
                conn.execute("DROP FUNCTION fail CASCADE")

    return fail
